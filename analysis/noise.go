package analysis

import (
	"cmp"
	"fmt"
	"slices"
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

// Indistinct says, a sentence each, which settings the runs cannot tell apart: by blocks a
// second where there was no pace, else, since the rate is then the arrivals', by the
// mean delivery latency. Each setting is compared with the next better one.
func Indistinct(runs []LedgerRun) (sentences []string) {
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
		sentences = append(sentences, indistinct(byStream[name])...)
	}
	return sentences
}

func indistinct(groups []LedgerRuns) (sentences []string) {
	if len(groups) < 2 {
		return nil
	}
	figure, what, write := func(r *LedgerRun) Optional[float64] { return r.BlockRate }, "blocks/s", FormatNumber
	if !groups[0][0].Unpaced {
		what = "mean latency"
		figure = func(r *LedgerRun) Optional[float64] {
			if r.Latency == nil {
				return Optional[float64]{}
			}
			return Known(r.Latency.Mean)
		}
		write = func(x float64) string { return FormatDuration(int64(x)) }
	}
	if slices.ContainsFunc(groups, func(g LedgerRuns) bool { return len(g) == 1 }) {
		return []string{"each setting ran once: how much two runs of one setting differ on this machine is not known (--repeat 5)"}
	}
	slices.SortStableFunc(groups, func(a, b LedgerRuns) int {
		return cmp.Compare(a.Spread(figure).Median, b.Spread(figure).Median)
	})
	for i := 1; i < len(groups); i++ {
		a, b := groups[i-1], groups[i]
		if s := Apart(a[0].Setting, a.values(figure), b[0].Setting, b.values(figure), write); s != "" {
			sentences = append(sentences, fmt.Sprintf("%s: %s", what, s))
		}
	}
	return sentences
}
