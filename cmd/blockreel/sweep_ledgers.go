package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/analysis/report"
	"github.com/blockreel/blockreel/replay"
	"github.com/blockreel/blockreel/replay/cost"
	"github.com/blockreel/blockreel/traces"
)

// recordedBuffer is the N of --check-wall when none is given.
const recordedBuffer = "recorded"

// A wallCheck is a run into a real ledger that checks forecasts.
type wallCheck struct {
	buffer     int // 0: the recorded one
	validators int // 0: as many as the cost model was calibrated with
}

// parseCheck reads --check-wall: nil without it.
func parseCheck(c *cobra.Command, text string, costs int) (*wallCheck, error) {
	n := 0
	switch {
	case text == "":
		return nil, nil
	case costs == 0:
		return nil, usagef(c, "--check-wall checks the forecasts of cost models: name one with --cost")
	case text != recordedBuffer:
		var err error
		if n, err = strconv.Atoi(text); err != nil || n < 1 {
			return nil, usagef(c, "--check-wall=%s: choose a buffer size, or none for the recorded one", text)
		}
	}
	return &wallCheck{buffer: n}, nil
}

// ledgerSweeps is what a sweep of cost models prints as JSON.
type ledgerSweeps struct {
	Ledgers []*replay.SweepResult `json:"ledgers"`
	// Checks are forecasts beside runs by the wall clock.
	Checks   []checkResult `json:"checks,omitempty"`
	Warnings []string      `json:"warnings"`
}

// A checkResult is what was measured by the wall clock and what had been forecast.
type checkResult struct {
	Ledger  string `json:"ledger"`
	Setting string `json:"setting"`
	// Warmup is the number of blocks at the start that the figures leave out.
	Warmup  int64           `json:"warmup_blocks"`
	Figures []checkedFigure `json:"figures"`
	// Doubt says that the cost model is not to be trusted for the trace; empty: it may be.
	Doubt string `json:"doubt,omitempty"`
}

type checkedFigure struct {
	Figure    string                     `json:"figure"`
	Unit      string                     `json:"unit"`
	Measured  int64                      `json:"measured"`
	Predicted int64                      `json:"predicted"`
	Error     analysis.Optional[float64] `json:"error"`
}

// sweepLedgers sweeps every cost model and prints the curves side by side; then it checks
// them. A check takes real time: what is finished of it and of the sweep is printed
// whatever becomes of the rest.
func sweepLedgers(c *cobra.Command, tr *traces.Trace, s replay.Scenario, check *wallCheck, plot string, asJSON bool) error {
	bar := progress(c.ErrOrStderr(), int64(len(s.Buffers)*len(s.Costs)), "sweeping", false)
	s.Progress = func(done, _ int) { _ = bar.Set(done) }
	results, err := replay.SweepCosts(c.Context(), tr, s)
	_ = bar.Finish()
	if err != nil {
		return err
	}
	var said []string
	if !asJSON {
		if said, err = printSweeps(c, results); err != nil {
			return err
		}
	}
	plots := sweepPlots(plot, s.Costs)
	if err := plotSweeps(c, results, nil, plots); err != nil {
		return err
	}
	var checks []replay.Check
	var stopped error
	if check != nil {
		checks, stopped = checkWall(c, tr, s, check)
	}
	if asJSON {
		err = report.JSON(c.OutOrStdout(), sweepsJSON(results, checks))
	} else {
		err = printChecks(c, checks, said)
	}
	if len(checks) > 0 { // the charts say now what was found
		err = errors.Join(err, plotSweeps(c, results, checks, plots))
	}
	return errors.Join(stopped, err)
}

// sweepPlots are the files that --plot names: the one, or of several cost models one each.
func sweepPlots(plot string, costs []*cost.Model) []string {
	if plot == "" || len(costs) < 2 {
		return []string{plot}
	}
	var all []string
	for _, m := range costs {
		ext := filepath.Ext(plot)
		all = append(all, strings.TrimSuffix(plot, ext)+"-"+replay.FileName(m.Ledger)+ext)
	}
	return all
}

// plotSweeps draws the curve of each ledger, and beside it what its check has found, if there
// was one.
func plotSweeps(c *cobra.Command, results []*replay.SweepResult, checks []replay.Check, plots []string) error {
	if plots[0] == "" {
		return nil
	}
	for i, r := range results {
		drawn := *r
		drawn.Peer = strings.TrimPrefix(r.Peer+" on "+r.Ledger+", forecast", " ")
		drawn.Trust = trust(r, checks)
		if err := saveSweep(c, &drawn, plots[i]); err != nil {
			return err
		}
	}
	return nil
}

// trust says in a chart how far to trust the forecast of a cost model.
func trust(r *replay.SweepResult, checks []replay.Check) string {
	text := fmt.Sprintf("cost model off by %s on average and %s at worst on blocks that were held out",
		analysis.FormatShare(r.HeldOut.MeanFold), analysis.FormatRelative(r.HeldOut.WorstFold))
	for _, check := range checks {
		if check.Ledger != r.Ledger {
			continue
		}
		text += " · against a run by the wall clock, " + check.Name
		for _, d := range check.Differences {
			if d.Figure == "makespan" {
				text += ", makespan " + d.FormatError()
			}
		}
		if doubt := check.Distrust(); doubt != "" {
			text += ": " + doubt
		}
		if len(check.Invalid) > 0 {
			text += " (the run is not valid: " + strings.Join(check.Invalid, "; ") + ")"
		}
	}
	return text
}

