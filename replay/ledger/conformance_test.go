package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	kvrwsetpb "github.com/blockreel/blockreel/internal/fabric/proto/kvrwset"
	"github.com/blockreel/blockreel/replay/block"
	"github.com/blockreel/blockreel/replay/ledger/couch/couchtest"
	"github.com/blockreel/blockreel/traces/event"
)

// A subject is a ledger that the suite below is run on.
type subject struct {
	spec string
	// server starts what the spec needs and gives the spec with its address; it skips
	// the test where that is not installed. Nil: nothing is needed.
	server func(t testing.TB) (spec string)
}

// subjects has at least one spec of every backend.
var subjects = []subject{
	{spec: Memory},
	{spec: Badger},
	{spec: BadgerNoSync},
	{spec: "leveldb"},
	{spec: "leveldb:sync=false"},
	{spec: "couchdb", server: func(t testing.TB) string { return "couchdb:url=" + couchtest.Start(t) }},
	{spec: "couchdb:pouchdb", server: func(t testing.TB) string { return "couchdb:url=" + couchtest.StartPouchDB(t) }},
	{spec: "pebble"},
	{spec: "pebble:sync=false"},
	{spec: "bbolt"},
	{spec: "bbolt:sync=false"},
}

// each runs a test on every subject, at the same time; with onlyFiles not on those in memory.
func each(t *testing.T, onlyFiles bool, test func(t *testing.T, spec string)) {
	for _, s := range subjects {
		t.Run(s.spec, func(t *testing.T) {
			t.Parallel() // much of it is waiting for the disk and for processes
			if testing.Short() && s.spec != Badger && hasUnsynced(s.spec) {
				t.Skip("waits for the disk; badger does so for all")
			}
			spec := s.spec
			if s.server != nil {
				spec = s.server(t)
			}
			k, err := parse(spec)
			if err != nil {
				t.Fatal(err)
			}
			if onlyFiles && k.backend.InMemory {
				t.Skip("keeps nothing")
			}
			test(t, spec)
		})
	}
}

const notSynced = ":sync=false"

// hasUnsynced: another subject is the same, but does not wait for the disk.
func hasUnsynced(spec string) bool {
	return slices.ContainsFunc(subjects, func(s subject) bool { return s.spec == spec+notSynced })
}

// whateverSync skips a subject that differs from another in nothing but durability.
func whateverSync(t *testing.T, spec string) {
	t.Helper()
	if synced, ok := strings.CutSuffix(spec, notSynced); ok && (synced == Badger || !testing.Short()) {
		t.Skip("stores the same as " + synced)
	}
}

func TestEveryBackendIsASubject(t *testing.T) {
	for _, b := range List() {
		is := func(s subject) bool { return strings.HasPrefix(s.spec+":", b.Name+":") }
		if b.IsStore() && !slices.ContainsFunc(subjects, is) {
			t.Errorf("%s is not among the subjects of the conformance suite", b.Name)
		}
		if b.IsStore() && b.Durability == "" {
			t.Errorf("%s does not say when a block is on the disk", b.Name)
		}
		if b.About == "" || b.Timing == "" {
			t.Errorf("%s does not say what it is, or how it is timed", b.Name)
		}
		for _, o := range b.Options {
			if o.About == "" || o.Kind != Text && o.Kind != URL && o.Default == "" {
				t.Errorf("%s: option %s has no default or does not say what it is", b.Name, o.Name)
			}
			if o.Kind != Text && o.Kind != URL {
				if _, err := o.parse(o.Default); err != nil {
					t.Errorf("%s: option %s: its default is refused: %v", b.Name, o.Name, err)
				}
			}
		}
	}
}

