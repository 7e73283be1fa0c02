package replay_test

import (
	"context"
	"testing"

	"github.com/blockreel/blockreel/internal/offheap"
	"github.com/blockreel/blockreel/replay"
	"github.com/blockreel/blockreel/replay/ledger"
	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// Columns of a trace of this length lie off the heap, where they stay until they are freed.
const longEnough = 150_000

// One setting after another leaves nothing behind but what is known of the trace.
func TestSettingsFreeWhatTheyTake(t *testing.T) {
	stream := traces.Stream{Channel: "ch1", Orderer: "orderer", Peer: "peer0", Settings: traces.Settings{
		traces.SettingPreset: "fabric-2.x", traces.SettingBuffer: "20",
	}}
	tl := traces.NewTimeline(stream, 1, longEnough)
	for k, at := range map[event.Kind]int64{event.Offered: 0, event.Dequeued: 1e6, event.Validated: 2e6, event.Committed: 3e6} {
		column := tl.MakeColumn(k)
		for i := range column {
			column[i] = at + int64(i)*2e6
			if k == event.Offered {
				column[i] /= 4 // a backlog, which the buffer and the link hold
			}
		}
	}
	tr := &traces.Trace{Header: traces.Header{Source: "run", Streams: []traces.Stream{stream}}, Timelines: []*traces.Timeline{tl}}
	half := ledger.Unscaled()
	half.Commit = 0.5
	for name, s := range map[string]replay.Scenario{
		"buffers": {Buffers: []int{5, 20, 100, 1000}},
		"scaled":  {Buffers: []int{5, 20, 100}, Scale: half},
		"ideal":   {Buffers: []int{5, 20, 100}, Mode: replay.ModeUnbounded},
		"driven":  {Buffers: []int{5, 20, 100}, Ledgers: []string{"memory"}, Scale: ledger.Unscaled()},
	} {
		t.Run(name, func(t *testing.T) {
			if testing.Short() && name == "driven" {
				t.Skip("commits 150,000 blocks")
			}
			var inUse []int
			_, err := replay.Replay(context.Background(), tr, s, func(r replay.Result) error {
				r.Free()
				inUse = append(inUse, offheap.InUse())
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			for i, n := range inUse {
				if n != inUse[0] {
					t.Errorf("setting %d leaves %d bytes off the heap, the first one %d", i, n, inUse[0])
				}
			}
		})
	}
}
