package ledger

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/blockreel/blockreel/replay/block"
	"github.com/blockreel/blockreel/traces/event"
)

func TestMain(m *testing.M) {
	commitUntilKilled() // returns unless this is the child of TestKill
	openDamaged()       // or of TestHostileDirectories
	commitWatched()     // or of TestSyncs
	measureFootprint()  // or of TestFootprint
	goleak.VerifyTestMain(m,
		// Badger's caches start these and never stop them.
		goleak.IgnoreAnyFunction("github.com/golang/glog.(*fileSink).flushDaemon"),
		// goleveldb's end a second after Close.
		goleak.IgnoreTopFunction("github.com/syndtr/goleveldb/leveldb.(*DB).mpoolDrain"),
	)
}

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

// Check must see each kind of damage, or the tests above prove nothing.
func TestCheckSeesDamage(t *testing.T) {
	b := &block.Block{Number: 1, Transactions: 2, Writes: 2, Bytes: 100}
	blockKey := string(appendNumber(nil, 1))
	for name, damage := range map[string]func(m *memory, l *Ledger){
		"no block":    func(m *memory, _ *Ledger) { delete(m.tables[blockTable], blockKey) },
		"other bytes": func(m *memory, _ *Ledger) { m.tables[blockTable][blockKey][blockHeader+2]++ },
		"other hash":  func(m *memory, _ *Ledger) { m.tables[blockTable][blockKey][10]++ },
		"no index": func(m *memory, l *Ledger) {
			delete(m.tables[indexTable], string(appendTransactionKey(nil, l.next.transactions[1].TxID)))
		},
		"no hash": func(m *memory, l *Ledger) { delete(m.tables[indexTable], string(appendHashKey(nil, &l.tip))) },
		"old state": func(m *memory, l *Ledger) {
			key := appendStateKey(nil, madeUpNamespace, l.made.appendKey(nil, 1, 1))
			m.recent[1].values[m.values[string(key)].at+4+7]--
		},
		"no state": func(m *memory, l *Ledger) {
			delete(m.values, string(appendStateKey(nil, madeUpNamespace, l.made.appendKey(nil, 1, 1))))
		},
		"no history": func(m *memory, l *Ledger) {
			key := appendHistoryPrefix(nil, madeUpNamespace, l.made.appendKey(nil, 1, 0))
			delete(m.tables[historyTable], string(version{1, 0}.append(key)))
		},
		"low height": func(_ *memory, l *Ledger) { l.height-- },
	} {
		t.Run(name, func(t *testing.T) {
			l := open(t, Memory, Config{Channel: "ch1"})
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

// Damage stops the run instead of letting the ledger grow.
func TestDamageStopsTheLedger(t *testing.T) {
	for block := range event.BlockNum(3) {
		l := open(t, Memory, Config{Channel: "ch1"})
		commit(t, l, testBlock(0))
		key := appendStateKey(nil, madeUpNamespace, l.made.appendKey(nil, 1, 0))
		value := stateValue{version: version{block, 0}}
		l.store.(*memory).tables[stateTable][string(key)] = value.append(nil)
		if err := l.Validate(t.Context(), testBlock(1)); err != nil {
			t.Fatal(err)
		}
		_, err := l.Commit(t.Context(), testBlock(1))
		if block == 0 {
			if err != nil {
				t.Errorf("state of an earlier block: %v", err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), "damaged") || l.Height() != 1 {
			t.Errorf("state of block %d: %v at height %d, want damage at 1", block, err, l.Height())
		}
	}
}

// A trace may have payloads of some of its blocks only.
func TestSomePayloads(t *testing.T) {
	l := open(t, Memory, Config{Channel: "ch1"})
	c := &chain{t: t}
	commit(t, l, c.genesis())
	commit(t, l, testBlock(1))
	c.next = 2
	commit(t, l, c.block(put("a", "1")))
	commit(t, l, testBlock(3))
	check(t, l)
	c.next = 2
	if err := l.Validate(t.Context(), c.block()); err == nil {
		t.Error("an old block was taken")
	}
	if r := l.Report(); r.Blocks != 4 || r.MadeUp != 2 {
		t.Errorf("%d blocks, %d of them made up", r.Blocks, r.MadeUp)
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

func TestSynthesizedBlocksAreTheSame(t *testing.T) {
	read := func(channel string) []byte {
		l := open(t, "memory", Config{Channel: channel})
		commit(t, l, &block.Block{Transactions: 1, Bytes: 3 * poolBytes / 2})
		b, err := l.Block(t.Context(), 0)
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
		"badger:compression=zstd,sync=false": "badger:sync=false,compression=zstd", "badger:cache=64MB": "badger:cache=64MB",
		"badger:": "badger", "memory:blocks=256": "memory",
	} {
		if got, err := Parse(spec); got != want || err != nil {
			t.Errorf("Parse(%q) = %q, %v, want %q", spec, got, err, want)
		}
	}
	for spec, want := range map[string]string{
		"granite":                       "choose one of recorded, memory, badger",
		"":                              "choose one of",
		"memory:sync=1":                 "choose one of blocks",
		"memory:blocks=0":               "of 1 to",
		"badger:fast":                   "choose one of sync",
		"badger:sync":                   "write sync=true",
		"badger:sync=off":               "choose true or false",
		"badger:sync=true,sync=true":    "given twice",
		"badger:compression=gzip":       "none, snappy, zstd",
		"badger:cache=1":                "of 1MB to 1GB",
		"badger:cache=99999999999999GB": "of 1MB to 1GB",
		"recorded":                      "cannot be opened",
		"couchdb:timeout=0s":            "a time above 0",
	} {
		if _, err := Parse(spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%q): error %v, want one with %q", spec, err, want)
		}
	}
	if got, want := ParseList("badger:sync=false,compression=zstd,memory,badger"), []string{"badger:sync=false,compression=zstd", "memory", "badger"}; !slices.Equal(got, want) {
		t.Errorf("the list is %q, want %q", got, want)
	}
	if !Durable(Badger) || Durable(BadgerNoSync) || Durable(Memory) || Durable("granite") {
		t.Error("of these badger alone is durable")
	}
}