func TestMadeUpBlocks(t *testing.T) {
	each(t, false, func(t *testing.T, spec string) {
		l := open(t, spec, Config{Dir: t.TempDir(), Channel: "ch1", First: 4})
		if l.Name() != spec || l.Height() != 4 || l.First() != 4 {
			t.Fatalf("new ledger is %s at height %d, want %s at 4", l.Name(), l.Height(), spec)
		}
		for n := event.BlockNum(4); n < 40; n++ {
			s := commit(t, l, testBlock(n))
			if min(s.StateValidation, s.BlockStore, s.StateCommit, s.HistoryCommit) <= 0 {
				t.Fatalf("block %d: stages %+v", n, s)
			}
			if l.Height() != n.Height() {
				t.Fatalf("height %d after block %d", l.Height(), n)
			}
		}
		check(t, l)
		b, err := l.Block(t.Context(), 39)
		if err != nil || b.Bytes != testBlock(39).Bytes || !b.MadeUp || len(b.Contents) != testBlock(39).Transactions {
			t.Errorf("block 39 comes back as %d bytes, made up %v, %v", b.Bytes, b.MadeUp, err)
		}
		if again, err := l.BlockByHash(t.Context(), b.Hash); err != nil || again.Number != 39 {
			t.Errorf("by its hash: block %d, %v", again.Number, err)
		}
		if _, err := l.Block(t.Context(), 40); !errors.Is(err, ErrNotFound) {
			t.Errorf("block above the height: %v", err)
		}
		if r := l.Report(); r.Blocks != 36 || r.MadeUp != 36 || r.Compared != 0 || r.Codes[valid] != r.Transactions {
			t.Errorf("report %+v", r)
		}
	})
}

// Blocks of real transactions: what one reads must be what those before it wrote, and what
// is read back must be what was written.
func TestTransactions(t *testing.T) {
	each(t, false, func(t *testing.T, spec string) {
		l := open(t, spec, Config{Dir: t.TempDir(), Channel: "ch1"})
		c := &chain{t: t}
		commit(t, l, c.genesis())
		commit(t, l, c.block(put("a", "one"), put("b", "two")))
		reader := func(write string, rs ...*kvrwsetpb.KVRead) tx {
			return tx{set: &kvrwsetpb.KVRWSet{Reads: rs, Writes: []*kvrwsetpb.KVWrite{puts(write, "by "+write)}}}
		}
		commit(t, l, c.block(
			reader("c", reads("a", 1, 0)),                                           // 0: what is there
			reader("d", reads("c")),                                                 // 1: written by 0
			reader("e", reads("a", 1, 1)),                                           // 2: another version
			reader("f", reads("e"), reads("b", 1, 1)),                               // 3: e was not written, 2 is not valid
			tx{set: &kvrwsetpb.KVRWSet{Writes: []*kvrwsetpb.KVWrite{deletes("a")}}}, // 4
			reader("g", reads("a", 1, 0)),                                           // 5: deleted by 4
		))
		wantCodes(t, l, 2, 0, 11, 11, 0, 0, 11)
		commit(t, l, c.block(reader("a", reads("a")), reader("h", reads("c", 2, 0))))
		wantCodes(t, l, 3, 0, 0)
		check(t, l)
		for key, want := range map[string]string{"a": "by a", "b": "two", "c": "by c", "f": "by f", "d": "", "e": "", "g": ""} {
			v, err := l.State(t.Context(), "basic", key)
			if want == "" != errors.Is(err, ErrNotFound) || string(v.Value) != want {
				t.Errorf("state of %s is %q, %v, want %q", key, v.Value, err, want)
			}
		}
		var got []string
		err := l.History(t.Context(), "basic", "a", func(v Value) bool {
			got = append(got, fmt.Sprintf("%d/%d %q %v", v.Block, v.Transaction, v.Value, v.Deleted))
			at, err := l.Transaction(t.Context(), v.TxID)
			if err != nil || at.Block != v.Block || at.Transaction != v.Transaction {
				t.Errorf("transaction %s is at %+v, %v", v.TxID, at, err)
			}
			return true
		})
		want := []string{`1/0 "one" false`, `2/4 "" true`, `3/0 "by a" false`}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("history of a is %q, %v, want %q", got, err, want)
		}
	})
}

func wantCodes(t testing.TB, l *Ledger, n event.BlockNum, want ...byte) {
	t.Helper()
	b, err := l.Block(context.Background(), n)
	if err != nil {
		t.Fatal(err)
	}
	var got []byte
	for _, x := range b.Contents {
		got = append(got, byte(x.Code))
	}
	if !bytes.Equal(got, want) {
		t.Errorf("block %d: validation codes %v, want %v", n, got, want)
	}
}

