package analysis

import (
	"fmt"
	"slices"
	"strconv"
)

// LedgerRuns are the repetitions of one setting for one stream.
type LedgerRuns []LedgerRun

// Repetitions gathers the runs of each setting and stream, in the order of their first.
func Repetitions(runs []LedgerRun) []LedgerRuns {
	var all []LedgerRuns
	for _, r := range runs {
		i := slices.IndexFunc(all, func(g LedgerRuns) bool {
			return g[0].Setting == r.Setting && g[0].Channel == r.Channel && g[0].Peer == r.Peer
		})
		if i < 0 {
			all = append(all, LedgerRuns{r})
			continue
		}
		all[i] = append(all[i], r)
	}
	return all
}

// Spread returns the spread of a figure over the runs that know it.
func (g LedgerRuns) Spread(figure func(*LedgerRun) Optional[float64]) Spread {
	return SpreadOf(g.values(figure))
}

func (g LedgerRuns) values(figure func(*LedgerRun) Optional[float64]) (values []float64) {
	for i := range g {
		if x, ok := figure(&g[i]).Get(); ok {
			values = append(values, x)
		}
	}
	return values
}

// CompareLedgers compares what repeated runs have measured, a sentence for each two settings: those
// that they tell apart with the probability of the rank test, and in doubtful those that they do
// not. The figure is blocks a second where there was no pace, else, since the rate is
// then the arrivals', the mean delivery latency. All ledgers are compared that ran
// with the same buffer, and of each ledger every buffer with the next larger one.
func CompareLedgers(runs []LedgerRun) (apart, doubtful []string) {
	byStream := map[string][]LedgerRuns{}
	var names []string
	for _, g := range Repetitions(runs) {
		name := g[0].Channel + "@" + g[0].Peer
		if byStream[name] == nil {
			names = append(names, name)
		}
		byStream[name] = append(byStream[name], g)
	}
	for _, name := range names {
		told, doubts := verdicts(byStream[name])
		if len(names) > 1 {
			for i := range told {
				told[i] = name + ": " + told[i]
			}
			for i := range doubts {
				doubts[i] = name + ": " + doubts[i]
			}
		}
		apart, doubtful = append(apart, told...), append(doubtful, doubts...)
	}
	return apart, doubtful
}

func verdicts(groups []LedgerRuns) (apart, doubtful []string) {
	if len(groups) < 2 {
		return nil, nil
	}
	if slices.ContainsFunc(groups, func(g LedgerRuns) bool { return len(g) == 1 }) {
		return nil, []string{"each setting ran once: how much two runs of one setting differ on this machine is not known (--repeat 5)"}
	}
	c := comparison{
		what: "blocks/s", say: "%s commits %s × as many blocks/s as %s", write: FormatNumber,
		figure: func(r *LedgerRun) Optional[float64] { return r.BlockRate },
	}
	if !groups[0][0].Unpaced {
		c = comparison{
			what: "mean latency", say: "%s has %s × the mean latency of %s",
			write: func(x float64) string { return FormatDuration(int64(x)) },
			figure: func(r *LedgerRun) Optional[float64] {
				if r.Latency == nil {
					return Optional[float64]{}
				}
				return Known(r.Latency.Mean)
			},
		}
	}
	c.buffers = slices.ContainsFunc(groups, func(g LedgerRuns) bool { return g[0].Buffer != groups[0][0].Buffer })
	for i, a := range groups {
		for _, b := range groups[i+1:] {
			if a[0].Buffer == b[0].Buffer || a[0].Ledger == b[0].Ledger && next(groups, a, b) {
				c.compare(a, b)
			}
		}
	}
	return c.apart, c.doubtful
}

// next reports whether no group of the ledger of a and b has a buffer between theirs.
func next(groups []LedgerRuns, a, b LedgerRuns) bool {
	low, high := min(a[0].Buffer, b[0].Buffer), max(a[0].Buffer, b[0].Buffer)
	return !slices.ContainsFunc(groups, func(g LedgerRuns) bool {
		return g[0].Ledger == a[0].Ledger && g[0].Buffer > low && g[0].Buffer < high
	})
}

// A comparison gathers the sentences about one figure.
type comparison struct {
	what, say       string
	write           func(float64) string
	figure          func(*LedgerRun) Optional[float64]
	buffers         bool // the settings have several buffers
	apart, doubtful []string
}

func (c *comparison) compare(a, b LedgerRuns) {
	if a.Spread(c.figure).Median < b.Spread(c.figure).Median {
		a, b = b, a
	}
	p, why := Apart(c.name(a), a.values(c.figure), c.name(b), b.values(c.figure), c.write)
	switch {
	case why != "":
		c.doubtful = append(c.doubtful, c.what+": "+why)
	case p > 0:
		ratio := a.Spread(c.figure).Median / b.Spread(c.figure).Median
		c.apart = append(c.apart, fmt.Sprintf(c.say+" (rank test, p = %.2g)", c.name(a), strconv.FormatFloat(ratio, 'g', 3, 64), c.name(b), p))
	}
}

func (c *comparison) name(g LedgerRuns) string {
	if !c.buffers {
		return g[0].Ledger
	}
	if g[0].Buffer == 0 {
		return g[0].Ledger + " unbounded"
	}
	return fmt.Sprintf("%s with N = %d", g[0].Ledger, g[0].Buffer)
}
