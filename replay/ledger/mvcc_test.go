package ledger

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	kvrwsetpb "github.com/blockreel/blockreel/internal/fabric/proto/kvrwset"
	peerpb "github.com/blockreel/blockreel/internal/fabric/proto/peer"
	rwsetpb "github.com/blockreel/blockreel/internal/fabric/proto/rwset"
	"github.com/blockreel/blockreel/traces/event"
)

const (
	mvcc11    = byte(peerpb.TxValidationCode_MVCC_READ_CONFLICT)
	phantom12 = byte(peerpb.TxValidationCode_PHANTOM_READ_CONFLICT)
)

func query(from, to string, exhausted bool, rs ...*kvrwsetpb.KVRead) tx {
	return tx{set: &kvrwsetpb.KVRWSet{RangeQueriesInfo: []*kvrwsetpb.RangeQueryInfo{{
		StartKey: from, EndKey: to, ItrExhausted: exhausted,
		ReadsInfo: &kvrwsetpb.RangeQueryInfo_RawReads{RawReads: &kvrwsetpb.QueryReads{KvReads: rs}},
	}}}}
}

// Range queries are executed again on every backend: on the state, and over what the block
// itself has changed.
func TestRangeQueries(t *testing.T) {
	each(t, false, func(t *testing.T, spec string) {
		l := open(t, spec, Config{Dir: t.TempDir(), Channel: "ch1"})
		c := &chain{t: t}
		commit(t, l, c.genesis())
		commit(t, l, c.block(put("k1", "1"), put("k3", "3"), put("k5", "5"), put("l", "-")))
		k1, k3, k5, last := reads("k1", 1, 0), reads("k3", 1, 1), reads("k5", 1, 2), reads("l", 1, 3)
		commit(t, l, c.block(
			query("k", "l", true, k1, k3, k5),      // all of it
			query("k", "k3", false, k1, k3),        // stopped at k3, which belongs to it
			query("k", "k3", true, k1),             // up to k3, which does not
			query("k", "", true, k1, k3, k5, last), // to the end of the namespace
			query("m", "z", true),                  // nothing there
			query("k", "l", true, k1, k5),          // 5: lacks one
			query("k", "l", true, k1, k3, k5, last),
			query("k", "l", true, k1, reads("k3", 1, 0), k5),
			query("m", "z", true, k1),
			tx{namespace: "other", set: query("k", "", true).set}, // 9: another namespace
		))
		wantCodes(t, l, 2, 0, 0, 0, 0, 0, phantom12, phantom12, phantom12, phantom12, 0)
		commit(t, l, c.block(
			put("k2", "2"),
			query("k", "l", true, k1, k3, k5), // 1: k2 has come
			query("k3", "l", true, k3, k5),
			tx{set: &kvrwsetpb.KVRWSet{Writes: []*kvrwsetpb.KVWrite{deletes("k5")}}},
			query("k3", "l", true, k3, k5), // 4: k5 has gone
			query("k3", "l", true, k3),
			tx{set: &kvrwsetpb.KVRWSet{Writes: []*kvrwsetpb.KVWrite{deletes("k0")}}}, // was not there
			query("k3", "l", true, k3),
		))
		wantCodes(t, l, 3, 0, phantom12, 0, 0, phantom12, 0, 0, 0)
		merkle := tx{set: &kvrwsetpb.KVRWSet{RangeQueriesInfo: []*kvrwsetpb.RangeQueryInfo{{
			StartKey: "k", EndKey: "l", ItrExhausted: true,
			ReadsInfo: &kvrwsetpb.RangeQueryInfo_ReadsMerkleHashes{ReadsMerkleHashes: &kvrwsetpb.QueryReadsMerkleSummary{MaxDegree: 50}},
		}}}}
		commit(t, l, c.block(merkle))
		wantCodes(t, l, 4, 0)
		if r := l.Report(); r.Merkle != 1 {
			t.Errorf("%d Merkle queries reported, want 1", r.Merkle)
		}
		check(t, l)
	})
}

