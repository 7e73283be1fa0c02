package fabric_test

import (
	"bytes"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/blockreel/blockreel/internal/fabric"
	kvrwsetpb "github.com/blockreel/blockreel/internal/fabric/proto/kvrwset"
	rwsetpb "github.com/blockreel/blockreel/internal/fabric/proto/rwset"
)

func marshalSet(t *testing.T, set *kvrwsetpb.KVRWSet) []byte {
	t.Helper()
	public, err := proto.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := proto.Marshal(&rwsetpb.TxReadWriteSet{NsRwset: []*rwsetpb.NsReadWriteSet{{Namespace: "cc", Rwset: public}}})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestParseReadWriteSet(t *testing.T) {
	raw := marshalSet(t, &kvrwsetpb.KVRWSet{
		Reads: []*kvrwsetpb.KVRead{{Key: "new"}, {Key: "old", Version: &kvrwsetpb.Version{BlockNum: 7, TxNum: 2}}, {Key: "first", Version: &kvrwsetpb.Version{}}},
		RangeQueriesInfo: []*kvrwsetpb.RangeQueryInfo{
			{StartKey: "a", EndKey: "b", ItrExhausted: true, ReadsInfo: &kvrwsetpb.RangeQueryInfo_RawReads{
				RawReads: &kvrwsetpb.QueryReads{KvReads: []*kvrwsetpb.KVRead{{Key: "a1", Version: &kvrwsetpb.Version{BlockNum: 1}}}},
			}},
			{StartKey: "c", ReadsInfo: &kvrwsetpb.RangeQueryInfo_ReadsMerkleHashes{ReadsMerkleHashes: &kvrwsetpb.QueryReadsMerkleSummary{
				MaxDegree: 50, MaxLevel: 2, MaxLevelHashes: [][]byte{{1}, {2, 3}},
			}}},
		},
		Writes:         []*kvrwsetpb.KVWrite{{Key: "k", Value: []byte("v")}, {Key: "gone", IsDelete: true}, {Key: "empty"}},
		MetadataWrites: []*kvrwsetpb.KVMetadataWrite{{Key: "k", Entries: []*kvrwsetpb.KVMetadataEntry{{Name: "n", Value: []byte("m")}}}},
	})
	set, err := fabric.ParseReadWriteSet(raw)
	if err != nil || len(set.Namespaces) != 1 || string(set.Namespaces[0].Namespace) != "cc" {
		t.Fatalf("%+v, %v", set, err)
	}
	n := set.Namespaces[0]
	for i, want := range []fabric.Read{
		{Key: []byte("new")}, {Key: []byte("old"), Exists: true, Version: fabric.Version{Block: 7, Transaction: 2}},
		{Key: []byte("first"), Exists: true},
	} {
		if r := n.Reads[i]; !bytes.Equal(r.Key, want.Key) || r.Exists != want.Exists || r.Version != want.Version {
			t.Errorf("read %d is %+v, want %+v", i, r, want)
		}
	}
	if q := n.Queries[0]; !q.Exhausted || q.Summary != nil || len(q.Reads) != 1 || string(q.StartKey)+string(q.EndKey) != "ab" {
		t.Errorf("query %+v", q)
	}
	if q := n.Queries[1]; q.Exhausted || q.Summary == nil || q.Summary.MaxDegree != 50 || q.Summary.MaxLevel != 2 ||
		!slices.EqualFunc(q.Summary.Hashes, [][]byte{{1}, {2, 3}}, bytes.Equal) {
		t.Errorf("summarized query %+v, %+v", q, q.Summary)
	}
	for i, deleted := range []bool{false, true, true} {
		if w := n.Writes[i]; w.Delete != deleted {
			t.Errorf("write of %s: deleted is %v", w.Key, w.Delete)
		}
	}
	if m := n.Metadata; len(m) != 1 || string(m[0].Key) != "k" || len(m[0].Entries) == 0 {
		t.Errorf("metadata %+v", m)
	}
	for i := range raw {
		if _, err := fabric.ParseReadWriteSet(raw[:i]); err != nil && !errors.Is(err, fabric.ErrMalformed) {
			t.Errorf("cut at %d: %v", i, err)
		}
	}
}

// A message of empty entries must not take many times its size.
func TestReadWriteSetIsBounded(t *testing.T) {
	field := func(num protowire.Number, content []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, num, protowire.BytesType), content)
	}
	many := func(num protowire.Number) []byte { return bytes.Repeat(field(num, nil), 1<<16) }
	namespace := func(content []byte) []byte { return field(2, content) }
	public := func(content []byte) []byte { return namespace(field(2, content)) }
	collection := func(content []byte) []byte { return namespace(field(3, field(2, content))) }
	for name, raw := range map[string][]byte{
		"namespaces": many(2), "collections": namespace(many(3)),
		"reads": public(many(1)), "queries": public(many(2)), "writes": public(many(3)), "metadata": public(many(4)),
		"hashed reads": collection(many(1)), "hashed writes": collection(many(2)), "hashed metadata": collection(many(3)),
		"results of a query": public(field(2, field(4, many(1)))),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := fabric.ParseReadWriteSet(raw)
		runtime.ReadMemStats(&after)
		if !errors.Is(err, fabric.ErrMalformed) {
			t.Errorf("65536 empty %s: %v", name, err)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > uint64(11*len(raw)) {
			t.Errorf("65536 empty %s, %d bytes, took %d bytes", name, len(raw), took)
		}
	}
}

