package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/analysis/chart"
	"github.com/blockreel/blockreel/analysis/report"
	"github.com/blockreel/blockreel/replay"
)

func newSweep() *cobra.Command {
	var flags scenarioFlags
	var plot string
	asJSON := false
	var costs []string
	var checkWall string
	var place ledgerPlace
	c := &cobra.Command{
		Use:   "sweep FILE",
		Short: "Find the buffer size: the curve over N, its knee, the memory it costs",
		Long: `Sweep replays a trace for every buffer size of a range, in simulated time, and prints
the curve: makespan, gap, latency, the time that the committer starves because of the
buffer, and the memory that the admitted blocks can take. It recommends the smallest N
that starves the committer for less than 0.1 % of the makespan. Starved here is what a
buffer adds to the time that one without limits would starve; stats, which cannot know
that, leaves out a block's usual way instead: stats --help says how the two differ.

With --cost the services are those that cost models forecast, one curve a ledger; see
calibrate. The errors of each model on held-out blocks are printed with it, and --check-wall
replays the trace once into the real ledger, in real time, and prints forecast, measurement
and error. These leave out the blocks of the warm-up; the curves count all blocks.`,
		Example: `  blockreel sweep run.reel
  blockreel sweep run.reel --buffer 1..500 --plot sweep.png
  blockreel sweep run.reel --buffer 2,5,10..200/10 --scale commit=0.5 --json
  blockreel sweep run.reel --cost badger.cost,memory.cost --buffer 1..500
  blockreel sweep full.reel --cost badger.cost --check-wall=20 --dir /var/tmp`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 2 && checkWall == recordedBuffer {
				return usagef(c, "is %s the N of --check-wall? Write --check-wall=%s", args[1], args[1])
			}
			return usageArgs(cobra.ExactArgs(1))(c, args)
		},
		RunE: func(c *cobra.Command, args []string) (err error) {
			if plot != "" && !slices.Contains(chart.Formats, filepath.Ext(plot)) {
				return usagef(c, "--plot %s: name a .png, .svg or .pdf file", plot)
			}
			check, err := parseCheck(c, checkWall, len(costs))
			if err != nil {
				return err
			}
			s, err := flags.scenario(c)
			if err != nil {
				return err
			}
			if s.Costs, err = loadCosts(costs); err != nil {
				return err
			}
			for _, path := range sweepPlots(plot, s.Costs) {
				if err := spareInputs(c, path, slices.Concat(args, costs, []string{flags.services})...); err != nil {
					return err
				}
			}
			var driven []string
			if check != nil {
				for _, m := range s.Costs {
					driven = append(driven, m.Ledger)
				}
			}
			if err := place.check(c, driven, "--check-wall replays into real ledgers"); err != nil {
				return err
			}
			if c.Flags().Changed("warmup") && check == nil {
				return usagef(c, "--warmup belongs to --check-wall: in simulated time nothing has to warm up")
			}
			if c.Flags().Changed("validators") && check == nil {
				return usagef(c, "--validators belongs to --check-wall: recorded services and those of a cost model were measured with their own")
			}
			place.apply(&s)
			if check != nil { // they are the real ledger's
				check.validators, s.Validators = place.validators, 0
			}
			if len(s.Buffers) == 0 {
				s.Buffers = replay.DefaultSweep()
			}
			tr, err := flags.load(c, args[0], &s)
			if err != nil {
				return err
			}
			done, err := blocksOf(c, args[0], &s, check != nil)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, done()) }()
			if len(s.Costs) > 0 {
				return sweepLedgers(c, tr, s, check, plot, asJSON)
			}
			bar := progress(c.ErrOrStderr(), int64(len(s.Buffers)), "sweeping", false)
			s.Progress = func(done, _ int) { _ = bar.Set(done) }
			result, err := replay.SweepTrace(c.Context(), tr, s)
			_ = bar.Finish()
			if err != nil {
				return err
			}
			if err := printSweep(c, result, asJSON); err != nil || plot == "" {
				return err
			}
			return saveSweep(c, result, plot)
		},
	}
	flags.bind(c, "1 to 500, above 50 not each")
	place.bind(c, "with --check-wall, ", "as many as the cost model was calibrated with")
	f := c.Flags()
	f.BoolVar(&asJSON, "json", false, "print JSON")
	f.StringVar(&plot, "plot", "", "draw the curve into this .png, .svg or .pdf file; with several ledgers one each, sweep-badger.png")
	f.StringSliceVar(&costs, "cost", nil, "cost models of ledgers: badger.cost,leveldb.cost")
	f.StringVar(&checkWall, "check-wall", "", "replay into the real ledgers with this N (the recorded one unless given) and compare")
	f.Lookup("check-wall").NoOptDefVal = recordedBuffer
	return c
}

func printSweep(c *cobra.Command, r *replay.SweepResult, asJSON bool) error {
	stdout := c.OutOrStdout()
	if asJSON {
		return report.JSON(stdout, r)
	}
	for _, id := range r.Identity {
		if err := report.Identity(stdout, id.Stream, id.String()); err != nil {
			return err
		}
	}
	for _, f := range r.Facts {
		fmt.Fprintf(stdout, "  %s\n", f)
	}
	fmt.Fprintln(stdout)
	curves := []analysis.Sweep{r.Sweep}
	curves = append(curves, r.Streams...)
	for i := range curves {
		if i > 0 {
			fmt.Fprintf(stdout, "\n%s@%s\n", curves[i].Channel, curves[i].Peer)
		}
		if err := report.Sweep(stdout, &curves[i]); err != nil {
			return err
		}
	}
	return report.Warnings(c.ErrOrStderr(), r.Warnings)
}

func saveSweep(c *cobra.Command, r *replay.SweepResult, path string) error {
	f, err := chart.SweepCurve(&r.Sweep)
	if err != nil {
		return err
	}
	if err := f.Save(path); err != nil {
		return err
	}
	fmt.Fprintf(c.ErrOrStderr(), "wrote %s\n", path)
	return nil
}
