package traces

import (
	"bytes"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/blockreel/blockreel/traces/event"
)

// TestColumnBuilder holds that a packed column, made in any order, reads like a slice that was
// written in the same order, as a whole and in parts.
func TestColumnBuilder(t *testing.T) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 1))
		first, n := event.BlockNum(r.IntN(5000)), 1+r.IntN(6000)
		plain, packed := NewTimeline(Stream{}, first, n), NewTimeline(Stream{}, first, n)
		var b ColumnBuilder
		want, replaced := plain.MakeColumn(event.Committed), 0
		set := func(at int, values []int64) {
			replaced += len(values)
			for i, v := range values {
				if want[at+i] == event.Missing {
					replaced--
				}
				want[at+i] = v
			}
		}
		got, at := 0, 0
		for range 1 + r.IntN(12) {
			if at >= n || r.IntN(4) == 0 {
				at = r.IntN(n)
			}
			if r.IntN(3) == 0 {
				want[at] = int64(r.IntN(1000)) - 500
				b.Set(first+event.BlockNum(at), want[at])
				continue
			}
			values := make([]int64, 1+r.IntN(min(3000, n-at)))
			for i := range values {
				values[i] = int64(at+i)*1_000_000 + r.Int64N(1+int64(seed%2)*100)
			}
			set(at, values)
			got += b.SetRun(first+event.BlockNum(at), values)
			at += len(values)
		}
		if got != replaced {
			t.Errorf("seed %d: %d values were replaced, want %d", seed, got, replaced)
		}
		packed.Build(event.Committed, &b)
		same(t, plain, packed)
		from := r.IntN(n)
		to := from + 1 + r.IntN(n-from)
		same(t, plain.Part(from, to), packed.Part(from, to))
		same(t, plain.Part(from, to).Part(0, (to-from+1)/2), packed.Part(from, to).Part(0, (to-from+1)/2))
	}
}

// same compares all ways to read two timelines.
func same(t *testing.T, plain, packed *Timeline) {
	t.Helper()
	const k = event.Committed
	want := plain.Column(k)
	if got := packed.Column(k); !slices.Equal(got, want) {
		t.Fatalf("columns differ: %d and %d values", len(got), len(want))
	}
	least, greatest, n := plain.Bounds(k)
	if l, g, m := packed.Bounds(k); l != least || g != greatest || m != n || packed.Observed(k) != n {
		t.Errorf("%d values from %d to %d, want %d from %d to %d", m, l, g, n, least, greatest)
	}
	ascends := len(want) > 0 && slices.IsSorted(want) && want[0] != event.Missing
	if packed.Ascends(k) != ascends || plain.Ascends(k) != ascends {
		t.Errorf("ascends: packed %v, plain %v, want %v", packed.Ascends(k), plain.Ascends(k), ascends)
	}
	for _, tl := range []*Timeline{plain, packed} {
		var got []int64
		for from, w := range tl.Windows(k, event.Bytes) {
			if from != len(got) || len(w[0]) != len(w[1]) || w[1][0] != event.Missing {
				t.Fatalf("window of %d and %d values from %d on, after %d", len(w[0]), len(w[1]), from, len(got))
			}
			got = append(got, w[0]...)
		}
		if want != nil && !slices.Equal(got, want) {
			t.Error("windows differ")
		}
		c := tl.Cursor(k)
		for i := len(want) - 1; i >= 0; i-- {
			if c.At(i) != want[i] || tl.Value(k, i) != want[i] {
				t.Fatalf("value %d is %d, %d, want %d", i, c.At(i), tl.Value(k, i), want[i])
			}
		}
	}
}

// TestColumnsOfManyStreams holds that a value for each kind of each of many streams costs
// no segment each.
func TestColumnsOfManyStreams(t *testing.T) {
	const streams = 2000
	file := forge(t, streams, func(w *Writer) {
		for i := range streams * event.NumKinds {
			if err := w.Append(event.Event{Stream: i % streams, Kind: event.Kind(i / streams), Value: int64(i)}); err != nil {
				t.Fatal(err)
			}
		}
	})
	tr, err := Read(bytes.NewReader(file))
	if err != nil || tr.Events() != streams*event.NumKinds {
		t.Fatalf("%v, %v", tr, err)
	}
	if n := inUse(); n > 100<<20 {
		t.Errorf("%d MB are in use", n>>20)
	}
	runtime.KeepAlive(tr)
}

// inUse is how many bytes of the heap are in use.
func inUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestKinds holds that a reader that decodes some kinds finds the same values of these and none of
// others, whichever columns they are predicted from.
func TestKinds(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 4))
		tr := randomTrace(seed, 3000)
		file := encode(t, tr)
		var kinds []event.Kind
		for k := range event.Kind(event.NumKinds) {
			if r.IntN(3) == 0 {
				kinds = append(kinds, k)
			}
		}
		got, err := ReadConfig(bytes.NewReader(file), ReaderConfig{Kinds: append(kinds, 200)})
		if err != nil || got.Loss != nil {
			t.Fatal(err, got.Loss)
		}
		for s, tl := range tr.Timelines {
			if got.Timelines[s].Len() != tl.Len() {
				t.Errorf("seed %d: %d blocks, want %d", seed, got.Timelines[s].Len(), tl.Len())
			}
			for k := range event.Kind(event.NumKinds) {
				want := tl.Column(k)
				if !slices.Contains(kinds, k) {
					want = nil
				}
				if !slices.Equal(got.Timelines[s].Column(k), want) {
					t.Errorf("seed %d: %v differs", seed, k)
				}
			}
		}
	}
}

// TestValueOfMany holds that goroutines may read the values of one timeline at once.
func TestValueOfMany(t *testing.T) {
	var b ColumnBuilder
	const blocks = 5000
	for i := range event.BlockNum(blocks) {
		b.Set(i, int64(i))
	}
	tl := NewTimeline(Stream{}, 0, blocks)
	tl.Build(event.Bytes, &b)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range blocks {
				if v := tl.Value(event.Bytes, i*7919%blocks); v != int64(i*7919%blocks) {
					t.Errorf("value %d is %d", i*7919%blocks, v)
				}
			}
		})
	}
	wg.Wait()
}
