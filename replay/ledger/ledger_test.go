package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/blockreel/blockreel/replay/block"
	"github.com/blockreel/blockreel/traces/event"
)

func TestMain(m *testing.M) {
	commitUntilKilled() // returns unless this is the child of TestKill
	// Badger's caches start these and never stop them.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/golang/glog.(*fileSink).flushDaemon"))
}

// stores are the specs of all backends that Open makes.
var stores = []string{Memory, Badger, BadgerNoSync}

func open(t testing.TB, spec string, cfg Config) *Ledger {
	t.Helper()
	l, err := Open(spec, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// testBlock varies in size with its number.
func testBlock(n event.BlockNum) *block.Block {
	return &block.Block{Number: n, Transactions: int(n % 12), Writes: int(n * 7 % 31), Bytes: int(n*1777) % 9000}
}

func commit(t testing.TB, l *Ledger, b *block.Block) block.Stages {
	t.Helper()
	ctx := context.Background()
	if err := l.Validate(ctx, b); err != nil {
		t.Fatal(err)
	}
	s, err := l.Commit(ctx, b)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func check(t testing.TB, l *Ledger) {
	t.Helper()
	if err := l.Check(context.Background()); err != nil {
		t.Fatalf("at height %d: %v", l.Height(), err)
	}
}

// TestStores is what every backend must do.
func TestStores(t *testing.T) {
	for _, spec := range stores {
		t.Run(spec, func(t *testing.T) {
			l := open(t, spec, Config{Dir: t.TempDir(), Channel: "ch1", First: 4})
			if l.Name() != spec || l.Height() != 4 {
				t.Fatalf("new ledger is %s at height %d, want %s at 4", l.Name(), l.Height(), spec)
			}
			for n := event.BlockNum(4); n < 40; n++ {
				s := commit(t, l, testBlock(n))
				if min(s.StateValidation, s.BlockStore, s.StateCommit, s.HistoryCommit) < 0 || spec == Badger && s.BlockStore == 0 {
					t.Fatalf("block %d: stages %+v", n, s)
				}
				if l.Height() != n.Height() {
					t.Fatalf("height %d after block %d", l.Height(), n)
				}
			}
			check(t, l)
			payload := bytes.Repeat([]byte("block"), 1000)
			commit(t, l, &block.Block{Number: 40, Transactions: 3, Bytes: 1, Payload: payload})
			b, err := l.Block(40)
			if err != nil || !bytes.Equal(b.Payload, payload) || b.Transactions != 3 {
				t.Errorf("block 40 comes back as %d transactions, %d bytes, %v", b.Transactions, len(b.Payload), err)
			}
			if b, err = l.Block(39); err != nil || b.Bytes != testBlock(39).Bytes || b.Writes != testBlock(39).Writes {
				t.Errorf("block 39 comes back as %d bytes, %d writes, %v", b.Bytes, b.Writes, err)
			}
			if _, err := l.Block(41); !errors.Is(err, errNoBlock) {
				t.Errorf("block above the height: %v", err)
			}
			check(t, l)
		})
	}
}

func TestRefused(t *testing.T) {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	for _, spec := range stores {
		t.Run(spec, func(t *testing.T) {
			l := open(t, spec, Config{Dir: t.TempDir(), Channel: "ch1"})
			ctx := context.Background()
			commit(t, l, testBlock(0))
			for _, c := range []struct {
				block block.Block
				want  string
			}{
				{block.Block{Number: 0}, "wants block 1"},
				{block.Block{Number: 2}, "wants block 1"},
				{block.Block{Number: 1, Transactions: -1}, "transactions"},
				{block.Block{Number: 1, Transactions: MaxBlockTransactions + 1}, "transactions"},
				{block.Block{Number: 1, Writes: MaxBlockWrites + 1}, "writes"},
				{block.Block{Number: 1, Bytes: event.Missing}, "bytes"},
				{block.Block{Number: 1, Bytes: MaxBlockBytes + 1}, "bytes"},
			} {
				if err := l.Validate(ctx, &c.block); err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("%+v: error %v, want one about %q", c.block, err, c.want)
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
			if err := l.Validate(ctx, testBlock(2)); err == nil {
				t.Error("a closed ledger took a block")
			}
			if err := l.Close(); err != nil {
				t.Errorf("second close: %v", err)
			}
		})
	}
}

// The parts of one block in a batch that a crash has cut: at every cut, Open must
// come back to a whole ledger, at the old height or the new one.
func TestCutBatch(t *testing.T) {
	const height = 3
	b := &block.Block{Number: height, Transactions: 3, Writes: 4, Bytes: 5000}
	entries := 1 + 3 + 4 + 4 + 1
	for cut := 0; cut <= entries; cut++ {
		t.Run(fmt.Sprint(cut), func(t *testing.T) {
			cfg := Config{Dir: t.TempDir(), Channel: "ch1"}
			l := open(t, "badger:sync=false", cfg)
			for n := range event.BlockNum(height) {
				commit(t, l, testBlock(n))
			}
			l.store = &cutStore{l.store, cut}
			if err := l.Validate(context.Background(), b); err != nil {
				t.Fatal(err)
			}
			if _, err := l.Commit(context.Background(), b); !errors.Is(err, errCut) {
				t.Fatalf("commit: %v", err)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			l = open(t, "badger:sync=false", cfg)
			want := event.Height(height)
			if cut > 0 {
				want++
			}
			if l.Height() != want {
				t.Fatalf("height %d after the crash, want %d", l.Height(), want)
			}
			check(t, l)
			commit(t, l, testBlock(event.BlockNum(l.Height())))
			check(t, l)
		})
	}
}

var errCut = errors.New("cut")

// cutStore writes the first entries of a batch and fails.
type cutStore struct {
	store
	cut int
}

func (c *cutStore) write(b *batch) error {
	if c.cut > 0 {
		head := &batch{data: b.data, entries: b.entries[:c.cut]}
		if err := c.store.write(head); err != nil {
			return err
		}
	}
	return errCut
}

// Check must see each kind of damage, or the tests above prove nothing.
func TestCheckSeesDamage(t *testing.T) {
	cfg := Config{Channel: "ch1"}
	b := &block.Block{Number: 1, Transactions: 2, Writes: 2, Bytes: 100}
	for name, damage := range map[string]func(m *memory, l *Ledger){
		"no block":     func(m *memory, _ *Ledger) { delete(m.values, string(appendBlockKey(nil, 1))) },
		"other bytes":  func(m *memory, _ *Ledger) { m.values[string(appendBlockKey(nil, 1))][blockHeader]++ },
		"other before": func(m *memory, _ *Ledger) { m.values[string(appendBlockKey(nil, 1))][10]++ },
		"no index":     func(m *memory, l *Ledger) { delete(m.values, string(appendIndexKey(nil, &l.ids[1]))) },
		"old state":    func(m *memory, l *Ledger) { m.values[string(l.made.appendStateKey(nil, 1, 1))][7]-- },
		"no history": func(m *memory, l *Ledger) {
			delete(m.values, string(appendHistoryKey(nil, l.made.appendStateKey(nil, 1, 0), 1, 0)))
		},
		"low height": func(_ *memory, l *Ledger) { l.height-- },
	} {
		t.Run(name, func(t *testing.T) {
			l := open(t, "memory", cfg)
			commit(t, l, testBlock(0))
			commit(t, l, b)
			check(t, l)
			damage(l.store.(*memory), l)
			if err := l.Check(context.Background()); err == nil {
				t.Error("Check did not see it")
			}
		})
	}
}

// A damaged ledger stops the run instead of growing.
func TestDamageStopsTheLedger(t *testing.T) {
	ctx := context.Background()
	b := testBlock(1)
	l := open(t, Memory, Config{Channel: "ch1"})
	commit(t, l, testBlock(0))
	ids := appendIDs(nil, 1, l.made.appendPayload(nil, b), b.Transactions)
	l.store.(*memory).values[string(appendIndexKey(nil, &ids[0]))] = appendVersion(nil, 0, 0)
	if err := l.Validate(ctx, b); err == nil || !strings.Contains(err.Error(), "in block 0 already") {
		t.Errorf("a transaction that was there before: %v", err)
	}

	l = open(t, Memory, Config{Channel: "ch1"})
	commit(t, l, testBlock(0))
	l.store.(*memory).values[string(l.made.appendStateKey(nil, 1, 0))] = appendVersion(nil, 2, 0)
	if err := l.Validate(ctx, b); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Commit(ctx, b); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("state from a later block: %v", err)
	}
	if l.Height() != 1 {
		t.Errorf("height %d after the failure, want 1", l.Height())
	}
}

func TestBadgerLog(t *testing.T) {
	var log bytes.Buffer
	l := open(t, Badger, Config{Dir: t.TempDir(), Channel: "ch1", Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "badger: ") {
		t.Errorf("the log has %q", log.String())
	}
}

// A block with more entries than one Badger transaction holds.
func TestBigBlock(t *testing.T) {
	if testing.Short() {
		t.Skip("writes a block of 100,000 entries")
	}
	cfg := Config{Dir: t.TempDir(), Channel: "ch1"}
	l := open(t, "badger", cfg)
	big := &block.Block{Number: 0, Transactions: 10_000, Writes: 50_000, Bytes: 12 << 20}
	if most := int(l.store.(*badgerStore).db.MaxBatchCount()); most > big.Writes {
		t.Fatalf("a transaction holds %d entries: this block is too small to test anything", most)
	}
	commit(t, l, big)
	commit(t, l, testBlock(1))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, "badger", cfg)
	if l.Height() != 2 {
		t.Fatalf("height %d, want 2", l.Height())
	}
	check(t, l)
}

func TestReopen(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "peer", "ch1")
	cfg := Config{Dir: dir, Channel: "ch1", First: 7}
	l := open(t, "badger", cfg)
	commit(t, l, testBlock(7))
	if _, err := Open("badger", cfg); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("opened twice: %v", err)
	}
	l.Close()
	if _, err := Open("badger", Config{Dir: dir, Channel: "ch2"}); err == nil || !strings.Contains(err.Error(), `"ch1"`) {
		t.Errorf("opened for another channel: %v", err)
	}
	l = open(t, "badger:sync=false", Config{Dir: dir, Channel: "ch1", First: 99})
	if l.Height() != 8 {
		t.Errorf("height %d, want 8", l.Height())
	}
	commit(t, l, testBlock(8))
	check(t, l)
}

// The memory ledger's memory is bounded: old blocks leave with their index and history.
func TestMemoryWindow(t *testing.T) {
	l := open(t, "memory", Config{Channel: "ch1"})
	b := block.Block{Transactions: 2, Writes: 3, Bytes: 50}
	for ; b.Number < 2*memoryWindow; b.Number++ {
		commit(t, l, &b)
	}
	check(t, l)
	state := 0
	m := l.store.(*memory)
	for key := range m.values {
		if key[0] == statePrefix {
			state++
		}
	}
	if got, want := len(m.values)-state, 2+memoryWindow*(1+2+3); got != want {
		t.Errorf("%d entries beside the state after %d blocks, want %d", got, b.Number, want)
	}
}

func TestSynthesizedBlocksAreTheSame(t *testing.T) {
	read := func(channel string) []byte {
		l := open(t, "memory", Config{Channel: channel})
		commit(t, l, &block.Block{Transactions: 1, Bytes: 3 * poolBytes / 2})
		b, err := l.Block(0)
		if err != nil {
			t.Fatal(err)
		}
		return b.Payload
	}
	a, b, c := read("ch1"), read("ch1"), read("ch2")
	if len(a) != 3*poolBytes/2 || !bytes.Equal(a, b) {
		t.Error("the same block of the same channel has other bytes")
	}
	if bytes.Equal(a, c) {
		t.Error("another channel's block has the same bytes")
	}
}

func TestParse(t *testing.T) {
	for spec, want := range map[string]string{
		"memory": "memory", "badger": "badger", "badger:sync=true": "badger", "badger:sync=0": "badger:sync=false",
	} {
		if got, err := Parse(spec); got != want || err != nil {
			t.Errorf("Parse(%q) = %q, %v, want %q", spec, got, err, want)
		}
	}
	for spec, want := range map[string]string{
		"leveldb":         "known are recorded, memory, badger",
		"":                "known are",
		"memory:sync=1":   "no options",
		"badger:fast":     "sync=false",
		"badger:sync=off": "sync=false",
		"recorded":        "not opened",
	} {
		if _, err := Parse(spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%q): error %v, want one with %q", spec, err, want)
		}
	}
	if _, err := Open("badger", Config{}); err == nil {
		t.Error("a badger ledger without a directory was opened")
	}
}

func BenchmarkCommit(b *testing.B) {
	for _, spec := range stores {
		b.Run(spec, func(b *testing.B) {
			l := open(b, spec, Config{Dir: b.TempDir(), Channel: "ch1"})
			blk := block.Block{Transactions: 10, Writes: 20, Bytes: 33_000}
			b.SetBytes(int64(blk.Bytes))
			b.ReportAllocs()
			for b.Loop() {
				commit(b, l, &blk)
				blk.Number++
			}
			perBlock := float64(b.Elapsed().Nanoseconds()) / float64(b.N)
			b.ReportMetric(perBlock, "ns/block")
			b.ReportMetric(perBlock/float64(blk.Transactions), "ns/tx")
			b.ReportMetric(1e9/perBlock, "blocks/s")
			b.ReportMetric(0, "ns/op")
		})
	}
}
