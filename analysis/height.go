package analysis

import (
	"fmt"
	"math"

	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

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
func Heights(tl *traces.Timeline) (orderer, peer Curve, err error) {
	if err := require(tl, "heights", event.Offered, event.Committed); err != nil {
		return nil, nil, err
	}
	first := int64(tl.First)
	height := func(of func(o, p int) int) Curve {
		return func(yield func(int64, int64) bool) {
			last := int64(-1)
			walkHeights(tl, func(t int64, o, p int) bool {
				now := first + int64(of(o, p))
				if now == last {
					return true
				}
				last = now
				return yield(t, now)
			})
		}
	}
	return height(func(o, _ int) int { return o }), height(func(_, p int) int { return p }), nil
}

// Gap returns the height gap, orderer height − peer height, over time. It ends where
// [Heights] end.
func Gap(tl *traces.Timeline) (Curve, error) {
	if err := require(tl, "height gap", event.Offered, event.Committed); err != nil {
		return nil, err
	}
	return func(yield func(int64, int64) bool) {
		walkHeights(tl, func(t int64, o, p int) bool { return yield(t, int64(o-p)) })
	}, nil
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
	walkHeights(tl, func(t int64, o, p int) bool {
		if first {
			s.MaxAt, first = t, false
		} else {
			seen := t - last
			if len(hidden) > 0 {
				seen -= overlap([]Span{{last, t}}, hidden)
			}
			area, observed = area+float64(s.Final)*float64(seen), observed+seen
		}
		last, s.Final = t, int64(o-p)
		if covered(t, blind) {
			return true
		}
		if s.Final > s.Max {
			s.Max, s.MaxAt, s.CaughtUp = s.Final, t, Optional[int64]{}
		}
		if s.Final == 0 && s.Max > 0 && !s.CaughtUp.Known() {
			s.CaughtUp = Known(t)
		}
		return true
	})
	if observed > 0 {
		s.Mean = area / float64(observed)
	}
	return s
}

// walkHeights merges offered and committed times and calls visit once an instant
// at which a height changed, in order, with the blocks of the timeline that the
// orderer and the peer then hold, as long as visit returns true. Instants before the first offer
// and behind the horizon are left out. Blocks before the first of which either was seen, a trace may
// show their sizes, are in both ledgers.
func walkHeights(tl *traces.Timeline, visit func(t int64, orderer, peer int) bool) {
	offered, committed := newGrowth(tl, event.Offered), newGrowth(tl, event.Committed)
	end := horizon(tl)
	begin := unseenFirst(tl)
	o, p := begin, begin
	next := func(g *growth, i int) int64 {
		if i < g.n {
			return g.at(i)
		}
		return math.MaxInt64
	}
	offer, commit := next(offered, o), next(committed, p)
	for o < offered.n || p < committed.n {
		t := min(offer, commit)
		if o > begin && t > end {
			return
		}
		for offer == t && o < offered.n {
			o++
			offer = next(offered, o)
		}
		for commit == t && p < committed.n {
			p++
			commit = next(committed, p)
		}
		if o > begin && !visit(t, max(o, p), p) {
			return
		}
	}
}

// unseenFirst counts the blocks before the first that was offered or committed.
func unseenFirst(tl *traces.Timeline) int {
	offered, committed := tl.Cursor(event.Offered), tl.Cursor(event.Committed)
	n := 0
	for n < tl.Len() && offered.At(n) == event.Missing && committed.At(n) == event.Missing {
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
	offered, committed := tl.Cursor(event.Offered), tl.Cursor(event.Committed)
	n := 0
	for i := tl.Len() - 1; i >= 0 && committed.At(i) == event.Missing; i-- {
		if offered.At(i) != event.Missing {
			n++
		}
	}
	return n
}

// A growth gives the instants at which a ledger grew: for every block the first one at which it or
// a later block was seen, up to the last block that was seen at all.
type growth struct {
	cursor traces.Cursor
	n      int
	// later is nil when the instants ascend without holes: then they are those of the blocks. Or
	// it has the least instant behind each window of growthBlocks.
	later []int64

	from   int
	values []int64 // from block from on
}

const growthBlocks = 1024

func newGrowth(tl *traces.Timeline, k event.Kind) *growth {
	g := &growth{cursor: tl.Cursor(k), n: tl.Len()}
	if tl.Ascends(k) {
		return g
	}
	if !g.cursor.Known() {
		g.n = 0
	}
	for g.n > 0 && g.cursor.At(g.n-1) == event.Missing {
		g.n--
	}
	g.later = make([]int64, (g.n+growthBlocks-1)/growthBlocks)
	least := int64(math.MaxInt64)
	for i := g.n - 1; i >= 0; i-- {
		if i%growthBlocks == growthBlocks-1 || i == g.n-1 {
			g.later[i/growthBlocks] = least
		}
		if v := g.cursor.At(i); v != event.Missing {
			least = min(least, v)
		}
	}
	return g
}

// at returns the instant of block i, which is below n.
func (g *growth) at(i int) int64 {
	if at := uint(i - g.from); at < uint(len(g.values)) {
		return g.values[at]
	}
	return g.seek(i)
}

func (g *growth) seek(i int) int64 {
	if g.later == nil {
		g.from, g.values = g.cursor.Window(i)
		return g.values[i-g.from]
	}
	g.from = i / growthBlocks * growthBlocks
	g.values = append(g.values[:0], make([]int64, min(growthBlocks, g.n-g.from))...)
	least := g.later[i/growthBlocks]
	for j := len(g.values) - 1; j >= 0; j-- {
		if v := g.cursor.At(g.from + j); v != event.Missing {
			least = min(least, v)
		}
		g.values[j] = least
	}
	return g.values[i-g.from]
}
