package analysis

import (
	"fmt"
	"math"

	"github.com/blockreel/blockreel/internal/offheap"
	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// A Series is a step curve: from T[i] until T[i+1] its value is V[i]. The times
// increase strictly.
type Series struct {
	T, V []int64
}

// Len is the number of steps.
func (s Series) Len() int { return len(s.T) }

func (s *Series) add(t, v int64) {
	if n := len(s.T); n > 0 && s.T[n-1] == t {
		s.V[n-1] = v
		return
	}
	s.T, s.V = offheap.Append(s.T, t), offheap.Append(s.V, v)
}

// Free gives the memory of the series back, which the collector may not do of a long one.
func (s *Series) Free() {
	offheap.Free(s.T)
	offheap.Free(s.V)
	*s = Series{}
}

// MissingError says that a trace lacks what a figure is made of.
type MissingError struct {
	Stream string     // name of the stream
	Kind   event.Kind // kind that was not observed
	Figure string     // what cannot be computed
	// Rare says that the kind was observed, but of too few of the committed blocks.
	Rare bool
}

func (e *MissingError) Error() string {
	lacks := fmt.Sprintf("the trace holds no %q times", e.Kind)
	if e.Rare {
		lacks = fmt.Sprintf("of the committed blocks fewer than nine in ten have %q times", e.Kind)
	}
	return fmt.Sprintf("%s of stream %s: %s; %s", e.Figure, e.Stream, lacks, e.Kind.Source())
}

// require returns a *MissingError for the first of the kinds that tl lacks.
func require(tl *traces.Timeline, figure string, kinds ...event.Kind) error {
	for _, k := range kinds {
		if tl.Observed(k) == 0 {
			return &MissingError{Stream: tl.Name(), Kind: k, Figure: figure}
		}
	}
	return nil
}

// Heights returns the heights of the orderer's and the peer's ledger over time.
// A ledger's height is above n from the first instant at which block n, or any
// later block, was seen in it: ledgers grow in order, so that a line that was lost
// or written out of order does not dent the curve. And the orderer's height is at
// least the peer's. When offered blocks are not committed within the trace, the
// curves end with the peer's last event: what it did later was not recorded.
func Heights(tl *traces.Timeline) (orderer, peer Series, err error) {
	if err := require(tl, "heights", event.Offered, event.Committed); err != nil {
		return orderer, peer, err
	}
	walkHeights(tl, func(t int64, o, p int) {
		first := int64(tl.First)
		if n := orderer.Len(); n == 0 || orderer.V[n-1] != first+int64(o) {
			orderer.add(t, first+int64(o))
		}
		if n := peer.Len(); n == 0 || peer.V[n-1] != first+int64(p) {
			peer.add(t, first+int64(p))
		}
	})
	return orderer, peer, nil
}

// Gap returns the height gap, orderer height − peer height, over time. It ends where
// [Heights] end.
func Gap(tl *traces.Timeline) (Series, error) {
	var gap Series
	if err := require(tl, "height gap", event.Offered, event.Committed); err != nil {
		return gap, err
	}
	walkHeights(tl, func(t int64, o, p int) { gap.add(t, int64(o-p)) })
	return gap, nil
}

// GapSummary describes a height gap curve, from the first offer to the last step. While a
// node is not observed its height stands still: that time counts neither for Max nor for
// Mean.
type GapSummary struct {
	// Max is the greatest gap in blocks and MaxAt the first instant that has it, in
	// ns since the start of the trace.
	Max   int64 `json:"max_blocks"`
	MaxAt int64 `json:"max_at_ns"`
	// Mean is the time-weighted mean in blocks over the time in which both were observed.
	Mean float64 `json:"mean_blocks"`
	// Final is the gap at the end of the curve. CaughtUp is the first instant after
	// MaxAt at which the gap was zero.
	Final    int64           `json:"final_blocks"`
	CaughtUp Optional[int64] `json:"caught_up_at_ns"`
}

// summarizeGap walks the gap curve without making it; nil when it is unknown.
func summarizeGap(tl *traces.Timeline, blind []BlindSpan) *GapSummary {
	if require(tl, "", event.Offered, event.Committed) != nil {
		return nil
	}
	blind = stale(tl, blind)
	hidden := spansOf(blind, "")
	s := &GapSummary{}
	var last, observed int64
	area, first := 0.0, true
	walkHeights(tl, func(t int64, o, p int) {
		if first {
			s.MaxAt, first = t, false
		} else {
			seen := t - last - overlap([]Span{{last, t}}, hidden)
			area, observed = area+float64(s.Final)*float64(seen), observed+seen
		}
		last, s.Final = t, int64(o-p)
		if covered(t, blind) {
			return
		}
		if s.Final > s.Max {
			s.Max, s.MaxAt, s.CaughtUp = s.Final, t, Optional[int64]{}
		}
		if s.Final == 0 && s.Max > 0 && !s.CaughtUp.Known() {
			s.CaughtUp = Known(t)
		}
	})
	if observed > 0 {
		s.Mean = area / float64(observed)
	}
	return s
}

// walkHeights merges offered and committed times and calls visit once an instant
// at which a height changed, in order, with the blocks of the timeline that the
// orderer and the peer then hold. Instants before the first offer and behind the
// horizon are left out. Blocks before the first of which either was seen, a trace may tell
// their sizes, are in both ledgers.
func walkHeights(tl *traces.Timeline, visit func(t int64, orderer, peer int)) {
	offered, made := heightTimes(tl.Column(event.Offered))
	defer offheap.Free(made)
	committed, made := heightTimes(tl.Column(event.Committed))
	defer offheap.Free(made)
	end := horizon(tl)
	begin := unseenFirst(tl)
	o, p := begin, begin
	for o < len(offered) || p < len(committed) {
		var t int64
		if o < len(offered) && (p == len(committed) || offered[o] <= committed[p]) {
			t = offered[o]
		} else {
			t = committed[p]
		}
		if o > begin && t > end {
			return
		}
		for o < len(offered) && offered[o] == t {
			o++
		}
		for p < len(committed) && committed[p] == t {
			p++
		}
		if o > begin {
			visit(t, max(o, p), p)
		}
	}
}

// unseenFirst counts the blocks before the first that was offered or committed.
func unseenFirst(tl *traces.Timeline) int {
	n := 0
	for n < tl.Len() && tl.Value(event.Offered, n) == event.Missing && tl.Value(event.Committed, n) == event.Missing {
		n++
	}
	return n
}

// horizon returns the last instant of which the heights are known. A peer whose log or
// recorder ended early looks like one that stands still, so while blocks are still to
// be committed that is the peer's last event.
func horizon(tl *traces.Timeline) int64 {
	if backlog(tl) == 0 {
		return math.MaxInt64
	}
	end := int64(math.MinInt64)
	for _, k := range event.Way() {
		if _, last, n := tl.Bounds(k); n > 0 && event.Sent.Precedes(k) { // the orderer's end with Sent
			end = max(end, last)
		}
	}
	return end
}

// backlog counts the offered blocks behind the last one that was committed.
func backlog(tl *traces.Timeline) int {
	offered, committed := tl.Column(event.Offered), tl.Column(event.Committed)
	n := 0
	for i := len(offered) - 1; i >= 0 && (committed == nil || committed[i] == event.Missing); i-- {
		if offered[i] != event.Missing {
			n++
		}
	}
	return n
}

// heightTimes returns for every block the first instant at which it or a later
// block was seen, cut after the last block that was seen at all. Where that is not the column
// itself, it was made and is to be freed.
func heightTimes(col []int64) (times, made []int64) {
	n := len(col)
	for n > 0 && col[n-1] == event.Missing {
		n--
	}
	col = col[:n]
	// Missing is the least int64, so this also finds holes.
	ordered := true
	for i, v := range col {
		if v == event.Missing || i > 0 && v < col[i-1] {
			ordered = false
			break
		}
	}
	if ordered {
		return col, nil
	}
	times = offheap.Make[int64](n)
	for i := n - 1; i >= 0; i-- {
		times[i] = col[i]
		if i+1 < n && (col[i] == event.Missing || times[i+1] < col[i]) {
			times[i] = times[i+1]
		}
	}
	return times, times
}