// Keys of one byte are the least that a simulation can have read, written or found: a set of
// very many is read.
func TestSmallestEntries(t *testing.T) {
	const many = 1 << 15
	set := &kvrwsetpb.KVRWSet{}
	for range many {
		set.Reads = append(set.Reads, &kvrwsetpb.KVRead{Key: "k"})
		set.Writes = append(set.Writes, &kvrwsetpb.KVWrite{Key: "k", IsDelete: true})
		set.RangeQueriesInfo = append(set.RangeQueriesInfo, &kvrwsetpb.RangeQueryInfo{
			StartKey: "\x01", EndKey: "k", ReadsInfo: &kvrwsetpb.RangeQueryInfo_RawReads{RawReads: &kvrwsetpb.QueryReads{}},
		})
		set.MetadataWrites = append(set.MetadataWrites, &kvrwsetpb.KVMetadataWrite{Key: "k", Entries: []*kvrwsetpb.KVMetadataEntry{{Name: "n"}}})
	}
	parsed, err := fabric.ParseReadWriteSet(marshalSet(t, set))
	if err != nil {
		t.Fatal(err)
	}
	n := &parsed.Namespaces[0]
	if len(n.Reads) != many || len(n.Writes) != many || len(n.Queries) != many || len(n.Metadata) != many {
		t.Errorf("%d reads, %d writes, %d queries, %d metadata writes, want %d of each", len(n.Reads), len(n.Writes), len(n.Queries), len(n.Metadata), many)
	}
}

// Protobuf demands of strings that they are UTF-8; the hashes of keys are no strings.
func TestKeysAreText(t *testing.T) {
	raw := marshalSet(t, &kvrwsetpb.KVRWSet{Writes: []*kvrwsetpb.KVWrite{{Key: "name", Value: []byte{0xff}}}})
	if _, err := fabric.ParseReadWriteSet(raw); err != nil {
		t.Error(err)
	}
	raw = bytes.Replace(raw, []byte("name"), []byte("n\xffme"), 1)
	if _, err := fabric.ParseReadWriteSet(raw); !errors.Is(err, fabric.ErrMalformed) || !strings.Contains(err.Error(), "UTF-8") {
		t.Errorf("a key that is not UTF-8: %v", err)
	}
	hashed := []byte{0x12, 6, 0x0a, 1, 0xff, 0x1a, 1, 0xff} // a HashedRWSet of one KVWriteHash
	raw, err := proto.Marshal(&rwsetpb.TxReadWriteSet{NsRwset: []*rwsetpb.NsReadWriteSet{{
		Namespace: "cc", CollectionHashedRwset: []*rwsetpb.CollectionHashedReadWriteSet{{CollectionName: "c", HashedRwset: hashed}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	if set, err := fabric.ParseReadWriteSet(raw); err != nil || len(set.Namespaces[0].Collections[0].Writes) != 1 {
		t.Errorf("%+v, %v", set, err)
	}
}
