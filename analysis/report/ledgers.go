package report

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/blockreel/blockreel/analysis"
)

// A column is a figure of runs into a ledger and how it is written.
type column struct {
	heading, figure string
	write           func(float64) string
}

var (
	rateColumns = []column{
		{"blocks/s", "blocks_per_s", analysis.FormatNumber},
		{"tx/s", "transactions_per_s", analysis.FormatNumber},
		{"MB/s", "bytes_per_s", func(x float64) string { return analysis.FormatNumber(x / 1e6) }},
		{"capacity", "capacity_blocks_per_s", analysis.FormatNumber},
		{"max gap", "max_gap_blocks", analysis.FormatNumber},
		{"p50", "latency_p50_ns", nanoseconds},
		{"p95", "latency_p95_ns", nanoseconds},
		{"p99", "latency_p99_ns", nanoseconds},
		{"on disk", "size_bytes", func(x float64) string { return analysis.FormatBytes(int64(x)) }},
	}
	// stageColumns are the stages of a block by Fabric's names, in its order.
	stageColumns = []column{
		{"validation", "validation_mean_ns", nanoseconds},
		{"state_validation", "state_validation_mean_ns", nanoseconds},
		{"block_and_pvtdata_commit", "block_and_pvtdata_commit_mean_ns", nanoseconds},
		{"state_commit", "state_commit_mean_ns", nanoseconds},
		{"history_commit", "history_commit_mean_ns", nanoseconds},
		{"block", "service_mean_ns", nanoseconds},
		{"p99", "service_p99_ns", nanoseconds},
		{"max", "service_max_ns", nanoseconds},
	}
)

func nanoseconds(x float64) string { return analysis.FormatDuration(int64(x)) }

// Ledgers writes a row a setting of what was measured on real ledgers: medians of its valid
// runs, and below them their ranges. A second table has the mean time of each stage of the
// committer's work.
func Ledgers(w io.Writer, runs []analysis.LedgerRun) error {
	groups := analysis.Repetitions(runs)
	if len(groups) == 0 {
		return nil
	}
	for _, g := range groups {
		if len(g) == 1 { // there is nothing better, and that it is not valid is said below
			g[0].Invalid = ""
		}
	}
	measured := "measured"
	if slices.ContainsFunc(groups, func(g analysis.LedgerRuns) bool { return g[0].Warmup > 0 }) {
		measured = "after the warm-up"
	}
	if err := ledgerTable(w, measured, groups, rateColumns); err != nil {
		return err
	}
	notes := footnote(groups) + "\n"
	for _, why := range slices.Concat(leftOut(groups), notMeasured(groups)) {
		notes += why + "\n"
	}
	if _, err := fmt.Fprintln(w, notes); err != nil {
		return err
	}
	return ledgerTable(w, "mean of a block", groups, stageColumns)
}

func ledgerTable(w io.Writer, heading string, groups []analysis.LedgerRuns, columns []column) error {
	t := table{left: 1}
	cells := []string{heading}
	for _, c := range columns {
		cells = append(cells, c.heading)
	}
	t.add(cells...)
	for _, g := range groups {
		spreads := make([]analysis.Spread, len(columns))
		for i, c := range columns {
			spreads[i] = g.Spread(c.figure)
		}
		t.addSpreads([]string{nameOf(g, groups)}, columns, spreads)
	}
	return t.write(w)
}

// ranges is the name of the row below that of medians.
const ranges = "  least–greatest"

// addSpreads adds a row of medians and, if they are of several runs, one of their ranges.
func (t *table) addSpreads(names []string, columns []column, spreads []analysis.Spread) {
	medians, below := slices.Clone(names), make([]string, len(names))
	below[0] = ranges
	several := false
	for i, s := range spreads {
		if s.Count == 0 {
			medians, below = append(medians, unknown), append(below, "")
			continue
		}
		several = several || s.Count > 1
		write := columns[i].write
		medians, below = append(medians, write(s.Median)), append(below, span(write(s.Min), write(s.Max)))
	}
	if t.add(medians...); several {
		t.add(below...)
	}
}

