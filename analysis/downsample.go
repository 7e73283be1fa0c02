package analysis

import (
	"slices"

	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// Depth returns how many blocks the payloads buffer held over time. In traces from
// logs it can exceed 2N + 1 for a moment by a block, because the line that tells of
// a pop is written after it.
func Depth(tl *traces.Timeline) (Curve, error) {
	if err := require(tl, "buffer depth", event.Enqueued, event.Dequeued); err != nil {
		return nil, err
	}
	in, out := newPassages(tl, false), newPassages(tl, true)
	return func(yield func(int64, int64) bool) { depthOf(in, out, yield) }, nil
}

// depthOf merges the instants at which blocks came in and went out.
func depthOf(in, out passages, yield func(int64, int64) bool) {
	came, more := in.next()
	went, left := out.next()
	depth, at := int64(0), int64(event.Missing)
	for more || left {
		before, was := depth, at
		// At one instant the pop comes first: it makes room for the push.
		if more && (!left || came < went) {
			depth, at = depth+1, came
			came, more = in.next()
		} else {
			depth, at = depth-1, went
			went, left = out.next()
		}
		if was != event.Missing && was != at && !yield(was, max(before, 0)) {
			return
		}
	}
	if at != event.Missing {
		yield(at, max(depth, 0))
	}
}

// passages gives in order when blocks came into the buffer, or when they went out; of a
// block whose way in is not known neither is there.
type passages struct {
	enqueued, dequeued traces.Cursor
	out                bool
	i, n               int
	sorted             []int64 // nil when the instants ascend with the blocks
}

func newPassages(tl *traces.Timeline, out bool) passages {
	all := func() passages {
		return passages{enqueued: tl.Cursor(event.Enqueued), dequeued: tl.Cursor(event.Dequeued), out: out, n: tl.Len()}
	}
	p, last := all(), int64(event.Missing)
	for at, ok := p.next(); ok; at, ok = p.next() {
		if at < last {
			p = all()
			var sorted []int64
			for at, ok := p.next(); ok; at, ok = p.next() {
				sorted = append(sorted, at)
			}
			slices.Sort(sorted)
			return passages{sorted: sorted, n: len(sorted)}
		}
		last = at
	}
	return all()
}

func (p *passages) next() (int64, bool) {
	for p.i < p.n {
		i := p.i
		p.i++
		if p.sorted != nil {
			return p.sorted[i], true
		}
		at := p.enqueued.At(i)
		if at != event.Missing && p.out {
			if at = max(at, p.dequeued.At(i)); p.dequeued.At(i) == event.Missing {
				continue
			}
		}
		if at != event.Missing {
			return at, true
		}
	}
	return 0, false
}

// A Column is the parts of one block's latency.
type Column struct {
	// Span is the stretch of the run that the block stands for, and At when it was
	// committed, in ns since the start of the trace.
	Span Span
	At   int64
	// Parts are in ns; their sum is the time from the first instant to the commit.
	Parts []int64
}

// PartsOverTime divides the time from the first commit to the last into buckets and
// returns, of each that saw a commit, the block that took longest from an instant to
// its commit: the slowest block speaks for its stretch of the run. From Offered on,
// these are the parts of the delivery latency; from Dequeued on, those of the
// committer's service. Blocks of which an instant is missing are left out. The error is
// a *MissingError or, from Offered on, a *SkewError.
func PartsOverTime(tl *traces.Timeline, from event.Kind, buckets int) ([]Part, []Column, error) {
	if err := require(tl, "parts of the latency", from, event.Committed); err != nil {
		return nil, nil, err
	}
	if n, most := before(tl); from == event.Offered {
		if err := skewError(tl, n, most); err != nil {
			return nil, nil, err
		}
	}
	parts := slices.DeleteFunc(PartsOf(tl), func(p Part) bool { return p.From.Precedes(from) })
	if len(parts) == 0 || parts[0].From != from {
		return nil, nil, &MissingError{Stream: tl.Name(), Kind: from, Figure: "parts of the latency", Rare: true}
	}
	kinds := []event.Kind{from}
	for _, p := range parts {
		kinds = append(kinds, p.To) // the last one is Committed
	}
	first, last, _ := tl.Bounds(event.Committed)
	type block struct {
		i        int
		at, took int64
	}
	slowest := make([]block, buckets)
	for b := range slowest {
		slowest[b].i = -1
	}
	for from, w := range tl.Windows(kinds...) {
	next:
		for i, at := range w[len(parts)] {
			for _, c := range w {
				if c[i] == event.Missing {
					continue next
				}
			}
			s := &slowest[bucketOf(at, first, last-first, buckets)]
			if took := at - w[0][i]; s.i < 0 || took > s.took {
				*s = block{from + i, at, took}
			}
		}
	}
	var columns []Column
	for b, s := range slowest {
		if s.i < 0 {
			continue
		}
		edge := func(b int) int64 { return first + int64(float64(b)/float64(buckets)*float64(last-first+1)) }
		c := Column{Span: Span{edge(b), edge(b + 1)}, At: s.at, Parts: make([]int64, len(parts))}
		for p, part := range parts {
			c.Parts[p] = tl.Value(part.To, s.i) - tl.Value(part.From, s.i)
		}
		columns = append(columns, c)
	}
	return parts, columns, nil
}
