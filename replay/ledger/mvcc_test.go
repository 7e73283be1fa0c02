package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
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
	if r := l.Report(); r.AdoptedPast != 1 || r.Different != 0 || r.Believed == 0 {
		t.Errorf("report %+v", r)
	}
	check(t, l)
}

// What the peer says of a range query is taken over even if all that it saw is known: it may
// have seen less than there was.
func TestBelievedRangeQueries(t *testing.T) {
	l := open(t, Memory, Config{Channel: "ch1", First: 10})
	c := &chain{t: t, next: 10}
	commit(t, l, c.block(put("m1", "1")))
	q := query("m", "n", true, reads("m1", 10, 0))
	c.flags = []byte{0, phantom12, 0}
	commit(t, l, c.block(q, q, query("n", "o", true)))
	wantCodes(t, l, 11, 0, phantom12, 0)
	// A read of another namespace that is a conflict here came second at the peer.
	both := tx{spoil: func(p *parts) {
		set := &rwsetpb.TxReadWriteSet{}
		for namespace, s := range map[string]*kvrwsetpb.KVRWSet{
			"basic": {RangeQueriesInfo: q.set.RangeQueriesInfo}, "other": {Reads: []*kvrwsetpb.KVRead{reads("a", 10, 9)}},
		} {
			set.NsRwset = append(set.NsRwset, &rwsetpb.NsReadWriteSet{Namespace: namespace, Rwset: c.marshal(s)})
		}
		slices.SortFunc(set.NsRwset, func(a, b *rwsetpb.NsReadWriteSet) int { return strings.Compare(a.Namespace, b.Namespace) })
		p.results = c.marshal(set)
	}}
	c.flags = []byte{phantom12, mvcc11}
	commit(t, l, c.block(both, both))
	wantCodes(t, l, 12, phantom12, mvcc11)
	if r := l.Report(); r.AdoptedPast != 2 || r.Different != 0 || r.Believed != 5 {
		t.Errorf("report %+v", r)
	}
}

func metadata(key string, values ...string) tx {
	w := &kvrwsetpb.KVMetadataWrite{Key: key}
	for _, v := range values {
		w.Entries = append(w.Entries, &kvrwsetpb.KVMetadataEntry{Name: "policy", Value: []byte(v)})
	}
	return tx{set: &kvrwsetpb.KVRWSet{MetadataWrites: []*kvrwsetpb.KVMetadataWrite{w}}}
}

// Metadata of a key that may be from before the first block gives it a version, if it is.
func TestMetadataFromBefore(t *testing.T) {
	each(t, false, func(t *testing.T, spec string) {
		whateverSync(t, spec)
		cfg := Config{Dir: t.TempDir(), Channel: "ch1", First: 10}
		l := open(t, spec, cfg)
		c := &chain{t: t, next: 10}
		reader := func(rs ...*kvrwsetpb.KVRead) tx { return tx{set: &kvrwsetpb.KVRWSet{Reads: rs}} }
		commit(t, l, c.block(
			metadata("k", "x"),
			reader(reads("k")),       // it may not be there
			reader(reads("k", 3, 0)), // if it was, the version is another one now
			query("k", "l", true),
			query("k", "l", true, reads("k", 3, 0)),
		))
		wantCodes(t, l, 10, 0, 0, mvcc11, 0, phantom12)
		if k, _ := parse(spec); !k.backend.InMemory {
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			l = open(t, spec, cfg)
		}
		if _, err := l.State(t.Context(), "basic", "k"); !errors.Is(err, ErrNotFound) {
			t.Errorf("a value that nobody knows: %v", err)
		}
		commit(t, l, c.block(
			reader(reads("k", 10, 0)), reader(reads("k")), reader(reads("k", 3, 0)), reader(reads("k", 10, 1)),
			query("k", "l", true, reads("k", 10, 0)), query("k", "l", true), query("k", "l", true, reads("k", 3, 0)),
		))
		wantCodes(t, l, 11, 0, 0, mvcc11, mvcc11, 0, 0, phantom12)
		commit(t, l, c.block(metadata("k", "y"), put("k", "1")))
		check(t, l)
		commit(t, l, c.block(reader(reads("k", 12, 1)), reader(reads("k")), reader(reads("k", 12, 0))))
		wantCodes(t, l, 13, 0, mvcc11, mvcc11)
		if v, err := l.State(t.Context(), "basic", "k"); err != nil || string(v.Value) != "1" || len(v.Metadata) == 0 {
			t.Errorf("k is %+v, %v", v, err)
		}
		check(t, l)
	})
}

