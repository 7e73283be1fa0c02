package driver

import (
	"runtime"
	"testing"

	"github.com/blockreel/blockreel/replay/pipeline"
)

// Blocks that wait at the orderer are the Source's: a run in which all are there from the
// start keeps no copies of them.
func TestWaitingBlocksAreNotKept(t *testing.T) {
	const blocks, most = 20_000, 160 // bytes a block, allocated while queues grow
	cfg, b := randomRun(1, blocks)
	cfg.Link, b.Offered = pipeline.Link{}, make([]int64, blocks)
	source, events := arrivals(0, b), 0
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := Virtual(t.Context(), Stream{Config: cfg, Source: source, Observer: counter{&events}}); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if got := (after.TotalAlloc - before.TotalAlloc) / blocks; got > most {
		t.Errorf("a run allocates %d bytes for each block that waits, want at most %d", got, most)
	}
}
