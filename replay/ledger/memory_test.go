package ledger

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	kvrwsetpb "github.com/blockreel/blockreel/internal/fabric/proto/kvrwset"
	"github.com/blockreel/blockreel/replay/block"
	"github.com/blockreel/blockreel/traces/event"
)

// Old blocks leave with their index and history.
func TestMemoryWindow(t *testing.T) {
	const window = 64
	l := open(t, "memory:blocks=64", Config{Channel: "ch1"})
	b := block.Block{Transactions: 3, Writes: 3, Bytes: 50}
	for ; b.Number < 3*window; b.Number++ {
		commit(t, l, &b)
	}
	check(t, l)
	m := l.store.(*memory)
	for table, want := range map[table]int{blockTable: window, indexTable: 2 + window*(1+3), stateTable: 1, historyTable: 1 + window*3} {
		if got := len(m.tables[table]); got != want {
			t.Errorf("%s: %d entries after %d blocks, want %d", table, got, b.Number, want)
		}
	}
}

// Values leave with their blocks, versions and metadata stay: what a transaction has read is
// judged as before, and nobody is told another value than the key's.
func TestForgottenValues(t *testing.T) {
	l := open(t, "memory:blocks=2", Config{Channel: "ch1"})
	c := &chain{t: t}
	value := func(key, want string) {
		t.Helper()
		v, err := l.State(t.Context(), "basic", key)
		switch {
		case want == "" && (err == nil || !strings.Contains(err.Error(), "memory:blocks")):
			t.Errorf("%s is %q, %v, want an error that names the option", key, v.Value, err)
		case want != "" && (err != nil || string(v.Value) != want):
			t.Errorf("%s is %q, %v, want %q", key, v.Value, err, want)
		}
	}
	commit(t, l, c.genesis())
	commit(t, l, c.block(put("a", "one"), put("b", "two"), put("c", "three"), metadata("c", "x")))
	value("a", "one")
	value("c", "three")
	commit(t, l, c.block())
	value("b", "two")
	commit(t, l, c.block())
	value("a", "")
	value("b", "")
	value("c", "")
	a, b, cc := reads("a", 1, 0), reads("b", 1, 1), reads("c", 1, 3)
	set := func(key string, rs ...*kvrwsetpb.KVRead) tx {
		return tx{set: &kvrwsetpb.KVRWSet{Reads: rs, Writes: []*kvrwsetpb.KVWrite{puts(key, "new")}}}
	}
	commit(t, l, c.block(
		query("a", "d", true, a, b, cc),
		set("d", a, b, cc),
		set("e", reads("a", 1, 1)), // another version
		set("c", cc),
		set("c", cc),       // written by the one before
		metadata("a", "y"), // to a value that is not here
		metadata("b", "y"),
		put("b", "newer"),
	))
	wantCodes(t, l, 4, 0, 0, mvcc11, 0, mvcc11, 0, 0, 0)
	value("a", "")
	value("b", "newer")
	value("c", "new")
	for key, want := range map[string]string{"a": "y", "b": "y", "c": "x"} {
		raw, _, err := l.get(t.Context(), stateTable, appendStateKey(nil, "basic", key))
		if s, ok := decodeState(raw); err != nil || !ok || s.version.block != 4 || !bytes.Contains(s.metadata, []byte(want)) {
			t.Errorf("%s has the metadata %q of block %d, %v, want %q of block 4", key, s.metadata, s.version.block, err, want)
		}
	}
	check(t, l)
	commit(t, l, c.block(set("f", reads("a", 4, 5), reads("b", 4, 7), reads("c", 4, 3))))
	wantCodes(t, l, 5, 0)
}

// The commit hash of a block that changes the metadata of a value that is not here cannot be
// compared with the peer's; that of others can.
func TestHashOfForgottenValues(t *testing.T) {
	l := open(t, "memory:blocks=2", Config{Channel: "ch1"})
	c := &chain{t: t}
	commit(t, l, c.genesis())
	for i, x := range []tx{put("a", "1"), put("b", "1"), put("c", "1"), metadata("a", "x"), put("a", "2")} {
		c.commitHash = bytes.Repeat([]byte{byte(1 + i)}, 32)
		commit(t, l, c.block(x))
	}
	if r := l.Report(); r.ComparedHashes != 4 {
		t.Errorf("%d commit hashes compared, want those of 4 blocks", r.ComparedHashes)
	}
}

// A ledger in memory that has all blocks is what one with few is held against: it has the same
// but for the values of the others.
func TestMemoryForgetsValuesAlone(t *testing.T) {
	const window, keys = 4, 40
	few, all := newMemory(window), newMemory(1000)
	random := rand.New(rand.NewPCG(1, 2))
	var b batch
	for n := range uint64(600) {
		b.reset()
		b.put(blockTable, appendNumber(nil, n), []byte("block"))
		for i := range random.IntN(6) {
			key := fmt.Appendf(nil, "k%02d", random.IntN(keys))
			s := stateValue{version: version{event.BlockNum(n), uint32(i)}, value: fmt.Appendf(nil, "%d of %d", i, n)}
			switch random.IntN(8) {
			case 0:
				b.delete(stateTable, key)
				continue
			case 1:
				s.deleted, s.value = true, nil
			case 2:
				s.unknown, s.value, s.metadata = true, nil, []byte("early")
			case 3, 4:
				s.metadata = fmt.Appendf(nil, "metadata of %d", n)
			}
			b.put(stateTable, key, s.append(nil))
		}
		b.put(stateTable, savepointKey, appendNumber(nil, n))
		for _, m := range []*memory{few, all} {
			if err := m.write(t.Context(), &b); err != nil {
				t.Fatal(err)
			}
		}
		if random.IntN(10) == 0 || n%100 > 50 {
			continue // scans come and go
		}
		got, want := stateOf(t, few), stateOf(t, all)
		for key, s := range want {
			if whole := s; !s.deleted && !s.unknown && n-uint64(s.version.block) >= window {
				whole.value, whole.forgotten = nil, true
				want[key] = whole
			}
		}
		same := func(a, b stateValue) bool { return fmt.Sprintf("%+v", a) == fmt.Sprintf("%+v", b) }
		if len(want) == 0 && n > 10 || !maps.EqualFunc(got, want, same) {
			t.Fatalf("after block %d the state is\n%+v\nwant\n%+v", n, got, want)
		}
	}
}

