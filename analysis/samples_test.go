package analysis

import (
	"math"
	"path/filepath"
	"testing"

	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// sample reads a trace of a real run.
func sample(t *testing.T, name string) *traces.Trace {
	t.Helper()
	tr, err := traces.ReadFile(filepath.Join("..", "traces", "samples", name+".reel"))
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// The figures that were computed from the logs of these runs by other means, to the
// millisecond, and what limits them.
func TestRealRuns(t *testing.T) {
	for _, c := range []struct {
		name                          string
		stream                        int
		blocks                        int64
		makespan                      float64
		gap                           int64
		p50, p95, p99, most           float64
		bottleneck                    Bottleneck
		leastStarved, greatestStarved float64 // share of the makespan
	}{
		{"fabric-2.5-burst-n20", 0, 2400, 13.765, 1260, 4.680, 5.132, 5.182, 5.197, BottleneckCommitter, 0, 0.005},
		{"fabric-2.5-burst-n2", 0, 2400, 42.228, 2005, 17.561, 33.283, 34.699, 35.031, BottleneckBuffer, 0.6, 0.7},
		{"fabric-2.5-burst-n20-debug", 0, 2400, 17.252, 1412, 6.300, 6.826, 6.858, 6.871, BottleneckCommitter, 0, 0.005},
		{"fabric-2.5-burst-n2-debug", 0, 2400, 42.959, 1792, 16.064, 29.988, 31.400, 31.750, BottleneckBuffer, 0.45, 0.5},
		{"fabric-2.5-burst-n20-json", 0, 2400, 15.816, 1325, 5.244, 5.885, 6.008, 6.027, BottleneckCommitter, 0, 0.005},
		{"fabric-2.5-steady-n20", 0, 2400, 119.964, 1, 0.009, 0.012, 0.016, 0.026, BottleneckOrderer, 0, 0},
		{"fabric-2.5-twochannels-n20", 0, 2400, 18.925, 516, 2.004, 3.468, 3.517, 3.526, BottleneckCommitter, 0, 0.005},
		{"fabric-2.5-twochannels-n20", 1, 200, 39.818, 1, 0.012, 0.030, 0.037, 0.046, BottleneckOrderer, 0, 0},
		{"fabric-2.5-catchup-n20", 0, 20_000, 87.234, 20_000, 51.707, 66.677, 67.453, 67.664, BottleneckBuffer, 0.04, 0.06},
		{"fabric-2.5-catchup100k-n20", 0, 100_000, 359.432, 100_000, 178.336, 244.409, 250.042, 251.554, BottleneckBuffer, 0.1, 0.12},
		{"fabric-2.5-mvcc-n20-debug", 0, 300, 3.166, 200, 1.206, 1.577, 1.596, 1.602, BottleneckCommitter, 0, 0.005},
		{"fabric-3.1-burst-n20", 0, 2400, 14.182, 1328, 4.680, 5.638, 5.664, 5.671, BottleneckCommitter, 0, 0.005},
	} {
		s := StatsOf(sample(t, c.name).Timelines[c.stream])
		if s.Blocks != c.blocks || s.MaxGap != Known(c.gap) {
			t.Errorf("%s: %d blocks, max gap %v, want %d and %d", c.name, s.Blocks, s.MaxGap, c.blocks, c.gap)
		}
		got := [...]int64{s.Makespan.Or(0), s.Latency.P50, s.Latency.P95, s.Latency.P99, s.Latency.Max}
		for i, want := range [...]float64{c.makespan, c.p50, c.p95, c.p99, c.most} {
			if math.Abs(seconds(got[i])-want) > 0.0005 {
				t.Errorf("%s: figure %d is %v s, want %v", c.name, i, seconds(got[i]), want)
			}
		}
		if s.Bottleneck != c.bottleneck {
			t.Errorf("%s: %s", c.name, s.Verdict)
		}
		if x := share(s.Starved.Or(-1), s.Makespan.Or(0)); x < c.leastStarved || x > c.greatestStarved {
			t.Errorf("%s: starved %v of the makespan", c.name, x)
		}
		if sum := s.Busy.Or(0) + s.Turnaround.Or(0) + s.Starved.Or(0) + s.Idle.Or(0); sum != s.Makespan.Or(0) {
			t.Errorf("%s: busy, turnaround, starved and idle add up to %d, not to %v", c.name, sum, s.Makespan)
		}
	}
}

// What is estimated without the times at which blocks entered the buffer comes
// close to what they tell.
func TestStarvedEstimate(t *testing.T) {
	for name, tolerance := range map[string]float64{"fabric-2.5-burst-n2-debug": 0.02, "fabric-2.5-burst-n20-debug": 0.005} {
		whole := sample(t, name).Timelines[0]
		blind := traces.NewTimeline(whole.Stream, whole.First, whole.Len())
		for _, k := range []event.Kind{event.Offered, event.Dequeued, event.Validated, event.Committed} {
			copy(blind.MakeColumn(k), whole.Column(k))
		}
		exact, estimate := StatsOf(whole), StatsOf(blind)
		if diff := share(estimate.Starved.Or(0)-exact.Starved.Or(0), exact.Makespan.Or(0)); math.Abs(diff) > tolerance {
			t.Errorf("%s: starved %v, estimated %v", name, exact.Starved, estimate.Starved)
		}
	}
}

// The buffer's depth in a debug log of Fabric 1.4 reaches 2·100 + 1 blocks.
func TestDepthOfARealRun(t *testing.T) {
	tl := sample(t, "fabric-1.4-catchup-n100-debug").Timelines[0]
	depth, err := inMemory(Depth(tl))
	if err != nil {
		t.Fatal(err)
	}
	most := int64(0)
	for _, v := range depth.V {
		most = max(most, v)
	}
	// A line of a pop can be written after the push that it made room for.
	if most < 201 || most > 202 {
		t.Errorf("the buffer held %d blocks", most)
	}
}
