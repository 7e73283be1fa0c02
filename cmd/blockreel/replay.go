package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/analysis/report"
	"github.com/blockreel/blockreel/replay"
	"github.com/blockreel/blockreel/replay/ledger"
	"github.com/blockreel/blockreel/traces"
)

func newReplay() *cobra.Command {
	var (
		flags           scenarioFlags
		place           ledgerPlace
		ledgers         string
		costs           []string
		clock, output   string
		speed           float64
		repeat          int
		asJSON, unpaced bool
		noSync          bool
		measured        against
	)
	c := &cobra.Command{
		Use:   "replay FILE",
		Short: "Replay a trace with other buffers and ledgers",
		Long: `Replay plays a trace again under other settings and writes a result trace for each,
named by its setting, which every other command reads like a recorded one. The first
line says by how much a replay with the trace's own settings differs from the trace:
how far to trust the rest.

By the virtual clock a replay takes the service times of the trace; a ledger other than
"recorded" is first driven as fast as it goes, and its measured times are used; --cost
takes those that a cost model forecasts (see calibrate).

By the wall clock everything happens in real time, each setting into a fresh ledger, and
what the ledger did is measured: blocks a second, stages, bytes on the disk and bytes
written to it. A trace with payloads commits its own blocks. Others have blocks made up
with their transactions, bytes and writes; validation then takes the trace's own time.
--speed 4 lets blocks arrive four times as fast at a real ledger; --unpaced has them
all at the orderer from the start, and without --buffer nothing but the committer limits
them. --repeat runs all settings in turn, so many times, and prints medians, ranges and,
from four runs of each on, which ledgers they tell apart by the rank test and which not.

Columns of a run into ledgers:
  capacity      blocks a second of the committer's own time: what it does when it
                never waits for a block
  on disk       what the closed ledger takes
  written       what was written to storage for it, from its opening to its close
  ÷ payload     bytes written by byte of the blocks: write amplification
  block         from pop to commit: the stages and what they leave of it, which a cost
                model calls other_commit

What a real ledger here does not do, and a peer does: evaluate endorsement policies, ask
whether certificates belong to members, execute range queries again of which only hashes
are recorded, look at private data. Where the blocks carry a peer's verdict on these, it
is taken over; how many were is told.`,
		Example: `  blockreel replay run.reel --buffer 2,20,200 -o what-if
  blockreel replay run.reel --scale commit=0.5
  blockreel replay run.reel --clock wall --ledger badger,memory --buffer 2,20 -o what-if
  blockreel replay full.reel --clock wall --ledger badger,memory --unpaced --repeat 5 --dir /mnt/ssd
  blockreel replay full.reel --clock wall --ledger badger --speed 4
  blockreel replay run.reel --cost badger.cost --buffer 20
  blockreel replay n2.reel --services-from n20.reel --json`,
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) (err error) {
			s, err := flags.scenario(c)
			if err != nil {
				return err
			}
			s.Clock, s.Speed, s.Unpaced, s.Repeat = clock, speed, unpaced, repeat
			switch {
			case c.Flags().Changed("speed") && !(speed > 0):
				return usagef(c, "--speed %v: a speed is a number greater than 0", speed)
			case repeat < 1:
				return usagef(c, "--repeat %d: choose 1 to %d", repeat, replay.MaxRepeat)
			case place.warmup != 0 && clock != replay.Wall:
				return usagef(c, "--warmup belongs to --clock wall: in simulated time nothing has to warm up")
			}
			if err := place.check(c); err != nil {
				return err
			}
			if ledgers != "" {
				s.Ledgers = ledger.ParseList(ledgers)
			}
			place.apply(&s)
			if noSync {
				if s.Ledgers, err = withoutSyncs(c, s.Ledgers); err != nil {
					return err
				}
			}
			if s.Costs, err = loadCosts(costs); err != nil {
				return err
			}
			tr, err := flags.load(c, args[0], &s)
			if err != nil {
				return err
			}
			done, err := blocksOf(c, args[0], &s, s.RealLedgers())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, done()) }()
			if err := measured.load(c); err != nil {
				return err
			}
			table := whatIf{dir: output, against: measured}
			stopped := table.run(c, tr, s)
			if stopped != nil && len(table.streams) == 0 {
				return stopped
			}
			if err := table.print(c, asJSON); err != nil {
				return err
			}
			for _, path := range table.written {
				fmt.Fprintf(c.ErrOrStderr(), "wrote %s\n", path)
			}
			return stopped
		},
	}
	flags.bind(c)
	place.bind(c)
	measured.bind(c)
	f := c.Flags()
	f.StringVar(&ledgers, "ledger", "", "ledgers: recorded, "+ledgerNames()+" (recorded unless given)")
	f.StringSliceVar(&costs, "cost", nil, "cost models to replay like ledgers: badger.cost,leveldb.cost")
	f.BoolVar(&noSync, "no-sync", false, noSyncUsage)
	f.StringVar(&clock, "clock", replay.Virtual, "virtual or wall")
	f.Float64Var(&speed, "speed", 0, "seconds of the trace in a second of the wall clock; for real ledgers: how many times as fast blocks arrive")
	f.BoolVar(&unpaced, "unpaced", false, "drop the arrivals: all blocks are at the orderer from the start")
	f.IntVar(&repeat, "repeat", 1, "by the wall clock, run all settings in turn so many times")
	f.StringVarP(&output, "output", "o", "", "directory for the result traces (none are written unless given)")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// whatIf gathers what replays say, and writes their traces into dir if there is one.
