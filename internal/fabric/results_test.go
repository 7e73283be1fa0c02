package fabric_test

import (
	"bytes"
	"errors"
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
			{StartKey: "c", ReadsInfo: &kvrwsetpb.RangeQueryInfo_ReadsMerkleHashes{ReadsMerkleHashes: &kvrwsetpb.QueryReadsMerkleSummary{MaxDegree: 50}}},
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
	if q := n.Queries[0]; !q.Exhausted || q.Hashed || len(q.Reads) != 1 || string(q.StartKey)+string(q.EndKey) != "ab" {
		t.Errorf("query %+v", q)
	}
	if q := n.Queries[1]; q.Exhausted || !q.Hashed {
		t.Errorf("hashed query %+v", q)
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
	reads := bytes.Repeat([]byte{0x0a, 0}, 1<<20+1)
	namespace := protowire.AppendBytes(protowire.AppendTag(nil, 2, protowire.BytesType), reads)
	raw := protowire.AppendBytes(protowire.AppendTag(nil, 2, protowire.BytesType), namespace)
	if _, err := fabric.ParseReadWriteSet(raw); !errors.Is(err, fabric.ErrMalformed) {
		t.Errorf("a million reads and one: %v", err)
	}
}
