package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/analysis/report"
	"github.com/blockreel/blockreel/internal/outfile"
	"github.com/blockreel/blockreel/replay"
	"github.com/blockreel/blockreel/replay/cost"
	"github.com/blockreel/blockreel/replay/ledger"
	"github.com/blockreel/blockreel/traces"
)

func newCalibrate() *cobra.Command {
	var (
		part   span
		place  ledgerPlace
		spec   string
		output string
		bytes  byteSize
		repeat int
	)
	c := &cobra.Command{
		Use:   "calibrate FILE --ledger LEDGER -o FILE",
		Short: "Measure a ledger once, and keep what its stages cost as a model",
		Long: `Calibrate commits the blocks of a trace to a fresh ledger, as fast as it takes them, and
fits what each stage costs: fixed, per transaction, per write and per byte. Sweep and
replay then forecast with --cost what they would otherwise measure: any buffer, any
arrivals, in simulated time.

A trace with payloads commits its own blocks. Others have blocks made up in their shape;
the model then does not know validation, and a forecast takes the trace's own.

What the model could not tell apart is named: with blocks that are all alike, what a
transaction costs is in the fixed cost, and only such blocks can be forecast: record a
trace of blocks of different sizes (record run --tx-per-block 1..50). Stalls are not thrown
away: a forecast has them as often as they were measured. (Of more than 50,000 blocks an
even sample is fitted, and it has them as often as that.)

The model holds its own errors: every fifth of the blocks is forecast from the others on
both sides of it, and the last fifth from those before, as a longer run would be. --repeat
drives the ledger so many times, into a fresh directory each, fits all runs together and
says by how much their mean blocks differ: once on a busy machine is weak evidence.`,
		Example: `  blockreel calibrate full.reel --ledger badger -o badger.cost
  blockreel calibrate full.reel --ledger badger --repeat 5 -o badger.cost
  blockreel calibrate full.reel --ledger badger --dir /var/tmp -o disk.cost
  blockreel sweep run.reel --cost badger.cost --buffer 1..500`,
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) (err error) {
			if err := needOutput(c, output, args...); err != nil {
				return err
			}
			if spec == "" {
				return usagef(c, "name a ledger with --ledger: %s", ledgerNames())
			}
			switch specs := ledger.ParseList(spec); {
			case len(specs) > 1:
				return usagef(c, "a model is of one ledger: calibrate %s each into a file of its own, and give these to sweep --cost", strings.Join(specs, " and "))
			case !isReal(spec):
				return usagef(c, "%s is the trace's own times, which need no model: name a ledger to measure with --ledger: %s", spec, ledgerNames())
			}
			s := replay.Scenario{
				Model:   replay.ModelConfig{BlockBytes: int64(bytes)},
				Ledgers: []string{spec}, Scale: ledger.Unscaled(), Tool: tool, Clock: replay.Wall, Repeat: repeat,
			}
			if repeat < 1 {
				return usagef(c, "--repeat %d: choose 1 to %d", repeat, replay.MaxRepeat)
			}
			if err := place.check(c, s.Ledgers, ""); err != nil {
				return err
			}
			place.apply(&s)
			if err := s.Validate(); err != nil {
				return usagef(c, "%w", err)
			}
			tr, err := loadTrace(c, args[0])
			if err != nil {
				return err
			}
			if tr, err = part.cut(c, tr); err != nil {
				return err
			}
			done, err := blocksOf(c, args[0], &s, true)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, done()) }()
			return calibrate(c, tr, s, output)
		},
	}
	f := c.Flags()
	f.StringVar(&spec, "ledger", "", "ledger to measure: "+ledgerNames())
	f.IntVar(&repeat, "repeat", 1, "drive the ledger so many times, each into a fresh directory")
	f.Var(&bytes, "block-bytes", "size of a block where the trace does not tell it")
	part.bind(f)
	place.bind(c, "", "the number of CPUs")
	outputFlag(c, &output, "cost model to write, - for stdout")
	return c
}

// calibrate measures, writes the model and prints it.
func calibrate(c *cobra.Command, tr *traces.Trace, s replay.Scenario, output string) error {
	bar := progress(c.ErrOrStderr(), 1, "committing", false)
	s.Progress = func(done, all int) {
		bar.ChangeMax(all)
		_ = bar.Set(done)
	}
	m, err := replay.Calibrate(c.Context(), tr, s)
	_ = bar.Finish()
	if err != nil {
		return interrupted(err, "before all blocks were committed")
	}
	if output == "-" {
		if err := m.Write(c.OutOrStdout()); err != nil {
			return err
		}
		return report.Warnings(c.ErrOrStderr(), m.Warnings)
	}
	if err := outfile.Write(output, m.Write); err != nil {
		return err
	}
	if err := printCost(c, m); err != nil {
		return err
	}
	fmt.Fprintf(c.ErrOrStderr(), "wrote %s\n", output)
	return nil
}

func printCost(c *cobra.Command, m *replay.Calibration) error {
	stdout := c.OutOrStdout()
	mean := cost.Shape{
		Transactions: int64(m.Transactions.Mean + 0.5), Writes: int64(m.Writes.Mean + 0.5), Bytes: int64(m.Bytes.Mean + 0.5),
	}
	if err := report.Costs(stdout, stageCosts(m.Model, mean)); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "\nmean block: %s, %s, %s; it takes %s with the stalls, which the table leaves out\n",
		meanOf(m.Transactions.Mean, "transaction"), meanOf(m.Writes.Mean, "write"), analysis.FormatBytes(mean.Bytes), analysis.FormatDuration(int64(m.MeanBlock())))
	if len(m.Merged) > 0 {
		parts := make([]string, len(m.Merged))
		for i, merge := range m.Merged {
			parts[i] = merge.Term + " in " + merge.Into
		}
		fmt.Fprintf(stdout, "costs that these blocks cannot tell apart are merged: %s\n", strings.Join(parts, ", "))
	}
	h := m.HeldOut
	fmt.Fprintf(stdout, "held out, every fifth of the blocks in %d stretches: total time off by %s on average, at worst %s; median block off by %s, p99 block at worst %s\n",
		h.Segments, analysis.FormatShare(h.MeanFold), analysis.FormatRelative(h.WorstFold), analysis.FormatShare(h.BlockError), analysis.FormatRelative(h.TailError))
	fmt.Fprintf(stdout, "held out, the last fifth of the blocks, from those before: total time %s\n", analysis.FormatRelative(h.Forward))
	for _, f := range m.Facts {
		fmt.Fprintf(stdout, "  %s\n", f)
	}
	return report.Warnings(c.ErrOrStderr(), m.Warnings)
}

// meanOf writes a mean number of things.
func meanOf(x float64, name string) string {
	if text := analysis.FormatNumber(x); text != "1" {
		return text + " " + name + "s"
	}
	return "1 " + name
}

// stageCosts are the rows of a model that has measured anything in the stage.
func stageCosts(m *cost.Model, mean cost.Shape) (rows []report.StageCost) {
	typical := m.Typical(mean)
	for i, t := range []int64{
		int64(typical.Validation), int64(typical.StateValidation), int64(typical.BlockStore),
		int64(typical.StateCommit), int64(typical.HistoryCommit), int64(typical.Other),
	} {
		if t == 0 {
			continue
		}
		c := m.Coefficients(i)
		rows = append(rows, report.StageCost{
			Stage: cost.StageNames[i], Fixed: c.Fixed, PerTransaction: c.PerTransaction, PerWrite: c.PerWrite, PerByte: c.PerByte, Typical: t,
		})
	}
	return rows
}