// A ledger that begins late believes what it cannot know, until it knows.
func TestBelievedReads(t *testing.T) {
	l := open(t, Memory, Config{Channel: "ch1", First: 10})
	c := &chain{t: t, next: 10}
	writer := func(key string, version ...uint64) tx {
		return tx{set: &kvrwsetpb.KVRWSet{
			Reads: []*kvrwsetpb.KVRead{reads(key, version...)}, Writes: []*kvrwsetpb.KVWrite{puts(key, "new")},
		}}
	}
	deleter := func(key string, version ...uint64) tx {
		x := writer(key, version...)
		x.set.Writes = []*kvrwsetpb.KVWrite{deletes(key)}
		return x
	}
	commit(t, l, c.block(
		writer("a", 4, 1),  // believed
		writer("b"),        // believed to be absent
		deleter("c", 5, 0), // believed
		writer("d", 10, 7), // not from before
		query("m", "n", true, reads("m1", 3, 0), reads("m2", 4, 0)),
	))
	wantCodes(t, l, 10, 0, 0, 0, mvcc11, 0)
	commit(t, l, c.block(
		writer("a", 4, 1), // written since
		writer("c", 5, 0), // deleted since
		writer("c"),       // that it is gone is known
		put("m1", "new"),
	))
	wantCodes(t, l, 11, mvcc11, mvcc11, 0, 0)
	commit(t, l, c.block(
		query("m", "n", true, reads("m1", 3, 0), reads("m2", 4, 0)),
		query("m", "n", true, reads("m1", 11, 3), reads("m2", 4, 0)),
		query("m", "n", true, reads("m2", 4, 0)),
	))
	wantCodes(t, l, 12, phantom12, 0, phantom12)
	if _, err := l.State(t.Context(), "basic", "x"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a key that never was: %v", err)
	}
	// The peer knows better.
	c.flags = []byte{mvcc11, 0}
	commit(t, l, c.block(writer("y", 2, 0), writer("z", 2, 0)))
	wantCodes(t, l, 13, mvcc11, 0)
	if r := l.Report(); r.Adopted != 1 || r.Different != 0 || r.Believed == 0 {
		t.Errorf("report %+v", r)
	}
	check(t, l)
}

