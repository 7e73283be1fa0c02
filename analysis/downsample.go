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
	if passagesAscend(tl) {
		return func(yield func(int64, int64) bool) {
			in, out := newPassages(tl), newPassages(tl)
			depthOf(in.nextIn, out.nextOut, yield)
		}, nil
	}
	in, out := sortedPassages(tl)
	return func(yield func(int64, int64) bool) { depthOf(each(in), each(out), yield) }, nil
}

// depthOf merges the instants at which blocks came in and went out, each in order.
func depthOf(nextIn, nextOut func() (int64, bool), yield func(int64, int64) bool) {
	in, more := nextIn()
	out, left := nextOut()
	depth, at := int64(0), int64(event.Missing)
	for more || left {
		before, was := depth, at
		// At one instant the pop comes first: it makes room for the push.
		if more && (!left || in < out) {
			depth, at = depth+1, in
			in, more = nextIn()
		} else {
			depth, at = depth-1, out
			out, left = nextOut()
		}
		if was != event.Missing && was != at && !yield(was, max(before, 0)) {
			return
		}
	}
	if at != event.Missing {
		yield(at, max(depth, 0))
	}
}

// passages gives when blocks came into the buffer and went out, in the order of the blocks; of a
// block whose way in is not known neither is there.
type passages struct {
	enqueued, dequeued traces.Cursor
	i, n               int
}

func newPassages(tl *traces.Timeline) *passages {
	return &passages{tl.Cursor(event.Enqueued), tl.Cursor(event.Dequeued), 0, tl.Len()}
}

func (p *passages) nextIn() (int64, bool) {
	for p.i < p.n {
		in := p.enqueued.At(p.i)
		p.i++
		if in != event.Missing {
			return in, true
		}
	}
	return 0, false
}

func (p *passages) nextOut() (int64, bool) {
	for p.i < p.n {
		in, out := p.enqueued.At(p.i), p.dequeued.At(p.i)
		p.i++
		if in != event.Missing && out != event.Missing {
			return max(in, out), true
		}
	}
	return 0, false
}

func passagesAscend(tl *traces.Timeline) bool {
	for _, next := range []func() (int64, bool){newPassages(tl).nextIn, newPassages(tl).nextOut} {
		last := int64(event.Missing)
		for at, ok := next(); ok; at, ok = next() {
			if at < last {
				return false
			}
			last = at
		}
	}
	return true
}

// sortedPassages returns the instants in order.
func sortedPassages(tl *traces.Timeline) (in, out []int64) {
	p := newPassages(tl)
	for at, ok := p.nextIn(); ok; at, ok = p.nextIn() {
		in = append(in, at)
	}
	p = newPassages(tl)
	for at, ok := p.nextOut(); ok; at, ok = p.nextOut() {
		out = append(out, at)
	}
	slices.Sort(in)
	slices.Sort(out)
	return in, out
}

// each returns a function that gives the values one by one.
func each(values []int64) func() (int64, bool) {
	return func() (int64, bool) {
		if len(values) == 0 {
			return 0, false
		}
		v := values[0]
		values = values[1:]
		return v, true
	}
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
