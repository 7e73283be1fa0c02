package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/blockreel/blockreel/analysis"
)

// Stats writes the figures of every stream and its verdict.
func Stats(w io.Writer, r analysis.Result) error {
	for i := range r.Streams {
		if i > 0 {
			if _, err := fmt.Fprintln(w); err != nil {
				return err
			}
		}
		if err := stream(w, &r.Streams[i]); err != nil {
			return err
		}
	}
	return nil
}

// Warnings writes a line for each warning.
func Warnings(w io.Writer, warnings []string) error {
	for _, text := range warnings {
		if _, err := fmt.Fprintf(w, "warning: %s\n", text); err != nil {
			return err
		}
	}
	return nil
}

// stream writes a heading, the figures of one stream, its latency and the verdict.
func stream(w io.Writer, s *analysis.StreamStats) error {
	if _, err := fmt.Fprintln(w, heading(s)); err != nil {
		return err
	}
	figures := table{left: 2, indent: "  "}
	for _, f := range [][2]string{
		{"blocks", contents(s)},
		{"makespan", duration(s.Makespan)},
		{"height gap", gap(s)},
		{"offered rate", rate(s.OfferedRate)},
		{"service rate", rate(s.ServiceRate)},
		{"committer", committer(s)},
		{"starved", of(s.Starved, s.Makespan)},
		{"door blocked", of(s.Blocked, s.Makespan)},
	} {
		figures.add(f[0], f[1])
	}
	if d := s.SampledDepth; d != nil {
		figures.add("buffer depth", depth(d))
	}
	if err := figures.write(w); err != nil {
		return err
	}
	if err := latency(w, s); err != nil {
		return err
	}
	if err := sampledStages(w, s.SampledStages); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "  verdict: %s\n", s.Verdict)
	return err
}

func heading(s *analysis.StreamStats) string {
	var settings []string
	if n, ok := s.Buffer.Get(); ok {
		settings = append(settings, fmt.Sprintf("N = %d", n))
	}
	if s.Ledger != "" {
		settings = append(settings, "ledger "+s.Ledger)
	}
	if len(settings) == 0 {
		return s.Name()
	}
	return s.Name() + " (" + strings.Join(settings, ", ") + ")"
}

// contents says what the stream carried.
func contents(s *analysis.StreamStats) string {
	text := analysis.FormatCount(s.Blocks)
	var parts []string
	if n, ok := s.Transactions.Get(); ok {
		parts = append(parts, analysis.FormatCounted(n, "transaction"))
	}
	if n, ok := s.InvalidTransactions.Get(); ok && s.Transactions.Known() {
		parts = append(parts, analysis.FormatCount(n)+" of them invalid")
	} else if ok {
		parts = append(parts, analysis.FormatCounted(n, "invalid transaction"))
	}
	if n, ok := s.Bytes.Get(); ok {
		parts = append(parts, analysis.FormatBytes(n))
	}
	if len(parts) > 0 {
		text += " (" + strings.Join(parts, ", ") + ")"
	}
	if n := s.UncommittedBlocks; n > 0 {
		text += fmt.Sprintf("; %s more offered and not committed", analysis.FormatCount(n))
	}
	return text
}

func gap(s *analysis.StreamStats) string {
	g := s.Gap
	if g == nil {
		return unknown
	}
	text := fmt.Sprintf("at most %s, %s after the first offer; %s on average", analysis.FormatBlocks(g.Max),
		analysis.FormatDuration(g.MaxAt-s.FirstOffer.Or(0)), analysis.FormatNumber(g.Mean))
	if g.Final > 0 {
		text += fmt.Sprintf("; %s at the end", analysis.FormatCount(g.Final))
	}
	return text
}

func committer(s *analysis.StreamStats) string {
	if !s.Busy.Known() {
		return unknown
	}
	share, ok := s.Utilization.Get()
	if !ok {
		return fmt.Sprintf("busy %s, turnaround %s", duration(s.Busy), duration(s.Turnaround))
	}
	if n, ok := s.CutBacklog.Get(); ok {
		return fmt.Sprintf("with %s from before the cut %s, then busy %s (%s), turnaround %s, idle %s", analysis.FormatBlocks(n),
			duration(s.BeforeCut), duration(s.Busy), analysis.FormatShare(share), duration(s.Turnaround), duration(s.Idle))
	}
	return fmt.Sprintf("busy %s (%s), turnaround %s, idle %s", duration(s.Busy), analysis.FormatShare(share),
		duration(s.Turnaround), duration(s.Idle))
}

