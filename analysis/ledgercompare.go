package analysis

import (
	"fmt"
	"slices"
	"strings"
)

// A LedgerComparison holds the runs of two settings of one stream against each other by one
// figure, with the rank test.
type LedgerComparison struct {
	Channel string `json:"channel"`
	Peer    string `json:"peer"`
	// Figure is blocks_per_s where there was no pace, else, since the rate is then the
	// arrivals', latency_mean_ns.
	Figure string `json:"figure"`
	// Greater is the setting with the greater median, and Lesser the other one; Ratio is
	// the one median by the other.
	Greater string            `json:"greater"`
	Lesser  string            `json:"lesser"`
	Ratio   Optional[float64] `json:"ratio"`
	// P is the probability that two equal settings differ as much in their ranks, and
	// Corrected is P as Holm corrects it for all Comparisons that were made. Not known where
	// there are so few runs that they could not tell the settings apart, whatever they are.
	P           Optional[float64] `json:"p"`
	Corrected   Optional[float64] `json:"p_holm"`
	Comparisons int               `json:"comparisons"`
	// Apart: the runs tell the settings apart.
	Apart bool `json:"told_apart"`

	a, b    []float64 // of Greater and Lesser
	what    *comparedBy
	names   [2]string
	streams bool
}

// comparedBy is how a figure is written.
type comparedBy struct {
	figure, what, say string
	write             func(float64) string
}

var (
	byRate    = &comparedBy{"blocks_per_s", "blocks/s", "%s commits %s × as many blocks/s as %s", FormatNumber}
	byLatency = &comparedBy{"latency_mean_ns", "mean latency", "%s has %s × the mean latency of %s",
		func(x float64) string { return FormatDuration(int64(x)) }}
)

// CompareLedgers compares what repeated runs have measured. All ledgers are compared that
// ran with the same buffer, and of each ledger every buffer with the next larger one. Runs that
// are not valid do not count.
func CompareLedgers(runs []LedgerRun) []LedgerComparison {
	groups := Repetitions(runs)
	var all []LedgerComparison
	same := func(a, b LedgerRuns) bool { return a[0].Channel == b[0].Channel && a[0].Peer == b[0].Peer }
	several := slices.ContainsFunc(groups, func(g LedgerRuns) bool { return !same(g, groups[0]) })
	buffers := slices.ContainsFunc(groups, func(g LedgerRuns) bool { return g[0].Buffer != groups[0][0].Buffer })
	for i, a := range groups {
		for _, b := range groups[i+1:] {
			if !same(a, b) || a[0].Buffer != b[0].Buffer && (a[0].Ledger != b[0].Ledger || !next(groups, a, b)) {
				continue
			}
			c := compared(a, b, buffers)
			if c.streams = several; len(c.a) > 0 && len(c.b) > 0 {
				all = append(all, c)
			}
		}
	}
	correct(all)
	return all
}

// next reports whether no group of the ledger of a and b has a buffer between theirs.
func next(groups []LedgerRuns, a, b LedgerRuns) bool {
	low, high := min(a[0].Buffer.Or(0), b[0].Buffer.Or(0)), max(a[0].Buffer.Or(0), b[0].Buffer.Or(0))
	return !slices.ContainsFunc(groups, func(g LedgerRuns) bool {
		return g[0].Ledger == a[0].Ledger && g[0].Buffer.Or(0) > low && g[0].Buffer.Or(0) < high
	})
}

func compared(a, b LedgerRuns, buffers bool) LedgerComparison {
	by := byRate
	if !a[0].Unpaced {
		by = byLatency
	}
	if a.Spread(by.figure).Median < b.Spread(by.figure).Median {
		a, b = b, a
	}
	c := LedgerComparison{
		Channel: a[0].Channel, Peer: a[0].Peer, Figure: by.figure, Greater: a[0].Setting, Lesser: b[0].Setting,
		a: a.values(by.figure), b: b.values(by.figure), what: by, names: [2]string{a.name(buffers), b.name(buffers)},
	}
	if least := SpreadOf(c.b).Median; least > 0 {
		c.Ratio = Known(SpreadOf(c.a).Median / least)
	}
	return c
}

// name is the ledger's, with the buffer where there are several.
func (g LedgerRuns) name(buffers bool) string {
	switch {
	case !buffers:
		return g[0].Ledger
	case !g[0].Buffer.Known():
		return g[0].Ledger + " unbounded"
	}
	return fmt.Sprintf("%s with N = %d", g[0].Ledger, g[0].Buffer.Or(0))
}

// correct tests all comparisons that have enough runs, as one family.
func correct(all []LedgerComparison) {
	var tested []*LedgerComparison
	var p []float64
	for i := range all {
		if c := &all[i]; disjoint(len(c.a), len(c.b)) <= significance {
			tested, p = append(tested, c), append(p, RankTest(c.a, c.b))
		}
	}
	for i, corrected := range holm(p) {
		c := tested[i]
		c.P, c.Corrected, c.Apart = Known(p[i]), Known(corrected), corrected <= significance
	}
	for i := range all {
		all[i].Comparisons = len(tested)
	}
}