// stateOf reads the keys of a scan, which must be in order.
func stateOf(t *testing.T, m *memory) map[string]stateValue {
	t.Helper()
	state := make(map[string]stateValue)
	var keys [][]byte
	err := m.scan(t.Context(), stateTable, []byte("k"), nil, func(key, value []byte) bool {
		keys = append(keys, bytes.Clone(key))
		state[string(key)], _ = decodeState(bytes.Clone(value))
		return true
	})
	if err != nil || !slices.IsSortedFunc(keys, bytes.Compare) || len(keys) != len(state) {
		t.Fatalf("a scan gives %q, %v", keys, err)
	}
	read := 0
	err = m.read(t.Context(), stateTable, keys, func(i int, value []byte) {
		read++
		if s, ok := decodeState(value); !ok || fmt.Sprint(s) != fmt.Sprint(state[string(keys[i])]) {
			t.Errorf("%q is %+v, and in a scan %+v", keys[i], s, state[string(keys[i])])
		}
	})
	if err != nil || read != len(keys) {
		t.Fatalf("%d keys of %d can be read: %v", read, len(keys), err)
	}
	return state
}

// The keys in their order, which nobody scans as a rule, do not grow.
func TestMemoryKeys(t *testing.T) {
	m := newMemory(8)
	sized := func() int {
		n := len(m.values)
		for t := range m.tables {
			n += len(m.tables[t])
			if keys := m.order[t].keys; keys != nil {
				n += (keys.Capacity() - keys.Free()) / 16
			}
		}
		return n
	}
	const keys = 100
	most := 0
	var b batch
	for n := range uint64(1000) {
		b.reset()
		b.put(blockTable, appendNumber(nil, n), nil)
		for k := range uint64(keys) {
			key := appendNumber(nil, k)
			if b.put(historyTable, appendNumber(key, n), nil); n%2 == 0 {
				b.put(stateTable, key, (&stateValue{version: version{event.BlockNum(n), 0}, value: key}).append(nil))
			} else {
				b.delete(stateTable, key)
			}
		}
		if err := m.write(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
		if n < 500 {
			for _, of := range []table{stateTable, historyTable} {
				if err := m.scan(t.Context(), of, nil, nil, func(_, _ []byte) bool { return false }); err != nil {
					t.Fatal(err)
				}
			}
		}
		most = max(most, sized())
	}
	if bound := 3*(8+1+1)*keys + 2*orderSlack/16; most > bound {
		t.Errorf("%d keys are held, where at most %d are alive", most, (8+1)*keys)
	}
	if m.order[historyTable].keys != nil || m.order[stateTable].keys != nil {
		t.Error("an order is kept that nobody has used for long")
	}
	n := 0
	err := m.scan(t.Context(), historyTable, nil, nil, func(key, _ []byte) bool { n++; return true })
	if err != nil || n != 8*keys {
		t.Errorf("%d keys in a scan, want %d: %v", n, 8*keys, err)
	}
}

// newKeys writes blocks of new keys with values of 500 bytes, and calls each after some of them.
func newKeys(t testing.TB, m *memory, blocks uint64, each func(keys int)) {
	t.Helper()
	var b batch
	for n := range blocks {
		b.reset()
		b.put(blockTable, appendNumber(nil, n), nil)
		for i := range uint64(newKeysPerBlock) {
			value := stateValue{version: version{event.BlockNum(n), uint32(i)}, value: make([]byte, 500)}
			b.put(stateTable, fmt.Appendf(nil, "%0*d", newKeyBytes, n*newKeysPerBlock+i), value.append(nil))
		}
		if err := m.write(context.Background(), &b); err != nil {
			t.Fatal(err)
		}
		if keys := int(n+1) * newKeysPerBlock; keys%50_000 == 0 {
			each(keys)
		}
	}
}

const (
	newKeysPerBlock = 50
	newKeyBytes     = 24
)

// A key that leaves with its block is small, whatever its value was.
func TestMemoryOfNewKeys(t *testing.T) {
	m, before, keys := newMemory(16), heap(), 0
	newKeys(t, m, 4000, func(n int) { keys = n })
	if took := (heap() - before) / int64(keys); took > 200 {
		t.Errorf("each of %d keys takes %d bytes, the key included", keys, took)
	}
	runtime.KeepAlive(m)
}

// BenchmarkMemoryKeys writes a million new keys, and says what each takes for good beside its own
// bytes: the least and the most while the map grows.
func BenchmarkMemoryKeys(b *testing.B) {
	least, most := math.Inf(1), 0.0
	for b.Loop() {
		m, before := newMemory(16), heap()
		newKeys(b, m, 1_000_000/newKeysPerBlock, func(keys int) {
			if keys >= 500_000 {
				each := float64(heap()-before)/float64(keys) - newKeyBytes
				least, most = min(least, each), max(most, each)
			}
		})
		runtime.KeepAlive(m)
	}
	b.ReportMetric(least, "least-bytes/key")
	b.ReportMetric(most, "bytes/key")
	b.ReportMetric(0, "ns/op")
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