// latency writes the percentiles of the delivery latency and of its parts.
func latency(w io.Writer, s *analysis.StreamStats) error {
	if s.Latency == nil && len(s.Parts) == 0 {
		return nil
	}
	t := table{left: 1, indent: "  "}
	t.add("latency", "p50", "p90", "p95", "p99", "p99.9", "max")
	row := func(name string, q *analysis.Quantiles) {
		if q == nil {
			return
		}
		cells := []string{name}
		for _, l := range q.Levels() {
			cells = append(cells, analysis.FormatDuration(l.Value))
		}
		t.add(cells...)
	}
	row("delivery", s.Latency)
	for _, p := range s.Parts {
		row("  "+p.Name, p.Duration)
	}
	return t.write(w)
}

// depth says what samples tell of the payloads buffer.
func depth(d *analysis.SampledDepth) string {
	text := fmt.Sprintf("at most %s in %s, one every %s", analysis.FormatBlocks(d.Max),
		analysis.FormatCounted(d.Samples, "sample"), analysis.ApproxDuration(d.Interval))
	if d.Behind > 0 {
		of := func(n int64) string { return analysis.FormatShare(float64(n) / float64(d.Behind)) }
		text += fmt.Sprintf("; at the %s with the peer behind: empty in %s", analysis.FormatCount(d.Behind), of(d.Empty))
		if n, ok := d.Full.Get(); ok {
			text += fmt.Sprintf(", full in %s", of(n))
		}
	}
	return text
}

// stages writes what the peer's own metrics tell of its stages.
func sampledStages(w io.Writer, stages []analysis.SampledStage) error {
	if len(stages) == 0 {
		return nil
	}
	t := table{left: 1, indent: "  "}
	t.add("averages per interval", "median", "least", "greatest", "intervals")
	for _, s := range stages {
		t.add("  "+s.Name, analysis.FormatDuration(s.Median), analysis.FormatDuration(s.Min), analysis.FormatDuration(s.Max),
			analysis.FormatCount(s.Intervals))
	}
	return t.write(w)
}

// settingColumns are the figures of a what-if replay.
var settingColumns = []column{
	{"makespan", "makespan_ns", nanoseconds},
	{"max gap", "max_gap_blocks", analysis.FormatNumber},
	{"p50", "latency_p50_ns", nanoseconds},
	{"p95", "latency_p95_ns", nanoseconds},
	{"p99", "latency_p99_ns", nanoseconds},
	{"max", "latency_max_ns", nanoseconds},
	{"blocked", "blocked_ns", nanoseconds},
	{"starved", "starved_ns", nanoseconds},
	{"busy", "utilization", analysis.FormatShare},
}

// Settings writes a row a stream and setting: what each setting of a what-if replay makes of
// it. Of several runs they are the medians of the valid ones, and below them a row has
// their ranges.
func Settings(w io.Writer, settings []analysis.StreamRuns) error {
	t := table{left: 2}
	heading := []string{"stream", "ledger", "N"}
	for _, c := range settingColumns {
		heading = append(heading, c.heading)
	}
	t.add(heading...)
	for _, runs := range settings {
		first, figures := runs[0], runs
		if len(runs) == 1 { // there is nothing better, and that it is not valid is said below
			figures = analysis.StreamRuns{first}
			figures[0].Invalid = ""
		}
		spreads := make([]analysis.Spread, len(settingColumns))
		for i, c := range settingColumns {
			spreads[i] = figures.Spread(c.figure)
		}
		t.addSpreads([]string{first.Name(), orUnknown(first.Ledger), count(first.Buffer)}, settingColumns, spreads)
	}
	return t.write(w)
}

func orUnknown(s string) string {
	if s == "" {
		return unknown
	}
	return s
}

func duration(d analysis.Optional[int64]) string {
	if v, ok := d.Get(); ok {
		return analysis.FormatDuration(v)
	}
	return unknown
}

func count(n analysis.Optional[int64]) string {
	if v, ok := n.Get(); ok {
		return analysis.FormatCount(v)
	}
	return unknown
}

func rate(x analysis.Optional[float64]) string {
	if v, ok := x.Get(); ok {
		return analysis.FormatNumber(v) + " blocks/s"
	}
	return unknown
}

// of writes a part of the makespan with its share.
func of(part, makespan analysis.Optional[int64]) string {
	v, ok := part.Get()
	whole := makespan.Or(0)
	if !ok || whole <= 0 {
		return duration(part)
	}
	return fmt.Sprintf("%s (%s)", analysis.FormatDuration(v), analysis.FormatShare(float64(v)/float64(whole)))
}
