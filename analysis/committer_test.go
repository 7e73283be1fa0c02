package analysis

import (
	"iter"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/blockreel/blockreel/traces/event"
)

// Four blocks, all offered at once but the last; the buffer admits block 2 late.
//
//	block  offered  door  enqueued  popped  committed
//	0      0        5     5         5       20          5 idle, 15 busy
//	1      0        6     6         22      40          2 turnaround, 18 busy
//	2      0        7     90        93      100         50 starved, 3 turnaround, 7 busy
//	3      150      160   160       160     175         60 idle, 15 busy
func TestCommitterByHand(t *testing.T) {
	tl := timeline(map[event.Kind][]int64{
		event.Offered:   {0, 0, 0, 150},
		event.AtDoor:    {5, 6, 7, 160},
		event.Enqueued:  {5, 6, 90, 160},
		event.Dequeued:  {5, 22, 93, 160},
		event.Committed: {20, 40, 100, 175},
	})
	s := StatsOf(tl)
	for name, c := range map[string]struct {
		got  Optional[int64]
		want int64
	}{
		"makespan": {s.Makespan, 175}, "busy": {s.Busy, 55}, "turnaround": {s.Turnaround, 5},
		"starved": {s.Starved, 50}, "idle": {s.Idle, 65}, "late": {s.Late, 5},
		"blocked": {s.Blocked, 83}, "starved at the door": {s.StarvedAtDoor, 50},
		// Without the 50 ns block 2 would be committed at 50; block 3 as it was.
		"ideal buffer": {s.IdealBuffer, 175},
	} {
		if c.got != Known(c.want) {
			t.Errorf("%s = %v, want %d", name, c.got, c.want)
		}
	}
	if u := s.Utilization.Or(0); u != 55.0/175 {
		t.Errorf("utilization %v", u)
	}
	if spans, err := Starved(tl); err != nil || !slices.Equal(slices.Collect(iter.Seq[Span](spans)), []Span{{40, 90}}) {
		t.Errorf("starved %v, %v", spans, err)
	}
	if spans, err := Blocked(tl); err != nil || !slices.Equal(slices.Collect(iter.Seq[Span](spans)), []Span{{7, 90}}) {
		t.Errorf("blocked %v, %v", spans, err)
	}
}

// Without the times at which blocks entered the buffer, a wait of milliseconds more
// than usual is starvation and a shorter one is not.
func TestCommitterWithoutEnqueued(t *testing.T) {
	tl := timeline(map[event.Kind][]int64{
		event.Offered:   {0, 0, 0, 0, 0},
		event.Dequeued:  {0, 11 * ms, 22 * ms, 133 * ms, 146 * ms},
		event.Committed: {10 * ms, 21 * ms, 32 * ms, 143 * ms, 150 * ms},
	})
	s := StatsOf(tl)
	// Usual turnaround 1 ms: the third wait of 101 ms starves for 100, the last of 3
	// is a turnaround.
	if s.Starved != Known(int64(100*ms)) || s.Turnaround != Known(int64(6*ms)) {
		t.Errorf("starved %v, turnaround %v", s.Starved, s.Turnaround)
	}
	if s.Blocked.Known() || s.StarvedAtDoor.Known() {
		t.Error("what happened at the door cannot be known")
	}
	// 0 + 10, then four times turnaround and service, the starved 100 ms left out.
	if s.IdealBuffer != Known(int64(50*ms)) {
		t.Errorf("ideal buffer %v", s.IdealBuffer)
	}
}

// A block that finds the pipeline empty makes nobody starve, however long its way.
func TestWayToAnEmptyPipelineIsIdle(t *testing.T) {
	tl := timeline(map[event.Kind][]int64{
		event.Offered:   {0, 100, 200},
		event.Enqueued:  {30, 130, 290},
		event.Dequeued:  {30, 130, 290},
		event.Committed: {40, 140, 300},
	})
	if s := StatsOf(tl); s.Starved != Known(int64(0)) || s.Idle != Known(int64(270)) {
		t.Errorf("starved %v, idle %v", s.Starved, s.Idle)
	}
}

func TestCommitterTimesAddUp(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	checked := 0
	for range 300 {
		tl := randomTimeline(rng, 1+rng.IntN(80))
		c, err := newCommitter(tl, "")
		if err != nil {
			continue
		}
		at, last := c.offered.at(0), int64(0)
		c.walk(func(i int, e edges) bool {
			if e[idle] != at {
				t.Fatalf("block %d starts at %d, the one before ended at %d", i, e[idle], at)
			}
			if !slices.IsSorted(e[:]) {
				t.Fatalf("block %d goes back in time: %v", i, e)
			}
			at = e[numStates]
			last = max(last, c.committed.At(i), c.dequeued.At(i))
			return true
		})
		if last != 0 && at != last {
			t.Fatalf("the walk ends at %d, the last commit is at %d", at, last)
		}
		s := StatsOf(tl)
		if tl.Observed(event.Dequeued) == tl.Len() && tl.Observed(event.Committed) == tl.Len() && tl.Observed(event.Offered) == tl.Len() {
			_, end, _ := tl.Bounds(event.Committed)
			first, _, _ := tl.Bounds(event.Offered)
			sum := s.Busy.Or(0) + s.Turnaround.Or(0) + s.Starved.Or(0) + s.Idle.Or(0)
			if sum != end-first && at == end {
				t.Fatalf("busy + turnaround + starved + idle = %d, the makespan is %d", sum, end-first)
			}
			checked++
		}
		if s.IdealBuffer.Or(0) > s.Makespan.Or(0) || s.FasterCommit.Or(0) > s.IdealBuffer.Or(0) {
			t.Fatalf("bounds out of order: %v %v %v", s.Makespan, s.IdealBuffer, s.FasterCommit)
		}
	}
	if checked < 50 {
		t.Fatalf("only %d runs were whole", checked)
	}
}

func TestSpans(t *testing.T) {
	a := []Span{{0, 10}, {20, 30}, {40, 50}}
	b := []Span{{5, 25}, {28, 29}, {45, 60}}
	if got := overlap(a, b); got != 5+5+1+5 {
		t.Errorf("overlap %d", got)
	}
}
