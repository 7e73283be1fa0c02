package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/analysis/report"
	"github.com/blockreel/blockreel/replay"
	"github.com/blockreel/blockreel/traces"
)

// whatIf gathers what replays say, and writes their traces into dir if there is one.
type whatIf struct {
	dir     string
	outcome *replay.Outcome
	streams []runStats
	// ledgers are the figures of runs into real ledgers.
	ledgers []analysis.LedgerRun
	// settings are the streams by setting: the repetitions of each.
	settings []repeated
	written  []string
	against  against
	// keep, if set, gets every result.
	keep func(replay.Result)
}

// repeated are the runs of one setting for one stream.
type repeated struct {
	setting string
	real    bool // into a ledger of which there are figures of its own
	runs    analysis.StreamRuns
}

// run replays with progress. After an interrupt what was finished stays, and the error
// says so; after any other error nothing does.
func (w *whatIf) run(c *cobra.Command, tr *traces.Trace, s replay.Scenario) error {
	bar := progress(c.ErrOrStderr(), 1, "replaying", false)
	s.Progress = func(done, all int) {
		bar.ChangeMax(all)
		_ = bar.Set(done)
	}
	out, err := replay.Replay(c.Context(), tr, s, w.add)
	_ = bar.Finish()
	switch {
	case errors.Is(err, context.Canceled) && len(w.streams) > 0:
		err = interruptedDuring(err)
	case err != nil:
		for _, path := range w.written { // a failed command leaves no file
			err = errors.Join(err, os.Remove(path))
		}
		w.written, w.streams, w.ledgers, w.settings = nil, nil, nil, nil
		return interrupted(err, "before the first setting was finished")
	}
	if w.outcome == nil {
		w.outcome = out
		return err
	}
	w.outcome.Facts = analysis.AppendNew(w.outcome.Facts, out.Facts)
	w.outcome.Warnings = analysis.AppendNew(w.outcome.Warnings, out.Warnings)
	w.outcome.Invalid = analysis.AppendNew(w.outcome.Invalid, out.Invalid)
	return err
}

// add takes the figures of a result and writes its trace.
func (w *whatIf) add(r replay.Result) error {
	for i, s := range analysis.Stats(r.Trace).Streams {
		if r.Alone {
			s.Bottleneck, s.Verdict = analysis.BottleneckCommitter, committerAlone(s)
		}
		if doubt := r.Doubts[i]; doubt != "" {
			s.Verdict += "; but " + doubt
		}
		s.Invalid = r.Invalid[i]
		w.streams = append(w.streams, runStats{r.Name(), s})
		w.addRun(r.Setting.Name(), len(r.Measured) > 0, s)
	}
	w.ledgers = append(w.ledgers, r.Measured...)
	if w.keep != nil {
		w.keep(r)
	}
	if w.dir == "" {
		return nil
	}
	if err := os.MkdirAll(w.dir, 0o755); err != nil {
		return err
	}
	path := resultPath(w.dir, r.Name())
	if err := traces.WriteFile(path, r.Trace); err != nil {
		return err
	}
	w.written = append(w.written, path)
	return nil
}

// resultPath is the file of a result in a directory of them.
func resultPath(dir, name string) string { return filepath.Join(dir, name+".reel") }

// addRun puts a run to the others of its setting and stream.
func (w *whatIf) addRun(setting string, measured bool, s analysis.StreamStats) {
	i := slices.IndexFunc(w.settings, func(g repeated) bool { return g.setting == setting && g.runs[0].Name() == s.Name() })
	if i < 0 {
		i, w.settings = len(w.settings), append(w.settings, repeated{setting: setting, real: measured})
	}
	w.settings[i].runs = append(w.settings[i].runs, s)
}

// committerAlone is the verdict on a run without arrivals and without a buffer, in which
// nothing but the committer can be the limit.
func committerAlone(s analysis.StreamStats) string {
	text := "the committer alone: all blocks were there from the start, and no buffer was in between"
	if span := s.Makespan.Or(0); span > 0 {
		text += fmt.Sprintf("; it committed %s blocks/s", analysis.FormatNumber(float64(s.Blocks)*1e9/float64(span)))
	}
	return text
}

// replayResult is what replay prints as JSON.
type replayResult struct {
	Streams  []runStats                      `json:"streams"`
	Identity map[string]analysis.Differences `json:"identity_error"`
	// Forecasts are errors against a measured trace, by setting; null without one.
	Forecasts map[string]analysis.Differences `json:"forecast_error"`
	// Ledgers are what was measured of real ledgers by the wall clock, run by run.
	Ledgers []analysis.LedgerRun `json:"ledger_runs,omitempty"`
	// StreamSettings and LedgerSettings are the spreads of repeated runs: of Streams, over
	// all blocks, and of Ledgers, behind the warm-up.
	StreamSettings []analysis.Summary `json:"stream_settings,omitempty"`
	LedgerSettings []analysis.Summary `json:"ledger_settings,omitempty"`
	// Comparisons hold repeated runs into ledgers against each other; Apart says in
	// sentences which of these they tell apart.
	Comparisons []analysis.LedgerComparison `json:"comparisons,omitempty"`
	Apart       []string                    `json:"told_apart,omitempty"`

	Facts    []string `json:"facts"`
	Warnings []string `json:"warnings"`
	// Invalid are those of the warnings by which figures are not valid.
	Invalid []string `json:"not_valid,omitempty"`
}