func TestRefused(t *testing.T) {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	each(t, false, func(t *testing.T, spec string) {
		l := open(t, spec, Config{Dir: t.TempDir(), Channel: "ch1"})
		ctx := t.Context()
		c := &chain{t: t}
		commit(t, l, c.genesis())
		c.previous = nil
		other := c.block()
		fork := c.block()
		fork.Number = 1
		for _, c := range []struct {
			block block.Block
			want  string
		}{
			{block.Block{Number: 0}, "wants block 1"},
			{block.Block{Number: 2}, "wants block 1"},
			{block.Block{Number: 1, Transactions: -1}, "transactions"},
			{block.Block{Number: 1, Transactions: MaxBlockTransactions + 1}, "transactions"},
			{block.Block{Number: 1, Writes: MaxBlockWrites + 1}, "writes"},
			{block.Block{Number: 1, Bytes: math.MinInt}, "bytes"},
			{block.Block{Number: 1, Bytes: MaxBlockBytes + 1}, "bytes"},
			{block.Block{Number: 1, Payload: []byte("no block")}, "malformed"},
			{*fork, "its payload is block 2"},
			{*other, "forks"},
		} {
			if err := l.Validate(ctx, &c.block); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("block %d: error %v, want one about %q", c.block.Number, err, c.want)
			}
			if _, err := l.Commit(ctx, &c.block); err == nil {
				t.Errorf("a refused block %d was committed", c.block.Number)
			}
		}
		if _, err := l.Commit(ctx, testBlock(1)); err == nil {
			t.Error("commit without validation went through")
		}
		if err := l.Validate(ended, testBlock(1)); !errors.Is(err, context.Canceled) {
			t.Errorf("validation after the end: %v", err)
		}
		commit(t, l, testBlock(1))
		check(t, l)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if err := l.Validate(ctx, testBlock(2)); !errors.Is(err, errClosed) {
			t.Errorf("a closed ledger says %v of a block", err)
		}
		_, err := l.Block(ctx, 0)
		if _, stateErr := l.State(ctx, "basic", "a"); !errors.Is(err, errClosed) || !errors.Is(stateErr, errClosed) {
			t.Errorf("a closed ledger says %v and %v when it is read", err, stateErr)
		}
		if err := l.Close(); err != nil {
			t.Errorf("second close: %v", err)
		}
	})
}