type whatIf struct {
	dir     string
	outcome *replay.Outcome
	streams []runStats
	// ledgers are the figures of runs into real ledgers.
	ledgers []analysis.LedgerRun
	// repeated: there are several runs of a setting.
	repeated bool
	written  []string
	against  against
	// keep, if set, gets every result.
	keep func(replay.Result)
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
		err = fmt.Errorf("interrupted; what is above was finished: %w", err)
	case err != nil:
		for _, path := range w.written { // a failed command leaves no file
			err = errors.Join(err, os.Remove(path))
		}
		w.written, w.streams, w.ledgers = nil, nil, nil
		return interrupted(err, "before the first setting was finished")
	}
	if w.outcome == nil {
		w.outcome = out
		return err
	}
	w.outcome.Facts = appendNew(w.outcome.Facts, out.Facts)
	w.outcome.Warnings = appendNew(w.outcome.Warnings, out.Warnings)
	w.outcome.Invalid = appendNew(w.outcome.Invalid, out.Invalid)
	return err
}

// add takes the figures of a result and writes its trace.
func (w *whatIf) add(r replay.Result) error {
	for i, s := range analysis.Stats(r.Trace).Streams {
		if r.Alone {
			s.Verdict = committerAlone(s)
		}
		if doubt := r.Doubts[i]; doubt != "" {
			s.Verdict += "; but " + doubt
		}
		w.streams = append(w.streams, runStats{r.Name(), s})
	}
	w.ledgers = append(w.ledgers, r.Measured...)
	w.repeated = w.repeated || r.Run > 1
	if w.keep != nil {
		w.keep(r)
	}
	if w.dir == "" {
		return nil
	}
	if err := os.MkdirAll(w.dir, 0o755); err != nil {
		return err
	}
	path := filepath.Join(w.dir, r.Name()+".reel")
	if err := traces.WriteFile(path, r.Trace); err != nil {
		return err
	}
	w.written = append(w.written, path)
	return nil
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
	Ledgers []ledgerRun `json:"ledger_runs,omitempty"`
	// Apart says which ledgers and buffers the runs tell apart.
	Apart    []string `json:"told_apart,omitempty"`
	Facts    []string `json:"facts"`
	Warnings []string `json:"warnings"`
	// Invalid are those of the warnings by which figures are not valid.
	Invalid []string `json:"not_valid,omitempty"`
}

// ledgerRun is what was measured of a ledger in one run.
type ledgerRun struct {
	analysis.LedgerRun
	WriteAmplification analysis.Optional[float64] `json:"write_amplification"`
}

func ledgerRuns(runs []analysis.LedgerRun) (all []ledgerRun) {
	for _, r := range runs {
		all = append(all, ledgerRun{r, r.WriteAmplification()})
	}
	return all
}

// print prints how far to trust the replays, a row for each setting and stream, and the
// verdicts.
func (w *whatIf) print(c *cobra.Command, asJSON bool) error {
	out, streams := w.outcome, w.streams
	forecasts, err := w.against.forecasts(streams)
	if err != nil {
		return err
	}
	if err := w.against.draw(c, forecasts); err != nil {
		return err
	}
	apart, doubtful := analysis.CompareLedgers(w.ledgers)
	out.Warnings = append(out.Warnings, doubtful...)
	if asJSON {
		identity := map[string]analysis.Differences{}
		for _, id := range out.Identity {
			identity[id.Stream] = id.Differences
		}
		var errors map[string]analysis.Differences
		for _, f := range forecasts {
			if errors == nil {
				errors = map[string]analysis.Differences{}
			}
			errors[f.Name] = f.Differences
		}
		return report.JSON(c.OutOrStdout(), replayResult{streams, identity, errors, ledgerRuns(w.ledgers), apart, out.Facts, out.Warnings, out.Invalid})
	}
	stdout := c.OutOrStdout()
	for _, id := range out.Identity {
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

// tables prints what the settings make of the streams, what was measured of real ledgers,
// and the verdicts. Of repeated runs only the medians are printed.
func (w *whatIf) tables(stdout io.Writer) error {
	if len(w.ledgers) > 0 {
		if err := report.Ledgers(stdout, w.ledgers); err != nil {
			return err
		}
		fmt.Fprintln(stdout)
	}
	if w.repeated {
		return nil
	}
	rows := make([]analysis.StreamStats, len(w.streams))
	for i, s := range w.streams {
		rows[i] = s.StreamStats
	}
	if len(w.ledgers) > 0 && w.ledgers[0].Warmup > 0 {
		fmt.Fprintln(stdout, "all blocks, the warm-up included:")
	}
	if err := report.Settings(stdout, rows); err != nil {
		return err
	}
	fmt.Fprintln(stdout)
	for _, s := range w.streams {
		fmt.Fprintf(stdout, "%s: %s\n", label(s, len(w.outcome.Identity)), s.Verdict)
	}
	return nil
}

// label names a row of several streams or one.
func label(s runStats, streams int) string {
	if streams > 1 {
		return s.Run + " " + s.Name()
	}
	return s.Run
}
