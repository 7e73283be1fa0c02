package main

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/blockreel/blockreel/replay"
	"github.com/blockreel/blockreel/replay/ledger"
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
		Long: `Replay plays a trace again under other settings and prints the figures of each. With -o it
also writes a result trace for each, named by its setting, which every other command reads
like a recorded one. The first line says by how much a replay with the trace's own settings
differs from the trace: how far to trust the rest. (Where all was measured without pace,
nothing follows from it, and it is not there.)

By the virtual clock a replay takes the service times of the trace; a ledger other than
"recorded" is first driven as fast as it goes, and its measured times are used; --cost
takes those that a cost model forecasts (see calibrate).

By the wall clock everything happens in real time, each setting into a fresh ledger, and
what the ledger did is measured: blocks a second, stages and bytes on the disk. A trace with payloads commits its own blocks. Others have blocks made up
with their transactions, bytes and writes; validation then takes the trace's own time.
--speed 4 lets blocks arrive four times as fast at a real ledger; --unpaced has them
all at the orderer from the start, and without --buffer nothing but the committer limits
them. --repeat runs all settings in turn, so many times, and prints medians with their
ranges, and which settings the runs tell apart: by the rank test, corrected by Holm for
the number of comparisons, so that two ledgers take four runs of each and three take five.
A run that the replayer held up is not valid: it is named and counts in none of these.

Columns of a run into ledgers:
  capacity      blocks a second of the committer's own time: what it does when it
                never waits for a block
  on disk       bytes allocated to the ledger's files after it was closed and opened again
  block         from pop to commit: the stages and what they leave of it, which a cost
                model calls other_commit

How long does a peer that is 40,000 blocks behind take on another ledger? 40,000 ÷ (blocks/s
of a run into it with --clock wall --unpaced --buffer and the peer's N − blocks/s that arrive
meanwhile, the offered rate of stats).

--json has the same as numbers, in names that end in their units (_ns, _bytes, _per_s):
every run in streams and ledger_runs, of repeated ones median, min and max in
stream_settings (all blocks) and ledger_settings (after the warm-up), and in comparisons
p of the rank test, p_holm and told_apart.

What a real ledger here does not do, and a peer does: evaluate endorsement policies, ask
whether certificates belong to members, execute range queries again of which only hashes
are recorded, look at private data. Where the blocks carry a peer's verdict on these, it
is taken over; how many were is told.`,
		Example: `  blockreel replay run.reel --buffer 2,20,200 -o what-if
  blockreel replay run.reel --scale commit=0.5
  blockreel replay run.reel --clock wall --ledger badger,memory --buffer 2,20 -o what-if
  blockreel replay full.reel --clock wall --ledger badger,memory --unpaced --repeat 5 --dir /var/tmp
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
			case c.Flags().Changed("warmup") && clock != replay.Wall:
				return usagef(c, "--warmup belongs to --clock wall: in simulated time nothing has to warm up")
			}
			if ledgers != "" {
				s.Ledgers = ledger.ParseList(ledgers)
			}
			if err := place.check(c, s.Ledgers, "name a ledger with --ledger"); err != nil {
				return err
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
			read := slices.Concat(args, costs, []string{flags.services, measured.path})
			if err := spareFromResults(c, output, s, measured.plot, read); err != nil {
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
	flags.bind(c, "the recorded one")
	place.bind(c, "", "the number of CPUs")
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

// spareFromResults refuses results, in the directory or in the chart of --against, in whose
// places there are files that are read.
func spareFromResults(c *cobra.Command, dir string, s replay.Scenario, plot string, read []string) error {
	if err := spareInputs(c, plot, read...); err != nil || dir == "" {
		return err
	}
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return usagef(c, "-o %s is a file: a directory is wanted, in which each setting gets a trace of its own", dir)
	}
	for _, name := range s.ResultNames() {
		if err := spareInputs(c, resultPath(dir, name), read...); err != nil {
			return err
		}
	}
	return nil
}

// withoutSyncs makes the ledgers that are real, of which there must be one, those that do
// not wait for the disk.
func withoutSyncs(c *cobra.Command, specs []string) ([]string, error) {
	if !slices.ContainsFunc(specs, isReal) {
		return nil, usagef(c, "--no-sync: recorded is not a ledger that could wait for the disk; name one with --ledger")
	}
	for i, spec := range specs {
		if isReal(spec) {
			var err error
			if specs[i], err = withoutSync(c, spec); err != nil {
				return nil, err
			}
		}
	}
	return specs, nil
}

// isReal tells a ledger that takes real time from the recorded services.
func isReal(spec string) bool { return spec != replay.RecordedLedger }