// The commit hash of a block that gives a key whose value is not here another version cannot be
// compared with the peer's; that of others can.
func TestHashOfUnknownValues(t *testing.T) {
	l := open(t, Memory, Config{Channel: "ch1", First: 10})
	c := &chain{t: t, next: 10}
	for i, x := range []tx{put("a", "1"), metadata("k", "x"), put("a", "2")} {
		c.commitHash = bytes.Repeat([]byte{byte(1 + i)}, 32)
		commit(t, l, c.block(x))
	}
	if r := l.Report(); r.ComparedHashes != 1 || r.FirstDifferent != 12 {
		t.Errorf("%d commit hashes compared, the first that differs is that of block %d, want only block 12", r.ComparedHashes, r.FirstDifferent)
	}
}

// A block that is committed again after a crash makes the same state, wherever it was cut.
func TestMetadataAfterACrash(t *testing.T) {
	states := func(l *Ledger) (all []string) {
		err := l.store.scan(t.Context(), stateTable, nil, nil, func(k, v []byte) bool {
			all = append(all, fmt.Sprintf("%q %q", k, v))
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	var want []string
	cuts := 1
	for cut := -1; cut <= cuts; cut++ { // the first one is not cut
		cfg := Config{Dir: t.TempDir(), Channel: "ch1"}
		l := open(t, "leveldb:sync=false", cfg)
		c := &chain{t: t}
		commit(t, l, c.genesis())
		commit(t, l, c.block(put("b", "1"), put("c", "1")))
		b := c.block(
			metadata("a", "x"), put("a", "1"), // has no value yet, so it gets no metadata
			metadata("b", "x"), put("b", "2"),
			put("c", "2"), metadata("c", "x"), metadata("c", "y"),
			tx{set: &kvrwsetpb.KVRWSet{Writes: []*kvrwsetpb.KVWrite{deletes("d")}}}, metadata("d", "x"),
		)
		if cut < 0 {
			commit(t, l, b)
			want = states(l)
			continue
		}
		cutter := &cutStore{l.store, cut, 0}
		l.store = cutter
		if err := l.Validate(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Commit(t.Context(), b); !errors.Is(err, errCut) {
			t.Fatalf("cut %d: %v", cut, err)
		}
		cuts = cutter.entries
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		l = open(t, "leveldb:sync=false", cfg)
		if cut == 0 {
			commit(t, l, b)
		}
		if got := states(l); !slices.Equal(got, want) {
			t.Errorf("cut %d: the state is\n%s\nwant\n%s", cut, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		check(t, l)
	}
}

// stuckStore does not answer the first scan of the state: the reader gives up.
type stuckStore struct {
	store
	stuck  bool
	cancel func()
}

func (s *stuckStore) scan(ctx context.Context, t table, from, to []byte, each func(key, value []byte) bool) error {
	if s.stuck && t == stateTable {
		s.stuck = false
		s.cancel()
		if ctx.Err() == nil {
			return errors.New("the reader cannot give up")
		}
		return ctx.Err()
	}
	return s.store.scan(ctx, t, from, to, each)
}

// A commit whose state cannot be read is given up, and leaves nothing behind: not even that
// a namespace has metadata.
func TestCommitIsGivenUp(t *testing.T) {
	cfg := Config{Dir: t.TempDir(), Channel: "ch1"}
	l := open(t, "leveldb:sync=false", cfg)
	c := &chain{t: t}
	commit(t, l, c.genesis())
	commit(t, l, c.block(put("k", "1")))
	ctx, cancel := context.WithCancel(t.Context())
	l.store = &stuckStore{l.store, true, cancel}
	b := c.block(metadata("k", "x"), query("m", "n", true))
	if err := l.Validate(ctx, b); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Commit(ctx, b); !errors.Is(err, context.Canceled) {
		t.Fatalf("the commit says %v", err)
	}
	if l.Height() != 2 {
		t.Errorf("height %d", l.Height())
	}
	commit(t, l, b)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, "leveldb:sync=false", cfg)
	commit(t, l, c.block(put("k", "2")))
	if v, err := l.State(t.Context(), "basic", "k"); err != nil || len(v.Metadata) == 0 {
		t.Errorf("k is %+v, %v: its metadata is lost", v, err)
	}
	check(t, l)
}

// What a transaction claims of the namespace without a name is not taken for what the ledger
// keeps there.
func TestNamelessNamespace(t *testing.T) {
	each(t, false, func(t *testing.T, spec string) {
		whateverSync(t, spec)
		cfg := Config{Dir: t.TempDir(), Channel: "ch1"}
		l := open(t, spec, cfg)
		c := &chain{t: t}
		nameless := func(set *kvrwsetpb.KVRWSet) tx {
			return tx{spoil: func(p *parts) {
				p.results = c.marshal(&rwsetpb.TxReadWriteSet{NsRwset: []*rwsetpb.NsReadWriteSet{{Rwset: c.marshal(set)}}})
			}}
		}
		keys := []string{"", "\x01", "\x01basic", "\x02"}
		set := &kvrwsetpb.KVRWSet{}
		again := &kvrwsetpb.KVRWSet{}
		for _, k := range keys {
			set.Reads = append(set.Reads, reads(k))
			set.Writes = append(set.Writes, puts(k, "value"))
			again.Reads = append(again.Reads, reads(k, 1, 0))
		}
		again.RangeQueriesInfo = query("", "r", true, again.Reads...).set.RangeQueriesInfo
		commit(t, l, c.genesis())
		commit(t, l, c.block(nameless(set), put("k", "1")))
		wantCodes(t, l, 1, 0, 0)
		check(t, l)
		if k, _ := parse(spec); !k.backend.InMemory {
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			l = open(t, spec, cfg)
		}
		commit(t, l, c.block(nameless(again), metadata("k", "x")))
		wantCodes(t, l, 2, 0, 0)
		check(t, l)
	})
}

// A ledger that is opened again keeps the verdicts of its last block, and not the block.
func TestReopenedLedgerIsSmall(t *testing.T) {
	cfg := Config{Dir: t.TempDir(), Channel: "ch1"}
	l := open(t, "leveldb:sync=false", cfg)
	c := &chain{t: t}
	commit(t, l, c.genesis())
	commit(t, l, c.block(put("k", strings.Repeat("v", 1<<20))))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, "leveldb:sync=false", cfg)
	if codes, _ := l.Verdict(); len(codes) != 1 || cap(codes) > 64 {
		t.Errorf("%d codes in %d bytes", len(codes), cap(codes))
	}
}

// Metadata stays with a key when its value changes, goes with it, and changes its version.
func TestMetadata(t *testing.T) {
	each(t, false, func(t *testing.T, spec string) {
		cfg := Config{Dir: t.TempDir(), Channel: "ch1"}
		l := open(t, spec, cfg)
		c := &chain{t: t}
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
		want := func(key, value string, block, transaction uint64, entries []byte) {
			t.Helper()
			v, err := l.State(t.Context(), "basic", key)
			if err != nil || string(v.Value) != value || !bytes.Equal(v.Metadata, entries) ||
				v.Block != event.BlockNum(block) || v.Transaction != int(transaction) {
				t.Errorf("%s is %+v, %v, want %q with %q by %d/%d", key, v, err, value, entries, block, transaction)
			}
		}
		commit(t, l, c.genesis())
		commit(t, l, c.block(put("a", "1"), put("b", "1"), metadata("a", "x"), metadata("none", "x")))
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
		commit(t, l, c.block(metadata("a", "y", "z")))
		want("a", "2", 3, 0, entries("y", "z"))
		commit(t, l, c.block(metadata("a")))
		want("a", "2", 4, 0, nil)
		commit(t, l, c.block(metadata("a", "x"), tx{set: &kvrwsetpb.KVRWSet{Writes: []*kvrwsetpb.KVWrite{deletes("a")}}}))
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
