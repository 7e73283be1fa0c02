package report

import (
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/blockreel/blockreel/analysis"
)

// Ledgers writes a row a setting of what was measured on real ledgers: medians of its
// runs, and for the first figures the range of all of them. A second table has the mean
// time of each stage of the committer's work.
func Ledgers(w io.Writer, runs []analysis.LedgerRun) error {
	groups := analysis.Repetitions(runs)
	if len(groups) == 0 {
		return nil
	}
	streams := slices.ContainsFunc(groups, func(g analysis.LedgerRuns) bool {
		return g[0].Channel != groups[0][0].Channel || g[0].Peer != groups[0][0].Peer
	})
	name := func(g analysis.LedgerRuns) string {
		if !streams {
			return g[0].Setting
		}
		return g[0].Setting + " " + stream1(&g[0])
	}
	t := table{left: 1}
	measured := "measured"
	if groups[0][0].Warmup > 0 {
		measured = "after the warm-up"
	}
	t.add(measured, "blocks/s", "tx/s", "MB/s", "capacity", "max gap", "p50", "p95", "p99", "on disk", "written", "÷ payload")
	for _, g := range groups {
		t.add(ledgerRow(name(g), g)...)
	}
	if err := t.write(w); err != nil {
		return err
	}
	notes := footnote(groups) + "\n"
	for _, why := range notMeasured(groups) {
		notes += why + "\n"
	}
	if _, err := fmt.Fprintln(w, notes); err != nil {
		return err
	}
	return stages(w, groups, name)
}

func stream1(r *analysis.LedgerRun) string {
	if r.Peer == "" {
		return r.Channel
	}
	return r.Channel + "@" + r.Peer
}

// notMeasured lists why figures are not known.
func notMeasured(groups []analysis.LedgerRuns) (reasons []string) {
	for _, g := range groups {
		if why := g[0].NotMeasured; why != "" && !g[0].Written.Known() {
			why = unknown + " in written and ÷ payload: " + why
			if !slices.Contains(reasons, why) {
				reasons = append(reasons, why)
			}
		}
	}
	if slices.ContainsFunc(groups, func(g analysis.LedgerRuns) bool { return g[0].Blocks > 0 && !g[0].Payload.Known() }) {
		reasons = append(reasons, unknown+" in MB/s and ÷ payload: the trace does not tell the sizes of its blocks")
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
		text = fmt.Sprintf("medians of %d to %d runs (least–greatest), all settings in turn; ", least, most)
	case most > 1:
		text = fmt.Sprintf("medians of %d runs (least–greatest), all settings in turn; ", most)
	}
	switch first := groups[0][0]; first.Warmup {
	case 0:
		text += "no warm-up is left out"
	case 1:
		text += "the first block of a run is its warm-up and counts in bytes only"
	default:
		text += fmt.Sprintf("the first %s of a run are its warm-up and count in bytes only", analysis.FormatBlocks(first.Warmup))
	}
	return text
}

func ledgerRow(name string, g analysis.LedgerRuns) []string {
	type run = analysis.LedgerRun
	type figure = func(*run) analysis.Optional[float64]
	write := func(f figure, format func(float64) string, ranged bool) string {
		s := g.Spread(f)
		switch {
		case s.Count == 0:
			return unknown
		case s.Count > 1 && ranged:
			return fmt.Sprintf("%s (%s–%s)", format(s.Median), format(s.Min), format(s.Max))
		}
		return format(s.Median)
	}
	whole := func(f func(*run) analysis.Optional[int64]) figure {
		return func(r *run) analysis.Optional[float64] {
			if v, ok := f(r).Get(); ok {
				return analysis.Known(float64(v))
			}
			return analysis.Optional[float64]{}
		}
	}
	latency := func(part func(*analysis.Quantiles) int64) figure {
		return whole(func(r *run) analysis.Optional[int64] {
			if r.Latency == nil {
				return analysis.Optional[int64]{}
			}
			return analysis.Known(part(r.Latency))
		})
	}
	mega := func(x float64) string { return analysis.FormatNumber(x / 1e6) }
	duration := func(x float64) string { return analysis.FormatDuration(int64(x)) }
	bytes := func(x float64) string { return analysis.FormatBytes(int64(x)) }
	times := func(x float64) string { return strconv.FormatFloat(x, 'f', 2, 64) }
	return []string{
		name,
		write(func(r *run) analysis.Optional[float64] { return r.BlockRate }, analysis.FormatNumber, true),
		write(func(r *run) analysis.Optional[float64] { return r.TransactionRate }, analysis.FormatNumber, false),
		write(func(r *run) analysis.Optional[float64] { return r.ByteRate }, mega, false),
		write(func(r *run) analysis.Optional[float64] { return r.Capacity }, analysis.FormatNumber, false),
		write(whole(func(r *run) analysis.Optional[int64] { return r.MaxGap }), analysis.FormatNumber, false),
		write(latency(func(q *analysis.Quantiles) int64 { return q.P50 }), duration, true),
		write(latency(func(q *analysis.Quantiles) int64 { return q.P95 }), duration, false),
		write(latency(func(q *analysis.Quantiles) int64 { return q.P99 }), duration, false),
		write(whole(func(r *run) analysis.Optional[int64] { return r.Disk }), bytes, false),
		write(whole(func(r *run) analysis.Optional[int64] { return r.Written }), bytes, false),
		write((*run).WriteAmplification, times, false),
	}
}

// stageNames are the stages of a block by Fabric's names, in its order.
var stageNames = []string{"validation", "state_validation", "block_and_pvtdata_commit", "state_commit", "history_commit"}

// stages writes the mean of each stage, and of the whole block with its tail.
func stages(w io.Writer, groups []analysis.LedgerRuns, name func(analysis.LedgerRuns) string) error {
	t := table{left: 1}
	t.add(append(append([]string{"mean of a block"}, stageNames...), "block", "p99", "max")...)
	for _, g := range groups {
		cells := []string{name(g)}
		add := func(figure func(*analysis.LedgerRun) analysis.Optional[float64]) {
			s := g.Spread(figure)
			if s.Count == 0 {
				cells = append(cells, unknown)
				return
			}
			cells = append(cells, analysis.FormatDuration(int64(s.Median)))
		}
		for _, stage := range stageNames {
			add(func(r *analysis.LedgerRun) analysis.Optional[float64] {
				for _, s := range r.Stages {
					if s.Name == stage {
						return analysis.Known(s.Duration.Mean)
					}
				}
				return analysis.Optional[float64]{}
			})
		}
		for _, part := range []func(*analysis.Quantiles) float64{
			func(q *analysis.Quantiles) float64 { return q.Mean },
			func(q *analysis.Quantiles) float64 { return float64(q.P99) },
			func(q *analysis.Quantiles) float64 { return float64(q.Max) },
		} {
			add(func(r *analysis.LedgerRun) analysis.Optional[float64] {
				if r.Service == nil {
					return analysis.Optional[float64]{}
				}
				return analysis.Known(part(r.Service))
			})
		}
		t.add(cells...)
	}
	return t.write(w)
}
