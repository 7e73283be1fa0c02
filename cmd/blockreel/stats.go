package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/analysis/report"
)

func newStats() *cobra.Command {
	asJSON := false
	c := &cobra.Command{
		Use:   "stats FILE...",
		Short: "Print the figures of traces, and what the bottleneck was",
		Long: `Stats prints for every stream how far the peer fell behind and when, the delivery
latency in total and by part, how long the committer was busy and starved, and a verdict
in a sentence. What the trace does not tell is a dash (null in JSON), never zero.

Where a trace has no times of a block's pop and commit but samples of the peer's own
metrics, the stages are averages per interval and the verdict is derived from the samples
of the buffer's depth, and says so.

Starved is the time during which the committer was idle although the orderer held blocks
that it lacked, longer than such a block's usual way takes; a larger buffer can win back
only the part of it during which a block stood at the door. The starved time of a sweep is
another figure: that of a replay, less what the same replay starves with a buffer without
limits. Blocks that are late although the door is open count here and not there; a block's
usual way is left out here, and there only where it is waited for without limits, too; and
a replay is not quite the run. So the two can differ by percents of the makespan: compare
stats with stats and sweeps with sweeps.`,
		Example: `  blockreel stats run.reel
  blockreel stats what-if/*.reel
  blockreel stats --json run.reel | jq '.streams[].latency_ns.p99'`,
		Args: usageArgs(cobra.MinimumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			all := statsResult{Streams: []runStats{}, Warnings: []string{}}
			for i, path := range inNaturalOrder(args) {
				tr, err := loadTrace(c, path, analysis.StatsKinds()...)
				if err != nil {
					return err
				}
				if !asJSON {
					tr.Loss = nil // loadTrace has warned of it
				}
				r := analysis.Stats(tr)
				run := ""
				if len(args) > 1 {
					run = runName(path)
				}
				all.add(run, r)
				if asJSON {
					continue
				}
				if i > 0 {
					fmt.Fprintln(c.OutOrStdout())
				}
				if run != "" {
					fmt.Fprintf(c.OutOrStdout(), "%s:\n", path)
				}
				if err := report.Stats(c.OutOrStdout(), r); err != nil {
					return err
				}
			}
			if asJSON {
				return report.JSON(c.OutOrStdout(), all)
			}
			return report.Warnings(c.ErrOrStderr(), all.Warnings)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// statsResult is the figures of several runs.
type statsResult struct {
	Streams  []runStats `json:"streams"`
	Warnings []string   `json:"warnings"`
}

// runStats are the figures of one stream in one of several runs.
type runStats struct {
	Run string `json:"run,omitempty"`
	analysis.StreamStats
}

func (s *statsResult) add(run string, r analysis.Result) {
	for _, stream := range r.Streams {
		s.Streams = append(s.Streams, runStats{run, stream})
	}
	for _, w := range r.Warnings {
		if run != "" {
			w = run + ": " + w
		}
		s.Warnings = append(s.Warnings, w)
	}
}
