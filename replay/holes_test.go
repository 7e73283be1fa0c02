package replay_test

import (
	"context"
	"strings"
	"testing"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/replay"
	"github.com/blockreel/blockreel/replay/ledger"
	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// live is a trace of a peer that takes 2 ms a block, seen from outside: blocks are offered
// every 10 ms, and nothing is known of those of a blind stretch.
func live(blocks, blindFrom, blindTo int) *traces.Trace {
	const ms = 1_000_000
	tl := traces.NewTimeline(traces.Stream{Channel: "ch1", Orderer: "o", Peer: "p", Settings: traces.Settings{traces.SettingPreset: "fabric-2.x", traces.SettingBuffer: "20"}}, 7, blocks)
	offered, committed := tl.MakeColumn(event.Offered), tl.MakeColumn(event.Committed)
	for i := range blocks {
		offered[i], committed[i] = int64(i)*10*ms, int64(i)*10*ms+2*ms
		if i >= blindFrom && i < blindTo {
			offered[i], committed[i] = event.Missing, event.Missing
		}
	}
	tr := &traces.Trace{Header: traces.Header{Source: "fabric", Streams: []traces.Stream{tl.Stream}}, Timelines: []*traces.Timeline{tl}}
	for _, node := range []string{"o", "p"} {
		tr.Samples = append(tr.Samples, traces.SampleColumn{Series: traces.Series{Name: traces.SeriesObserving, Node: node},
			At: []event.Time{0, event.Time(blindFrom*10*ms - ms), event.Time(blindTo*10*ms - ms)}, Value: []float64{1, 0, 1}})
	}
	return tr
}

// TestHoleInTheObservation holds that blocks which nobody saw are not made up to one burst:
// the longest stretch between holes is replayed, in a replay as in a sweep.
func TestHoleInTheObservation(t *testing.T) {
	tr := live(100, 30, 35)
	const want = "only blocks 42 to 106, the longest stretch that was, are replayed"
	out := run(t, tr, replay.Scenario{Buffers: []int{2}})
	if got := strings.Join(out.Warnings, "\n"); !strings.Contains(got, want) {
		t.Errorf("warnings %q lack %q", got, want)
	}
	if id := out.Identity[0]; !id.Stretch || id.Blocks != 65 || id.Distrust() != "" {
		t.Errorf("identity %v", id)
	}
	if s := analysis.StatsOf(out.Results[0].Trace.Timelines[0]); s.MaxGap != analysis.Known(int64(1)) {
		t.Errorf("gap %v", s.MaxGap)
	}
	sweep, err := replay.SweepTrace(context.Background(), tr, replay.Scenario{Buffers: []int{1, 2}, Scale: ledger.Unscaled()})
	if err != nil || sweep.Points[0].MaxGap != 1 || !strings.Contains(strings.Join(sweep.Warnings, "\n"), want) {
		t.Errorf("%v, %+v", err, sweep)
	}
	if _, err := all(live(20, 5, 12), replay.Scenario{}); err == nil || !strings.Contains(err.Error(), "the longest stretch that was observed has 8 blocks") {
		t.Errorf("a trace of short stretches: %v", err)
	}
}

// TestDoubts holds that a figure which the replay with the trace's own settings misses is
// not forecast without a word. Here the peer pops most blocks sooner than the way to it is
// assumed to take.
func TestDoubts(t *testing.T) {
	tr := live(100, 0, 0)
	tr.Samples = nil
	tl := tr.Timelines[0]
	popped := tl.MakeColumn(event.Dequeued)
	for i := range popped {
		popped[i] = tl.Value(event.Offered, i) + 1_000_000
		if i%10 < 6 && i > 0 {
			popped[i] -= 900_000
			tl.MakeColumn(event.Committed)[i] = popped[i] + 100_000
		}
	}
	out := run(t, tr, replay.Scenario{})
	doubt := out.Identity[0].Distrust()
	if !strings.HasPrefix(doubt, "do not trust ") || !strings.Contains(doubt, "misses") {
		t.Fatalf("%v: %q", out.Identity[0], doubt)
	}
	if r := out.Results[0]; r.Doubts[0] != doubt || !strings.Contains(notes(r.Trace), doubt) {
		t.Errorf("%q, %s", r.Doubts, notes(r.Trace))
	}
	if got := strings.Join(out.Warnings, "\n"); !strings.Contains(got, doubt) {
		t.Errorf("warnings %q lack %q", got, doubt)
	}
}

// TestSlowIntake holds that what an intake takes longer than usual, as on a machine that is
// busy, is in the replay too, and behind it the blocks that queue.
func TestSlowIntake(t *testing.T) {
	const ms = 1_000_000
	tr := live(200, 0, 0)
	tr.Samples = nil
	tl := tr.Timelines[0]
	received, door, in, popped, committed := tl.MakeColumn(event.Received), tl.MakeColumn(event.AtDoor),
		tl.MakeColumn(event.Enqueued), tl.MakeColumn(event.Dequeued), tl.MakeColumn(event.Committed)
	free := int64(0)
	for i := range door {
		received[i] = tl.Value(event.Offered, i) + ms
		begin := max(received[i], free)
		door[i] = begin + ms/2
		if i%40 == 20 {
			door[i] += 70 * ms
		}
		free, in[i] = door[i], door[i]
		popped[i] = in[i] + ms/5
		if i > 0 {
			popped[i] = max(popped[i], committed[i-1])
		}
		committed[i] = popped[i] + 2*ms
	}
	id := run(t, tr, replay.Scenario{}).Identity[0]
	if doubt := id.Distrust(); doubt != "" {
		t.Errorf("%s: %s", id, doubt)
	}
}
