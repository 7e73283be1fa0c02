package analysis

import (
	"slices"

	"github.com/blockreel/blockreel/internal/offheap"
	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// Downsample returns a series of at most 4·buckets steps that looks like s when it
// is drawn buckets pixels wide: of each bucket of time it keeps the first step, the
// least, the greatest and the last, each at its own instant. Nothing is averaged, so
// that a stall of one block stands out as it does in s.
func Downsample(s Series, buckets int) Series {
	n := s.Len()
	if buckets < 1 || n <= 4*buckets {
		return s
	}
	var out Series
	start, span := s.T[0], s.T[n-1]-s.T[0]
	for i := 0; i < n; {
		bucket := bucketOf(s.T[i], start, span, buckets)
		lo, hi, last := i, i, i
		j := i
		for ; j < n && bucketOf(s.T[j], start, span, buckets) == bucket; j++ {
			if s.V[j] < s.V[lo] {
				lo = j
			}
			if s.V[j] > s.V[hi] {
				hi = j
			}
			last = j
		}
		for _, k := range [4]int{i, min(lo, hi), max(lo, hi), last} {
			out.add(s.T[k], s.V[k])
		}
		i = j
	}
	return out
}

// bucketOf returns the bucket of t among buckets equal parts of [start, start+span].
// Times so far apart that their difference is no int64 are in the first or the last.
func bucketOf(t, start, span int64, buckets int) int {
	share := float64(t-start) / (float64(span) + 1)
	return int(min(max(share, 0), 1-1e-12) * float64(buckets))
}

// Depth returns how many blocks the payloads buffer held over time. In traces from
// logs it can exceed 2N + 1 for a moment by a block, because the line that tells of
// a pop is written after it.
func Depth(tl *traces.Timeline) (Series, error) {
	var depth Series
	if err := require(tl, "buffer depth", event.Enqueued, event.Dequeued); err != nil {
		return depth, err
	}
	in, out := paired(tl.Column(event.Enqueued), tl.Column(event.Dequeued))
	defer offheap.Free(in)
	defer offheap.Free(out)
	i, o := 0, 0
	for i < len(in) || o < len(out) {
		// At one instant the pop comes first: it makes room for the push.
		if i < len(in) && (o == len(out) || in[i] < out[o]) {
			depth.add(in[i], int64(max(i+1-o, 0)))
			i++
		} else {
			depth.add(out[o], int64(max(i-o-1, 0)))
			o++
		}
	}
	return depth, nil
}

// paired returns the sorted instants at which blocks came in and went out; of a
// block whose way in is not known neither is there.
func paired(enqueued, dequeued []int64) (in, out []int64) {
	in, out = offheap.Make[int64](len(enqueued))[:0], offheap.Make[int64](len(dequeued))[:0]
	for i, t := range enqueued {
		if t == event.Missing {
			continue
		}
		in = append(in, t)
		if d := dequeued[i]; d != event.Missing {
			out = append(out, max(d, t))
		}
	}
	slices.Sort(in)
	slices.Sort(out)
	return in, out
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
	if err := checkClocks(tl); err != nil && from == event.Offered {
		return nil, nil, err
	}
	parts := slices.DeleteFunc(PartsOf(tl), func(p Part) bool { return p.From.Precedes(from) })
	if len(parts) == 0 || parts[0].From != from {
		return nil, nil, &MissingError{Stream: tl.Name(), Kind: from, Figure: "parts of the latency", Rare: true}
	}
	start, committed := tl.Column(from), tl.Column(event.Committed)
	first, last, _ := bounds(committed)
	slowest := make([]int, buckets)
	for i := range slowest {
		slowest[i] = -1
	}
	for i, at := range committed {
		if !complete(tl, parts, i) {
			continue
		}
		b := bucketOf(at, first, last-first, buckets)
		if s := slowest[b]; s < 0 || at-start[i] > committed[s]-start[s] {
			slowest[b] = i
		}
	}
	var columns []Column
	for b, i := range slowest {
		if i < 0 {
			continue
		}
		edge := func(b int) int64 { return first + int64(float64(b)/float64(buckets)*float64(last-first+1)) }
		c := Column{Span: Span{edge(b), edge(b + 1)}, At: committed[i], Parts: make([]int64, len(parts))}
		for p, part := range parts {
			c.Parts[p] = tl.Value(part.To, i) - tl.Value(part.From, i)
		}
		columns = append(columns, c)
	}
	return parts, columns, nil
}

// complete reports whether all instants that the parts lie between are known.
func complete(tl *traces.Timeline, parts []Part, i int) bool {
	if tl.Value(parts[0].From, i) == event.Missing {
		return false
	}
	for _, p := range parts {
		if tl.Value(p.To, i) == event.Missing {
			return false
		}
	}
	return true
}
