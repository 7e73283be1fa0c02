package network

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/replay"
	"github.com/blockreel/blockreel/replay/ledger"
	"github.com/blockreel/blockreel/traces"
)

// makespan of the only stream of a trace, in seconds.
func makespan(tr *traces.Trace) float64 {
	return float64(analysis.Stats(tr).Streams[0].Makespan.Or(0)) / 1e9
}

// A recording of the live network at N = 20 says how long the same load takes at N = 2.
//
// The ledger takes 5 ms for every block, so that the machine's noise is a small part of
// what is compared: at N = 20 the committer is never idle, since 42 blocks last for two
// polls of the door; at N = 2 it commits 6 blocks in 30 ms, and waits for the rest of a
// poll. Three figures are logged:
//
//   - identity: the replay of the recording under its own settings against the recording;
//     it must agree within 1 %, or the model lacks something that the run has.
//   - forecast: the replay of the recording with N = 2 against a live run at N = 2; 5 %.
//   - identity at N = 2: the same for the live run at N = 2, where the poll is all. A
//     refill that now and then lets in a block less has no place in the model but the
//     fitted poll: 2 %.
//
// Two runs are compared, and what else the machine does in one of them is in the figures:
// so a miss is measured anew, three times at most. A model that is off misses every time.
func TestForecastOfALiveRun(t *testing.T) {
	if testing.Short() {
		t.Skip("runs a network for ten seconds")
	}
	var missed []string
	for range 4 {
		if missed = forecastsOfLiveRuns(t); len(missed) == 0 {
			return
		}
		t.Log("missed: ", missed)
	}
	t.Error(missed)
}

// forecastsOfLiveRuns records two runs and returns what misses them.
func forecastsOfLiveRuns(t *testing.T) (missed []string) {
	const takes, blocks = 5 * time.Millisecond, 500
	live := func(buffer int) *traces.Trace {
		c := small()
		c.Channels, c.Orgs, c.Bytes = 1, 1, 10_000
		c.Load = Load{Rate: 2000, Blocks: blocks}
		c.Pipeline.Policy.N = buffer
		tr, _ := record(t, within(t), opened(t, with(c, func(ledger.Config) store { return &gated{takes: takes} })))
		return tr
	}
	wide, narrow := live(20), live(2)
	for _, c := range []struct {
		what            string
		forecast, truth float64
		most            float64 // per cent
	}{
		{"identity at N = 20", forecast(t, wide, 20), makespan(wide), 1},
		{"forecast of N = 2 from N = 20", forecast(t, wide, 2), makespan(narrow), 5},
		{"identity at N = 2", forecast(t, narrow, 2), makespan(narrow), 2},
	} {
		off := 100 * (c.forecast/c.truth - 1)
		result := fmt.Sprintf("%s: %.3f s, live %.3f s: %+.2f %%, want at most %g %%", c.what, c.forecast, c.truth, off, c.most)
		t.Log(result)
		if math.Abs(off) > c.most {
			missed = append(missed, result)
		}
	}
	if w, n := makespan(wide), makespan(narrow); n < 2*w {
		missed = append(missed, fmt.Sprintf("N = 2 took %.2f s and N = 20 %.2f s: this load does not show the buffer", n, w))
	}
	return missed
}

// forecast is the makespan of a replay with this buffer, in seconds.
func forecast(t *testing.T, tr *traces.Trace, buffer int) float64 {
	t.Helper()
	var took float64
	scenario := replay.Scenario{Buffers: []int{buffer}, Scale: ledger.Unscaled(), Tool: "test"}
	o, err := replay.Replay(context.Background(), tr, scenario, func(r replay.Result) error {
		took = makespan(r.Trace)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("N = %d: %q", buffer, o.Facts)
	return took
}