// span writes a range, and a unit or a number that both ends share only once.
func span(from, to string) string {
	if from == to {
		return to
	}
	if number, unit, ok := strings.Cut(from, " "); ok && strings.HasSuffix(to, " "+unit) && !strings.Contains(unit, " ") {
		from = number
	}
	return from + "–" + to
}

// nameOf names a setting, with the stream where there are several.
func nameOf(g analysis.LedgerRuns, groups []analysis.LedgerRuns) string {
	if slices.ContainsFunc(groups, func(o analysis.LedgerRuns) bool { return streamOf(o) != streamOf(groups[0]) }) {
		return g[0].Setting + " " + streamOf(g)
	}
	return g[0].Setting
}

func streamOf(g analysis.LedgerRuns) string {
	if g[0].Peer == "" {
		return g[0].Channel
	}
	return g[0].Channel + "@" + g[0].Peer
}

// leftOut names the runs that do not count.
func leftOut(groups []analysis.LedgerRuns) (lines []string) {
	for _, g := range groups {
		if line := WithoutRuns(nameOf(g, groups), len(g), g.NotValid()); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

// WithoutRuns says of which runs the medians are: n20-badger: 4 of 5 runs, run 3 is not
// valid. It is empty when they are of all, and for a single run.
func WithoutRuns(name string, runs int, notValid []int) string {
	switch {
	case runs == 1 || len(notValid) == 0:
		return ""
	case len(notValid) == runs:
		return fmt.Sprintf("%s: none of the %d runs is valid", name, runs)
	case len(notValid) == 1:
		return fmt.Sprintf("%s: %d of %d runs, run %d is not valid", name, runs-1, runs, notValid[0])
	}
	numbers := make([]string, len(notValid))
	for i, n := range notValid {
		numbers[i] = strconv.Itoa(n)
	}
	return fmt.Sprintf("%s: %d of %d runs, runs %s are not valid", name, runs-len(notValid), runs, strings.Join(numbers, ", "))
}

// notMeasured lists why figures are not known.
func notMeasured(groups []analysis.LedgerRuns) (reasons []string) {
	for _, g := range groups {
		if why := g[0].NotMeasured; why != "" {
			if why = unknown + " in on disk: " + why; !slices.Contains(reasons, why) {
				reasons = append(reasons, why)
			}
		}
	}
	if slices.ContainsFunc(groups, func(g analysis.LedgerRuns) bool { return g[0].Blocks > 0 && !g[0].Payload.Known() }) {
		reasons = append(reasons, unknown+" in MB/s: the trace does not tell the sizes of its blocks")
	}
	return reasons
}

// footnote says what the figures are made of.
func footnote(groups []analysis.LedgerRuns) string {
	most, least := len(groups[0]), len(groups[0])
	for _, g := range groups {
		most, least = max(most, len(g)), min(least, len(g))
	}
	text := ""
	switch {
	case least != most:
		text = fmt.Sprintf("medians of %d to %d runs, all settings in turn; ", least, most)
	case most > 1:
		text = fmt.Sprintf("medians of %d runs, all settings in turn; ", most)
	}
	return text + warmup(groups)
}

// warmup says which blocks the figures leave out; streams may differ in their number.
func warmup(groups []analysis.LedgerRuns) string {
	var streams []string
	var differ bool
	for _, g := range groups {
		one := streamOf(g) + " " + analysis.FormatBlocks(g[0].Warmup)
		if differ = differ || g[0].Warmup != groups[0][0].Warmup; !slices.Contains(streams, one) {
			streams = append(streams, one)
		}
	}
	switch n := groups[0][0].Warmup; {
	case differ:
		return "the first blocks of a run are its warm-up and count in bytes only: of " + strings.Join(streams, ", ")
	case n == 0:
		return "no warm-up is left out"
	case n == 1:
		return "the first block of a run is its warm-up and counts in bytes only"
	default:
		return fmt.Sprintf("the first %s of a run are its warm-up and count in bytes only", analysis.FormatBlocks(n))
	}
}
