package driver

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/blockreel/blockreel/replay/block"
	"github.com/blockreel/blockreel/replay/pipeline"
	"github.com/blockreel/blockreel/traces/event"
)

const first = 100

func virtually(t *testing.T, s Stream) (*journal, Result) {
	t.Helper()
	j := &journal{}
	s.Observer = j
	result, err := Virtual(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return j, result
}

func TestVirtualEqualsRecurrence(t *testing.T) {
	for seed := range uint64(300) {
		cfg, b := randomRun(seed, 120)
		want := solved(t, cfg, b)
		j, result := virtually(t, Stream{Config: cfg, Height: first, Source: arrivals(first, b)})
		if got := j.columns(0, first, b.Len()); !reflect.DeepEqual(got, want) {
			t.Fatalf("seed %d: the virtual run differs from the recurrence", seed)
		}
		if got := j.column(0, event.Offered, first, b.Len()); !reflect.DeepEqual(got, b.Offered) {
			t.Fatalf("seed %d: the offers differ from the source", seed)
		}
		if result.Committed != b.Len() || result.Offered != b.Len() {
			t.Fatalf("seed %d: %+v for %d blocks", seed, result, b.Len())
		}
	}
}

// Events come in the order of time, so that a trace that was cut short is the run up
// to the cut.
func TestEventsComeInOrder(t *testing.T) {
	for seed := range uint64(50) {
		cfg, b := randomRun(seed, 120)
		j, _ := virtually(t, Stream{Config: cfg, Height: first, Source: arrivals(first, b)})
		last := event.Event{Value: b.Offered[0]}
		for _, e := range j.events {
			if !e.Kind.IsTime() {
				continue
			}
			if e.Value < last.Value {
				t.Fatalf("seed %d: %v of block %d at %d comes after %v of block %d at %d",
					seed, e.Kind, e.Block, e.Value, last.Kind, last.Block, last.Value)
			}
			last = e
		}
	}
}

// A run's own columns, taken as the next run's services, give the same run: this is
// what the identity of a replay rests on.
func TestIdentity(t *testing.T) {
	for seed := range uint64(100) {
		cfg, b := randomRun(seed, 120)
		recorded, _ := virtually(t, Stream{Config: cfg, Height: first, Source: arrivals(first, b)})
		c := recorded.columns(0, first, b.Len())
		again := blocks{
			pipeline.Blocks{
				Offered: recorded.column(0, event.Offered, first, b.Len()),
				Bytes:   recorded.column(0, event.Bytes, first, b.Len()),
				Transit: b.Transit,
			},
			difference(c.validated, c.Dequeued), difference(c.committed, c.validated), b.turnaround,
		}
		j, _ := virtually(t, Stream{Config: cfg, Height: first, Source: arrivals(first, again)})
		if !reflect.DeepEqual(j.events, recorded.events) {
			t.Fatalf("seed %d: the replay of a run differs from it", seed)
		}
	}
}

func difference(a, b []int64) []int64 {
	d := make([]int64, len(a))
	for i := range a {
		d[i] = a[i] - b[i]
	}
	return d
}

// Blocks that come twice or too late are ignored, and one that comes early waits.
func TestBlocksOutOfOrder(t *testing.T) {
	cfg := pipeline.Config{Policy: pipeline.Policy{Name: pipeline.Ideal, N: 2}}
	service := Service{Commit: 10 * time.Millisecond}
	at := func(n event.BlockNum, ms int) Arrival {
		return Arrival{Block: block.Block{Number: n}, Offered: event.Time(ms) * event.Time(time.Millisecond), Service: service}
	}
	source := &list{[]Arrival{at(0, 0), at(1, 0), at(1, 2), at(0, 12), at(3, 21), at(2, 24), at(3, 31)}}
	j, result := virtually(t, Stream{Config: cfg, Source: source})
	if result.Ignored != 3 || result.Committed != 4 {
		t.Errorf("result is %+v, want 3 ignored, 4 committed", result)
	}
	want := []int64{10, 20, 34, 44}
	for i, c := range j.column(0, event.Committed, 0, 4) {
		if c != want[i]*int64(time.Millisecond) {
			t.Errorf("block %d is committed at %v, want %d ms", i, time.Duration(c), want[i])
		}
	}
}

func TestCommitterWithoutItsBlockEndsTheRun(t *testing.T) {
	source := &list{[]Arrival{{Block: block.Block{Number: 7}}, {Block: block.Block{Number: 8}}}}
	cfg, _ := pipeline.Preset(pipeline.Fabric2x)
	_, result := virtually(t, Stream{Config: cfg, Height: 6, Source: source})
	if result.Offered != 2 || result.Committed != 0 {
		t.Errorf("result is %+v, want 2 offered and none committed", result)
	}
}

func TestVirtualRefuses(t *testing.T) {
	good, _ := pipeline.Preset(pipeline.Fabric2x)
	for name, tc := range map[string]struct {
		cfg     pipeline.Config
		arrival Arrival
		want    string
	}{
		"no buffer":         {pipeline.Config{}, Arrival{}, `buffer policy ""`},
		"missing offer":     {good, Arrival{Offered: event.Missing}, "cannot be replayed"},
		"negative size":     {good, Arrival{Block: block.Block{Bytes: -1}}, "cannot be replayed"},
		"negative service":  {good, Arrival{Service: Service{Commit: -1}}, "cannot be replayed"},
		"endless service":   {good, Arrival{Service: Service{Validate: 1 << 62}}, "cannot be replayed"},
		"negative transit":  {good, Arrival{Transit: -1}, "cannot be replayed"},
		"endless turnround": {good, Arrival{Service: Service{Turnaround: 1 << 62}}, "cannot be replayed"},
	} {
		_, err := Virtual(t.Context(), Stream{Config: tc.cfg, Source: &list{[]Arrival{tc.arrival}}})
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, tc.want)
		}
	}
}

// Services that are allowed one by one may still add up to more than an int64 holds.
func TestVirtualRefusesToOverflow(t *testing.T) {
	cfg, _ := pipeline.Preset(pipeline.Fabric2x)
	source := &list{}
	for i := range 400 {
		source.arrivals = append(source.arrivals, Arrival{Block: block.Block{Number: event.BlockNum(i)}, Service: Service{Commit: pipeline.MaxDuration}})
	}
	if _, err := Virtual(t.Context(), Stream{Config: cfg, Source: source}); err == nil || !strings.Contains(err.Error(), "range of times") {
		t.Errorf("error %v, want one about the range of times", err)
	}
}

func TestVirtualHeedsContext(t *testing.T) {
	cfg, b := randomRun(1, 20_000)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Virtual(ctx, Stream{Config: cfg, Source: arrivals(0, b)}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
}

func BenchmarkVirtual(b *testing.B) {
	cfg, blocks := randomRun(1, 100_000)
	cfg.Policy.N, cfg.Link = 20, pipeline.Link{}
	source := arrivals(0, blocks)
	b.ReportAllocs()
	for b.Loop() {
		events := 0
		if _, err := Virtual(b.Context(), Stream{Config: cfg, Source: source, Observer: counter{&events}}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(blocks.Len()), "ns/block")
}

type counter struct{ n *int }

func (c counter) Observe(event.Event) { *c.n++ }