// The entries of one block, cut by a crash: at every cut, Open must come back to a
// whole ledger, at the old height or the new one.
func TestCutBatch(t *testing.T) {
	each(t, true, func(t *testing.T, spec string) {
		if hasUnsynced(spec) {
			t.Skip("takes the time of many durable writes, and stores the same as " + spec + notSynced)
		}
		cuts := 1
		for cut := 0; cut <= cuts; cut++ {
			cfg := Config{Dir: t.TempDir(), Channel: "ch1"}
			l := open(t, spec, cfg)
			c := &chain{t: t}
			commit(t, l, c.genesis())
			commit(t, l, c.block(put("a", "1"), put("b", "1")))
			cutter := &cutStore{l.store, cut, 0}
			l.store = cutter
			b := c.block(
				tx{set: &kvrwsetpb.KVRWSet{
					Reads:  []*kvrwsetpb.KVRead{reads("a", 1, 0)},
					Writes: []*kvrwsetpb.KVWrite{puts("a", "2"), deletes("b"), puts("c", "2")},
				}},
				tx{set: &kvrwsetpb.KVRWSet{
					Reads:  []*kvrwsetpb.KVRead{reads("a", 1, 0)},
					Writes: []*kvrwsetpb.KVWrite{puts("a", "3")},
				}},
			)
			if err := l.Validate(t.Context(), b); err != nil {
				t.Fatal(err)
			}
			if _, err := l.Commit(t.Context(), b); !errors.Is(err, errCut) {
				t.Fatalf("cut %d: commit: %v", cut, err)
			}
			if err := l.Validate(t.Context(), b); !errors.Is(err, errCut) {
				t.Fatalf("cut %d: a ledger whose write failed goes on: %v", cut, err)
			}
			cuts = cutter.entries
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			l = open(t, spec, cfg)
			want := event.Height(2)
			if cut > 0 {
				want++
			}
			if l.Height() != want {
				t.Fatalf("cut %d: height %d after the crash, want %d", cut, l.Height(), want)
			}
			check(t, l)
			if cut == 0 {
				commit(t, l, b)
			}
			wantCodes(t, l, 2, 0, 11)
			commit(t, l, c.block(tx{set: &kvrwsetpb.KVRWSet{
				Reads: []*kvrwsetpb.KVRead{reads("a", 2, 0), reads("b"), reads("c", 2, 0)},
			}}))
			wantCodes(t, l, 3, 0)
			check(t, l)
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

var errCut = errors.New("cut")

// cutStore writes the first entries of a batch and fails.
type cutStore struct {
	store
	cut, entries int
}

func (c *cutStore) write(ctx context.Context, b *batch) error {
	head, tail := split(b, c.cut)
	for range tail.all() {
		c.entries++
	}
	c.entries += c.cut
	if c.cut > 0 {
		if err := c.store.write(ctx, head); err != nil {
			return err
		}
	}
	return errCut
}

// split gives the first entries of a batch, and the others.
func split(b *batch, at int) (head, tail *batch) {
	head, tail = &batch{data: b.data}, &batch{data: b.data}
	for t, part := range b.parts {
		n := min(at, len(part))
		head.parts[t], tail.parts[t] = part[:n], part[n:]
		at -= n
	}
	return head, tail
}

func TestReopen(t *testing.T) {
	each(t, true, func(t *testing.T, spec string) {
		dir := filepath.Join(t.TempDir(), "peer", "ch1")
		cfg := Config{Dir: dir, Channel: "ch1", First: 7}
		l := open(t, spec, cfg)
		commit(t, l, testBlock(7))
		if _, err := Open(spec, cfg); err == nil || !strings.Contains(err.Error(), dir) {
			t.Errorf("opened twice: %v", err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(spec, Config{Dir: dir, Channel: "ch2"}); err == nil || !strings.Contains(err.Error(), `"ch1"`) {
			t.Errorf("opened for another channel: %v", err)
		}
		l = open(t, spec, Config{Dir: dir, Channel: "ch1", First: 99})
		if l.Height() != 8 || l.First() != 7 {
			t.Errorf("height %d, first block %d, want 8 and 7", l.Height(), l.First())
		}
		commit(t, l, testBlock(8))
		check(t, l)
		if bytes, err := DiskBytes(dir); err != nil || bytes < int64(testBlock(7).Bytes+testBlock(8).Bytes) {
			t.Errorf("%d bytes on the disk, %v", bytes, err)
		}
		if _, err := Open(spec, Config{Channel: "ch1"}); err == nil {
			t.Error("a ledger without a directory was opened")
		}
	})
}

func TestBigValuesAndEmptyBlocks(t *testing.T) {
	each(t, false, func(t *testing.T, spec string) {
		cfg := Config{Dir: t.TempDir(), Channel: "ch1"}
		l := open(t, spec, cfg)
		c := &chain{t: t}
		size := 10 << 20
		if testing.Short() && strings.HasPrefix(spec, "couchdb") {
			size = 1 << 20 // JSON takes its time
		}
		big := strings.Repeat("0123456789abcdef", size/16)
		commit(t, l, c.genesis())
		commit(t, l, c.seal(nil))
		commit(t, l, c.block(put("big", big), put("small", "x"), put("none", "")))
		commit(t, l, c.seal(nil))
		want := event.Height(4)
		if k, _ := parse(spec); !k.backend.InMemory {
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			l = open(t, spec, cfg)
		}
		if l.Height() != want {
			t.Fatalf("height %d, want %d", l.Height(), want)
		}
		check(t, l)
		if v, err := l.State(t.Context(), "basic", "big"); err != nil || string(v.Value) != big {
			t.Errorf("a value of %d bytes comes back with %d, %v", size, len(v.Value), err)
		}
		if v, err := l.State(t.Context(), "basic", "small"); err != nil || string(v.Value) != "x" {
			t.Errorf("a small value comes back as %q, %v", v.Value, err)
		}
		if v, err := l.State(t.Context(), "basic", "none"); !errors.Is(err, ErrNotFound) {
			t.Errorf("an empty value, which is a deletion, comes back as %q, %v", v.Value, err)
		}
		if b, err := l.Block(t.Context(), 3); err != nil || b.Transactions != 0 {
			t.Errorf("an empty block comes back with %d transactions, %v", b.Transactions, err)
		}
	})
}