// checkWall runs every ledger once in real time. With an error come the checks that were
// finished before it.
func checkWall(c *cobra.Command, tr *traces.Trace, s replay.Scenario, check *wallCheck) (checks []replay.Check, err error) {
	s.Validators = check.validators
	for _, m := range s.Costs {
		bar := progress(c.ErrOrStderr(), 1, "checking "+m.Ledger, false)
		s.Progress = func(done, all int) {
			bar.ChangeMax(all)
			_ = bar.Set(done)
		}
		one, err := replay.CheckWall(c.Context(), tr, s, m, check.buffer)
		_ = bar.Finish()
		if errors.Is(err, context.Canceled) {
			return checks, fmt.Errorf("the check of %s by the wall clock was interrupted; the sweep was finished before it", m.Ledger)
		}
		if err != nil {
			return checks, fmt.Errorf("checking the forecasts of %s: %w", m.Ledger, err)
		}
		checks = append(checks, one...)
	}
	return checks, nil
}

func sweepsJSON(results []*replay.SweepResult, checks []replay.Check) ledgerSweeps {
	out := ledgerSweeps{Ledgers: results, Warnings: []string{}}
	for _, check := range checks {
		one := checkResult{Ledger: check.Ledger, Setting: check.Name, Warmup: check.Warmup, Doubt: check.Distrust()}
		for _, d := range check.Differences {
			one.Figures = append(one.Figures, checkedFigure{d.Figure, d.Unit, d.Want, d.Got, d.Error})
		}
		out.Checks = append(out.Checks, one)
		out.Warnings = append(out.Warnings, check.Warnings...)
	}
	return out
}

// printSweeps writes the curves, and returns the facts and warnings that it has told.
func printSweeps(c *cobra.Command, results []*replay.SweepResult) (said []string, err error) {
	stdout := c.OutOrStdout()
	for _, id := range results[0].Identity {
		if err := report.Identity(stdout, id.Stream, id.String()); err != nil {
			return nil, err
		}
	}
	var facts, warnings []string
	all := make([]report.LedgerSweep, len(results))
	streams := make([][]report.LedgerSweep, len(results[0].Streams)) // of each, its curves
	for i, r := range results {
		facts, warnings = analysis.AppendNew(facts, r.Facts), analysis.AppendNew(warnings, r.Warnings)
		all[i] = report.LedgerSweep{Ledger: r.Ledger, Sweep: &r.Sweep}
		for j := range r.Streams {
			streams[j] = append(streams[j], report.LedgerSweep{Ledger: r.Ledger, Sweep: &r.Streams[j]})
		}
	}
	for _, f := range facts {
		fmt.Fprintf(stdout, "  %s\n", f)
	}
	fmt.Fprintln(stdout)
	if err := report.LedgerSweeps(stdout, all); err != nil {
		return nil, err
	}
	for _, curves := range streams {
		fmt.Fprintf(stdout, "\n%s@%s\n", curves[0].Channel, curves[0].Peer)
		if err := report.LedgerSweeps(stdout, curves); err != nil {
			return nil, err
		}
	}
	return slices.Concat(facts, warnings), report.Warnings(c.ErrOrStderr(), warnings)
}

// printChecks writes forecasts beside what was measured, which of them not to trust, and what
// was not said of the sweeps already.
func printChecks(c *cobra.Command, checks []replay.Check, said []string) error {
	if len(checks) == 0 {
		return nil
	}
	stdout := c.OutOrStdout()
	fmt.Fprintln(stdout)
	var forecasts []analysis.Forecast
	var facts, warnings, judged []string
	for _, check := range checks {
		labelled := check.Forecast
		if check.Warmup > 0 {
			labelled.Name += ", behind a warm-up of " + analysis.FormatBlocks(check.Warmup)
		}
		forecasts = append(forecasts, labelled)
		facts = analysis.AppendNew(facts, check.Facts)
		for _, why := range check.Invalid {
			judged = append(judged, "not valid: "+why)
		}
		if doubt := check.Distrust(); doubt != "" {
			judged = append(judged, check.Name+": "+doubt)
		}
		warnings = analysis.AppendNew(warnings, check.Warnings)
	}
	if err := report.Forecasts(stdout, forecasts); err != nil {
		return err
	}
	told := func(line string) bool { return slices.Contains(said, line) || slices.Contains(judged, line) }
	facts, warnings = slices.DeleteFunc(facts, told), slices.DeleteFunc(warnings, told)
	for _, line := range judged {
		fmt.Fprintln(stdout, line)
	}
	for _, f := range facts {
		fmt.Fprintf(stdout, "  %s\n", f)
	}
	return report.Warnings(c.ErrOrStderr(), warnings)
}
