package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/analysis/report"
	"github.com/blockreel/blockreel/replay"
	"github.com/blockreel/blockreel/traces"
)

func newReplay() *cobra.Command {
	var (
		flags                  scenarioFlags
		ledgers                []string
		clock, output, scratch string
		speed                  float64
		asJSON, noSync         bool
	)
	c := &cobra.Command{
		Use:   "replay FILE",
		Short: "Replay a trace with other buffers and ledgers",
		Long: `Replay plays a trace again under other settings and writes a result trace for each,
named by its setting, which every other command reads like a recorded one. The first
line says by how much a replay with the trace's own settings differs from the trace:
how far to trust the rest.

By the virtual clock a replay takes the service times of the trace; a ledger other than
"recorded" is first driven as fast as it goes, and its measured commits are used. By the
wall clock everything happens in real time. Blocks that the trace does not hold are made
up with its transactions, bytes and writes; validation then takes the trace's own time.`,
		Example: `  blockreel replay run.reel --buffer 2,20,200 -o what-if
  blockreel replay run.reel --scale commit=0.5
  blockreel replay run.reel --ledger recorded,badger --buffer 20 -o what-if
  blockreel replay run.reel --clock wall --speed 4 --ledger badger -o what-if
  blockreel replay n2.reel --services-from n20.reel --json`,
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			tr, s, err := flags.scenario(c, args[0])
			if err != nil {
				return err
			}
			s.Clock, s.Speed, s.LedgerDir, s.Ledgers = clock, speed, scratch, ledgers
			if noSync {
				for i, l := range s.Ledgers {
					s.Ledgers[i] = withoutSync(l)
				}
			}
			out, err := runReplay(c, tr, s)
			if err != nil {
				return err
			}
			if err := printReplay(c, out, asJSON); err != nil {
				return err
			}
			return writeResults(c.ErrOrStderr(), out, output)
		},
	}
	flags.bind(c)
	f := c.Flags()
	f.StringSliceVar(&ledgers, "ledger", nil, "ledgers: recorded, "+ledgerNames()+" (recorded unless given)")
	f.BoolVar(&noSync, "no-sync", false, noSyncUsage)
	f.StringVar(&clock, "clock", replay.Virtual, "virtual or wall")
	f.Float64Var(&speed, "speed", 0, "seconds of the trace in a second of the wall clock")
	f.StringVar(&scratch, "dir", "", "directory for ledgers while they are used (the system's temporary one unless given)")
	f.StringVarP(&output, "output", "o", "", "directory for the result traces (none are written unless given)")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// runReplay replays with progress.
func runReplay(c *cobra.Command, tr *traces.Trace, s replay.Scenario) (*replay.Outcome, error) {
	bar := progress(c.ErrOrStderr(), int64(max(len(s.Buffers), 1)*max(len(s.Ledgers), 1)), "replaying", false)
	s.Progress = func(done, _ int, _ string) { _ = bar.Set(done) }
	out, err := replay.Replay(c.Context(), tr, s)
	_ = bar.Finish()
	return out, err
}

// replayResult is what replay prints as JSON.
type replayResult struct {
	Streams  []runStats                      `json:"streams"`
	Identity map[string]analysis.Differences `json:"identity_error"`
	Facts    []string                        `json:"facts"`
	Warnings []string                        `json:"warnings"`
}

// printReplay prints how far to trust the replay, a row for each setting and stream,
// and the verdicts.
func printReplay(c *cobra.Command, out *replay.Outcome, asJSON bool) error {
	var streams []runStats
	for _, r := range out.Results {
		for _, s := range analysis.Stats(r.Trace).Streams {
			streams = append(streams, runStats{r.Name(), s})
		}
	}
	warnings := append([]string{}, out.Warnings...)
	if asJSON {
		identity := map[string]analysis.Differences{}
		for _, id := range out.Identity {
			identity[id.Stream] = id.Differences
		}
		return report.JSON(c.OutOrStdout(), replayResult{streams, identity, out.Facts, warnings})
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
	rows := make([]analysis.StreamStats, len(streams))
	for i, s := range streams {
		rows[i] = s.StreamStats
	}
	if err := report.Settings(stdout, rows); err != nil {
		return err
	}
	fmt.Fprintln(stdout)
	for _, s := range streams {
		fmt.Fprintf(stdout, "%s: %s\n", label(s, len(out.Identity)), s.Verdict)
	}
	return report.Warnings(c.ErrOrStderr(), warnings)
}

// label names a row of several streams or one.
func label(s runStats, streams int) string {
	if streams > 1 {
		return s.Run + " " + s.Name()
	}
	return s.Run
}

// writeResults writes each result trace into dir, if there is one.
func writeResults(stderr io.Writer, out *replay.Outcome, dir string) error {
	if dir == "" {
		return nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, r := range out.Results {
		path := filepath.Join(dir, r.Name()+".reel")
		if err := traces.WriteFile(path, r.Trace); err != nil {
			return err
		}
		fmt.Fprintf(stderr, "wrote %s\n", path)
	}
	return nil
}