// print prints how far to trust the replays, a row for each setting and stream, and the
// verdicts.
func (w *whatIf) print(c *cobra.Command, asJSON bool) error {
	out := w.outcome
	forecasts, err := w.against.forecasts(w.streams)
	if err != nil {
		return err
	}
	if err := w.against.draw(c, forecasts); err != nil {
		return err
	}
	comparisons := analysis.CompareLedgers(w.ledgers)
	apart, doubtful := analysis.Sentences(comparisons)
	out.Warnings = append(out.Warnings, doubtful...)
	if asJSON {
		return report.JSON(c.OutOrStdout(), w.result(forecasts, comparisons, apart))
	}
	stdout := c.OutOrStdout()
	for _, id := range w.identities() {
		if err := report.Identity(stdout, id.Stream, id.String()); err != nil {
			return err
		}
	}
	for _, f := range out.Facts {
		fmt.Fprintf(stdout, "  %s\n", f)
	}
	fmt.Fprintln(stdout)
	if err := w.tables(stdout); err != nil {
		return err
	}
	for _, why := range out.Invalid {
		fmt.Fprintf(stdout, "not valid: %s\n", why)
	}
	for _, verdict := range apart {
		fmt.Fprintln(stdout, verdict)
	}
	if err := w.against.print(c, forecasts); err != nil {
		return err
	}
	return report.Warnings(c.ErrOrStderr(), out.Warnings)
}

// identities are the identity errors, where they say something of the results.
func (w *whatIf) identities() []replay.Identity {
	if w.outcome.Measured {
		return nil
	}
	return w.outcome.Identity
}

// result is what print prints, for programs.
func (w *whatIf) result(forecasts []analysis.Forecast, comparisons []analysis.LedgerComparison, apart []string) replayResult {
	out := w.outcome
	r := replayResult{
		Streams: w.streams, Identity: map[string]analysis.Differences{}, Ledgers: w.ledgers, Apart: apart,
		Facts: out.Facts, Warnings: out.Warnings, Invalid: out.Invalid,
	}
	for _, id := range w.identities() {
		r.Identity[id.Stream] = id.Differences
	}
	for _, f := range forecasts {
		if r.Forecasts == nil {
			r.Forecasts = map[string]analysis.Differences{}
		}
		r.Forecasts[f.Name] = f.Differences
	}
	if w.repeated() {
		for _, g := range w.settings {
			r.StreamSettings = append(r.StreamSettings, g.runs.Summary(g.setting))
		}
		r.LedgerSettings, r.Comparisons = analysis.SummarizeLedgers(w.ledgers), comparisons
	}
	return r
}

// repeated reports whether a setting ran more than once.
func (w *whatIf) repeated() bool {
	return slices.ContainsFunc(w.settings, func(g repeated) bool { return len(g.runs) > 1 })
}

// tables prints what was measured of real ledgers, what the settings make of the streams,
// and the verdicts; of repeated runs medians, and the verdict on a typical one.
func (w *whatIf) tables(stdout io.Writer) error {
	if len(w.ledgers) > 0 {
		if err := report.Ledgers(stdout, w.ledgers); err != nil {
			return err
		}
		fmt.Fprintln(stdout)
	}
	if slices.ContainsFunc(w.ledgers, func(r analysis.LedgerRun) bool { return r.Warmup > 0 }) {
		fmt.Fprintln(stdout, "all blocks, the warm-up included:")
	}
	rows := make([]analysis.StreamRuns, len(w.settings))
	for i, g := range w.settings {
		rows[i] = g.runs
	}
	if err := report.Settings(stdout, rows); err != nil {
		return err
	}
	if w.repeated() && len(w.ledgers) == 0 {
		fmt.Fprintln(stdout, "medians of the runs, all settings in turn")
	}
	for _, g := range w.settings {
		if line := report.WithoutRuns(w.label(g), len(g.runs), g.runs.NotValid()); line != "" && !g.real { // of real ledgers it is said above
			fmt.Fprintln(stdout, line)
		}
	}
	fmt.Fprintln(stdout)
	for _, g := range w.settings {
		switch run, ok := g.runs.Typical(); {
		case len(g.runs) == 1:
			fmt.Fprintf(stdout, "%s: %s\n", w.label(g), g.runs[0].Verdict)
		case ok:
			fmt.Fprintf(stdout, "%s, run %d, %s: %s\n", w.label(g), run, g.runs.TypicalOf(), g.runs[run-1].Verdict)
		}
	}
	return nil
}

// label names a row of several streams or one.
func (w *whatIf) label(g repeated) string {
	if len(w.outcome.Identity) > 1 {
		return g.setting + " " + g.runs[0].Name()
	}
	return g.setting
}
