package analysis

import (
	"math/rand/v2"

	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

const gone = event.Missing // a hole in a test's column

// timeline returns a stream with the given columns, its first block being 4.
func timeline(columns map[event.Kind][]int64) *traces.Timeline {
	n := 0
	for _, c := range columns {
		n = max(n, len(c))
	}
	tl := traces.NewTimeline(traces.Stream{Channel: "ch1", Peer: "peer0", Settings: traces.Settings{}}, 4, n)
	for k, c := range columns {
		copy(tl.MakeColumn(k), c)
	}
	return tl
}

// randomTimeline returns a run of n blocks with holes and lines out of order.
func randomTimeline(rng *rand.Rand, n int) *traces.Timeline {
	kinds := []event.Kind{event.Offered, event.AtDoor, event.Enqueued, event.Dequeued, event.Validated, event.Committed}
	columns := map[event.Kind][]int64{}
	at := make([]int64, len(kinds))
	holes := rng.IntN(3) == 0
	for range n {
		for j, k := range kinds {
			at[j] += rng.Int64N(20)
			if j > 0 {
				at[j] = max(at[j], at[j-1])
			}
			v := at[j] + rng.Int64N(3)
			if holes && rng.IntN(30) == 0 {
				v = gone
			}
			columns[k] = append(columns[k], v)
		}
	}
	if rng.IntN(2) == 0 {
		delete(columns, event.Enqueued)
	}
	return timeline(columns)
}

// queue returns a run of n blocks through an ideal pipeline: block i is offered
// every interval and takes service to validate and commit.
func queue(n int, interval, service int64) *traces.Timeline {
	c := map[event.Kind][]int64{}
	done := int64(0)
	for i := range int64(n) {
		offered := i * interval
		popped := max(offered, done)
		done = popped + service
		for k, v := range map[event.Kind]int64{
			event.Offered: offered, event.AtDoor: offered, event.Enqueued: offered,
			event.Dequeued: popped, event.Validated: popped + service/2, event.Committed: done,
			event.Transactions: 10, event.Bytes: 1000,
		} {
			c[k] = append(c[k], v)
		}
	}
	return timeline(c)
}

// inMemory is a curve in memory.
func inMemory(c Curve, err error) (Series, error) {
	if err != nil {
		return Series{}, err
	}
	return c.Series(), nil
}