// Sentences says of each comparison what it tells: of those that tell two settings apart,
// and in doubtful of those that do not.
func Sentences(all []LedgerComparison) (apart, doubtful []string) {
	if len(all) > 0 && !slices.ContainsFunc(all, func(c LedgerComparison) bool { return len(c.a) > 1 || len(c.b) > 1 }) {
		return nil, []string{"each setting ran once: how much two runs of one setting differ on this machine is not known (--repeat 5)"}
	}
	var few []fewRuns
	for i := range all {
		c := &all[i]
		stream := ""
		if c.streams {
			stream = c.Channel + "@" + c.Peer + ": "
		}
		switch head := stream + c.what.what + ": "; {
		case c.Apart:
			apart = append(apart, stream+c.told())
		case !c.P.Known() && min(len(c.a), len(c.b)) > 1:
			few = addFew(few, head, c)
		default:
			doubtful = append(doubtful, head+c.untold(runsFor(max(1, c.Comparisons))))
		}
	}
	for _, f := range few {
		doubtful = append(doubtful, f.sentence(runsFor(len(all))))
	}
	return apart, doubtful
}

// fewRuns are settings of which there are so few runs that no two can be told apart, whatever
// they are.
type fewRuns struct {
	head           string
	least, most    int // runs of a setting
	names, members []string
}

// addFew puts the two settings of a comparison to those that have as many runs.
func addFew(few []fewRuns, head string, c *LedgerComparison) []fewRuns {
	one := fewRuns{head: head, least: min(len(c.a), len(c.b)), most: max(len(c.a), len(c.b))}
	at := slices.IndexFunc(few, func(f fewRuns) bool { return f.head == one.head && f.least == one.least && f.most == one.most })
	if at < 0 {
		at, few = len(few), append(few, one)
	}
	f := &few[at]
	for i, values := range [][]float64{c.a, c.b} {
		if name := c.names[i]; !slices.Contains(f.names, name) {
			f.names, f.members = append(f.names, name), append(f.members, fmt.Sprintf("%s (%s)", name, c.ranges(values)))
		}
	}
	return few
}

func (f *fewRuns) sentence(runs int) string {
	last := len(f.members) - 1
	number := fmt.Sprintf("%d runs of each", f.least)
	if f.most > f.least {
		number = fmt.Sprintf("%d and %d runs", f.least, f.most)
	}
	return fmt.Sprintf("%s%s and %s: %s cannot tell settings apart, whatever they are: of equal ones, the ranges of so many are disjoint in 1 of %.0f cases (--repeat %d or more)",
		f.head, strings.Join(f.members[:last], ", "), f.members[last], number, 1/disjoint(f.least, f.most), max(5, runs))
}

func (c *LedgerComparison) told() string {
	ratio := "many"
	if x, ok := c.Ratio.Get(); ok {
		ratio = FormatNumber(x)
	}
	test := fmt.Sprintf(" (rank test, p = %.2g)", c.Corrected.Or(1))
	if c.Comparisons > 1 {
		test = fmt.Sprintf(" (rank test, p = %.2g, corrected for %d comparisons by Holm)", c.Corrected.Or(1), c.Comparisons)
	}
	return fmt.Sprintf(c.what.say, c.names[0], ratio, c.names[1]) + test
}

// untold says why the settings are not told apart, and how many runs it would take.
func (c *LedgerComparison) untold(runs int) string {
	both := fmt.Sprintf("%s (%s) and %s (%s)", c.names[0], c.ranges(c.a), c.names[1], c.ranges(c.b))
	n, m := len(c.a), len(c.b)
	if n == 1 || m == 1 {
		once := c.names[0]
		if n > 1 {
			once = c.names[1]
		}
		return fmt.Sprintf("%s: of %s there is one run alone, and how much two runs of one setting differ is not known (--repeat %d)", both, once, max(5, runs))
	}
	p := c.P.Or(1)
	text := fmt.Sprintf("%s cannot be told apart on this machine: two equal settings differ as much with probability %.2g", both, p)
	if p <= significance {
		text += fmt.Sprintf(", and %d comparisons make that %.2g (Holm)", c.Comparisons, c.Corrected.Or(1))
		if min(n, m) < runs {
			text += fmt.Sprintf("; so many take --repeat %d or more", runs)
		}
	}
	return text
}

func (c *LedgerComparison) ranges(values []float64) string {
	s := SpreadOf(values)
	if s.Count == 1 {
		return c.what.write(s.Median)
	}
	return c.what.write(s.Min) + " to " + c.what.write(s.Max)
}
