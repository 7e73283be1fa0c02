package replay

import (
	"fmt"
	"slices"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/traces/event"
)

const (
	// mostUnseen is the number of blocks in a row without an offered or a committed time
	// that may be lines lost from a log, and are made up. More are a hole in the
	// observation: made up, they would be one burst.
	mostUnseen = 10
	// leastStretch is the number of blocks that a stretch between holes must have.
	leastStretch = 10
)

// keepObserved cuts the model to the longest stretch of blocks without a hole in the
// observation.
func (m *Model) keepObserved() error {
	tl := m.Measured
	blind := analysis.NotObserved(tl, m.samples...)
	unseen := func(i int) bool {
		return tl.Value(event.Offered, i) == event.Missing || tl.Value(event.Committed, i) == event.Missing
	}
	type stretch struct{ from, to int }
	best, from, holes, lost := stretch{}, 0, 0, 0
	keep := func(to int) {
		if to-from > best.to-best.from {
			best = stretch{from, to}
		}
	}
	for i := 0; i < tl.Len(); i++ {
		if !unseen(i) {
			continue
		}
		end := i
		for end < tl.Len() && unseen(end) {
			end++
		}
		if end-i > mostUnseen || m.blindBetween(blind, i-1, end) {
			keep(i)
			from, holes, lost = end, holes+1, lost+end-i
		}
		i = end
	}
	keep(tl.Len())
	if holes == 0 {
		return nil
	}
	if n := best.to - best.from; n < leastStretch {
		return fmt.Errorf("%d of its %d blocks lack an offered or a committed time, and the longest stretch that was observed has %d blocks, too few to replay: record again", lost, tl.Len(), n)
	}
	first, last := tl.Block(best.from), tl.Block(best.to-1)
	m.warn("%d of %d blocks lack an offered or a committed time because a node was not observed or its log has holes: only blocks %d to %d, the longest stretch that was, are replayed (another one: blockreel cut --from %d --to BLOCK)",
		lost, tl.Len(), first, last, first)
	m.Measured, m.First, m.unseen = tl.Part(best.from, best.to), first, true
	return nil
}

// blindBetween reports whether a node was not observed at some time between the blocks
// at two places.
func (m *Model) blindBetween(blind []analysis.BlindSpan, before, after int) bool {
	from, to := m.Measured.Value(event.Offered, before), m.Measured.Value(event.Committed, after)
	return slices.ContainsFunc(blind, func(b analysis.BlindSpan) bool { return b.From < to && from < b.To })
}
