package replay_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/blockreel/blockreel/replay"
	"github.com/blockreel/blockreel/replay/ledger"
	"github.com/blockreel/blockreel/replay/pipeline"
	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// long is a trace of bursts of 100 blocks that shows every instant of every block, of a
// live peer: its settings are known, and what its link does is measured.
func long(blocks int) *traces.Trace {
	const us = 1_000
	set, _ := pipeline.Preset(pipeline.Fabric2x)
	tl := traces.NewTimeline(traces.Stream{Channel: "ch1", Orderer: "o", Peer: "p", Settings: set.PeerSettings()}, 1, blocks)
	columns := map[event.Kind][]int64{}
	for k := event.Offered; k <= event.Committed; k++ {
		columns[k] = tl.MakeColumn(k)
	}
	bytes, last := tl.MakeColumn(event.Bytes), int64(0)
	for i := range blocks {
		offered := int64(i/100)*40_000*us + int64(i%100)*10*us
		at := max(offered+2_000*us, last-300*us)
		for k := event.Offered; k <= event.Enqueued; k++ {
			columns[k][i] = at
		}
		columns[event.Offered][i], columns[event.Sent][i] = offered, offered
		popped := max(at, last) + 10*us
		last = popped + 300*us
		columns[event.Dequeued][i], columns[event.Validated][i], columns[event.Committed][i] = popped, popped+100*us, last
		bytes[i] = 3_000
	}
	return &traces.Trace{Header: traces.Header{Source: "run", Streams: []traces.Stream{tl.Stream}}, Timelines: []*traces.Timeline{tl}}
}

// TestLongTrace replays 300,000 blocks and sweeps them. Whatever looked at all blocks for
// each of them would take minutes.
func TestLongTrace(t *testing.T) {
	if testing.Short() {
		t.Skip("a long trace")
	}
	const blocks = 300_000
	tr := long(blocks)
	out := run(t, tr, replay.Scenario{Buffers: []int{20}})
	if id := out.Identity[0]; id.Blocks != blocks || id.Exact {
		t.Errorf("identity of %d blocks, exact %v", id.Blocks, id.Exact)
	}
	if got := out.Results[0].Trace.Timelines[0].Observed(event.Committed); got != blocks {
		t.Errorf("%d blocks were committed", got)
	}
	sweep, err := replay.SweepTrace(context.Background(), tr, replay.Scenario{Buffers: []int{2, 20}, Scale: ledger.Unscaled()})
	if err != nil || len(sweep.Points) != 2 {
		t.Errorf("%v, %+v", err, sweep)
	}
}

// BenchmarkModel makes traces ready to be replayed: a block of a long one must not cost
// more than one of a short one.
func BenchmarkModel(b *testing.B) {
	for _, blocks := range []int{10_000, 200_000} {
		b.Run(fmt.Sprintf("blocks=%d", blocks), func(b *testing.B) {
			tl := long(blocks).Timelines[0]
			b.ReportAllocs()
			for b.Loop() {
				if _, err := replay.NewModel(tl, replay.ModelConfig{}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(blocks), "ns/block")
		})
	}
}