// Metadata stays with a key when its value changes, goes with it, and changes its version.
func TestMetadata(t *testing.T) {
	each(t, false, func(t *testing.T, spec string) {
		cfg := Config{Dir: t.TempDir(), Channel: "ch1"}
		l := open(t, spec, cfg)
		c := &chain{t: t}
		meta := func(key string, values ...string) tx {
			w := &kvrwsetpb.KVMetadataWrite{Key: key}
			for _, v := range values {
				w.Entries = append(w.Entries, &kvrwsetpb.KVMetadataEntry{Name: "policy", Value: []byte(v)})
			}
			return tx{set: &kvrwsetpb.KVRWSet{MetadataWrites: []*kvrwsetpb.KVMetadataWrite{w}}}
		}
		entries := func(values ...string) (raw []byte) {
			for _, v := range values {
				e, err := proto.Marshal(&kvrwsetpb.KVMetadataEntry{Name: "policy", Value: []byte(v)})
				if err != nil {
					t.Fatal(err)
				}
				raw = protowire.AppendBytes(protowire.AppendTag(raw, 2, protowire.BytesType), e)
			}
			return raw
		}
		want := func(key, value string, block, transaction uint64, metadata []byte) {
			t.Helper()
			v, err := l.State(t.Context(), "basic", key)
			if err != nil || string(v.Value) != value || !bytes.Equal(v.Metadata, metadata) ||
				v.Block != event.BlockNum(block) || v.Transaction != int(transaction) {
				t.Errorf("%s is %+v, %v, want %q with %q by %d/%d", key, v, err, value, metadata, block, transaction)
			}
		}
		commit(t, l, c.genesis())
		commit(t, l, c.block(put("a", "1"), put("b", "1"), meta("a", "x"), meta("none", "x")))
		want("a", "1", 1, 2, entries("x"))
		want("b", "1", 1, 1, nil)
		if _, err := l.State(t.Context(), "basic", "none"); !errors.Is(err, ErrNotFound) {
			t.Errorf("metadata made a key: %v", err)
		}
		if k, _ := parse(spec); !k.backend.InMemory { // that the namespace has metadata must be remembered
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			l = open(t, spec, cfg)
		}
		commit(t, l, c.block(put("a", "2"), tx{set: &kvrwsetpb.KVRWSet{Reads: []*kvrwsetpb.KVRead{reads("a", 1, 2)}}}))
		wantCodes(t, l, 2, 0, mvcc11)
		want("a", "2", 2, 0, entries("x"))
		commit(t, l, c.block(meta("a", "y", "z")))
		want("a", "2", 3, 0, entries("y", "z"))
		commit(t, l, c.block(meta("a")))
		want("a", "2", 4, 0, nil)
		commit(t, l, c.block(meta("a", "x"), tx{set: &kvrwsetpb.KVRWSet{Writes: []*kvrwsetpb.KVWrite{deletes("a")}}}))
		commit(t, l, c.block(put("a", "3")))
		want("a", "3", 6, 0, nil)
		check(t, l)
		var blocks []event.BlockNum
		err := l.History(t.Context(), "basic", "a", func(v Value) bool { blocks = append(blocks, v.Block); return true })
		if err != nil || !slices.Equal(blocks, []event.BlockNum{1, 2, 5, 6}) {
			t.Errorf("history has the blocks %d, %v: metadata is not in it", blocks, err)
		}
	})
}

// The hashes of a private collection are validated and kept like keys; they have no history.
func TestCollections(t *testing.T) {
	l := open(t, Memory, Config{Channel: "ch1"})
	c := &chain{t: t}
	collection := func(reads []*kvrwsetpb.KVRead, writes ...*kvrwsetpb.KVWrite) tx {
		return tx{spoil: func(p *parts) {
			// Of the shape of a HashedRWSet: reads 1, writes 2.
			var hashed []byte
			for _, r := range reads {
				hashed = protowire.AppendBytes(protowire.AppendTag(hashed, 1, protowire.BytesType), c.marshal(r))
			}
			for _, w := range writes {
				hashed = protowire.AppendBytes(protowire.AppendTag(hashed, 2, protowire.BytesType), c.marshal(w))
			}
			p.results = c.marshal(&rwsetpb.TxReadWriteSet{NsRwset: []*rwsetpb.NsReadWriteSet{{
				Namespace:             "basic",
				CollectionHashedRwset: []*rwsetpb.CollectionHashedReadWriteSet{{CollectionName: "secret", HashedRwset: hashed}},
			}}})
		}}
	}
	commit(t, l, c.genesis())
	commit(t, l, c.block(collection(nil, puts("hash", "of the value"))))
	read := []*kvrwsetpb.KVRead{reads("hash", 1, 0)}
	commit(t, l, c.block(collection(read), collection(read, deletes("hash")), collection(read)))
	wantCodes(t, l, 2, 0, 0, mvcc11)
	commit(t, l, c.block(collection([]*kvrwsetpb.KVRead{reads("hash")}, puts("hash", "again"))))
	wantCodes(t, l, 3, 0)
	if v, err := l.State(t.Context(), "basic$$hsecret", "hash"); err != nil || string(v.Value) != "again" {
		t.Errorf("the hash is %q, %v", v.Value, err)
	}
	err := l.History(t.Context(), "basic$$hsecret", "hash", func(Value) bool { t.Error("a hash has a history"); return true })
	if err != nil {
		t.Error(err)
	}
	check(t, l)
}
