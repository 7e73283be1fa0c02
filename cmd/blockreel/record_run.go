package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/recorder"
	"github.com/blockreel/blockreel/replay/network"
)

func newRecordRun() *cobra.Command {
	var flags *networkFlags
	var output string
	c := &cobra.Command{
		Use:   "run -o FILE",
		Short: "Run the embedded network live and record it",
		Long: `Run starts an orderer and peers in this process, which speak to each other as Fabric's
do. The orderer cuts blocks by an arrival profile, every peer has every channel, and each
stream has its own payloads buffer, committer and ledger. Blocks are made up; their commits
are real and are measured. Ctrl-C ends the run; the trace is whole up to there.`,
		Example: `  blockreel record run --rate 400 --blocks 4000 -o run.reel
  blockreel record run --profile burst --rate 200 --duration 30s --buffer 100 -o run.reel
  blockreel record run --channels 2 --peers 2 --ledger memory --rate 1000 -o run.reel`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := needOutput(c, output); err != nil {
				return err
			}
			if flags.cfg.Blocks > 0 && !c.Flags().Changed("duration") {
				flags.cfg.Duration = 0
			}
			cfg, err := flags.config(c)
			if err != nil {
				return err
			}
			if output == "-" {
				return usagef(c, "a live run is recorded into a file, not to stdout")
			}
			_, err = recordRun(c, cfg, output, "recording")
			return err
		},
	}
	flags = newNetworkFlags(c)
	c.Flags().DurationVar(&flags.cfg.Duration, "duration", flags.cfg.Duration, "end the offers after this time (10s unless --blocks is given)")
	outputFlag(c, &output, "trace to write")
	return c
}

// recordRun runs a network and records it; the file is there from the start, so that
// a kill leaves what was recorded.
func recordRun(c *cobra.Command, cfg network.Config, output, what string) (network.Summary, error) {
	net, err := network.Open(cfg)
	if err != nil {
		return network.Summary{}, err
	}
	file, err := os.Create(output)
	if err != nil {
		return network.Summary{}, errors.Join(err, net.Close())
	}
	summary, err := observeRun(c, net, file, what)
	if err = errors.Join(err, file.Close(), net.Close()); err != nil {
		return summary, err
	}
	stderr := c.ErrOrStderr()
	tellStreams(stderr, summary)
	if summary.Interrupted {
		fmt.Fprintln(stderr, "interrupted; what was recorded is whole")
	}
	fmt.Fprintf(stderr, "wrote %s\n", output)
	return summary, nil
}

// tellStreams says what has become of the streams of a run.
func tellStreams(stderr io.Writer, summary network.Summary) {
	for _, s := range summary.Streams {
		fmt.Fprintf(stderr, "%s: %s blocks offered, %s committed\n", s.Name,
			analysis.FormatCount(int64(s.Offered)), analysis.FormatCount(int64(s.Committed)))
		if s.Lag.Overloaded {
			warn(stderr, "%s: this machine was too slow for the run: 1 %% of the events were more than %v late", s.Name, s.Lag.P99)
		}
	}
}

func observeRun(c *cobra.Command, net *network.Network, file *os.File, what string) (network.Summary, error) {
	if err := net.Prepare(c.Context()); err != nil {
		return network.Summary{}, err
	}
	rec, err := recorder.New(file, net.Header(tool), recorder.Config{})
	if err != nil {
		return network.Summary{}, err
	}
	stop := showCommits(c, net, what)
	summary, err := net.Run(c.Context(), rec)
	stop()
	for _, n := range summary.Notes() {
		rec.Note(n)
	}
	return summary, errors.Join(err, rec.Close())
}

// showCommits shows the progress of a run until the function that it returns is called.
func showCommits(c *cobra.Command, net *network.Network, what string) (stop func()) {
	bar := progress(c.ErrOrStderr(), net.Expected(), what, false)
	ctx, cancel := context.WithCancel(context.WithoutCancel(c.Context()))
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				_ = bar.Set64(net.Committed())
			case <-ctx.Done():
				_ = bar.Finish()
				return
			}
		}
	}()
	return func() { cancel(); <-done }
}
