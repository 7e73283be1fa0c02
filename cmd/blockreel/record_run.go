package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/recorder"
	"github.com/blockreel/blockreel/replay/network"
	"github.com/blockreel/blockreel/traces"
)

func newRecordRun() *cobra.Command {
	var flags *networkFlags
	var output, payload string
	c := &cobra.Command{
		Use:   "run -o FILE",
		Short: "Run the embedded network live and record it",
		Long: `Run starts an orderer and peers in this process, which speak to each other as Fabric's
do. The orderer cuts blocks by an arrival profile, every peer has every channel, and each
stream has its own payloads buffer, committer and ledger. Blocks are made up; their commits
are real and are measured. With a range of --tx-per-block they are of different sizes, from
which a cost model can tell what a transaction costs (calibrate). Ctrl-C ends the run; the
trace is whole up to there.`,
		Example: `  blockreel record run --rate 400 --blocks 4000 -o run.reel
  blockreel record run --profile burst --rate 200 --duration 30s --buffer 100 -o run.reel
  blockreel record run --orgs 2 --channels 2 --ledger memory --rate 50 --payload full -o run.reel
  blockreel record run --tx-per-block 1..50 --payload full --ledger memory -o mixed.reel`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := needOutput(c, output); err != nil {
				return err
			}
			if c.Flags().Changed("blocks") && flags.cfg.Blocks < 1 {
				return usagef(c, "--blocks %d: give a number above 0, or --duration", flags.cfg.Blocks)
			}
			if c.Flags().Changed("duration") && flags.cfg.Duration <= 0 {
				return usagef(c, "--duration %v: give a time above 0, or --blocks", flags.cfg.Duration)
			}
			if flags.cfg.Blocks > 0 && !c.Flags().Changed("duration") {
				flags.cfg.Duration = 0
			}
			cfg, err := flags.config(c)
			if err != nil {
				return err
			}
			if !slices.Contains([]string{payloadNone, payloadHeaders, payloadFull}, payload) {
				return usagef(c, "--payload %q is none of none, headers, full", payload)
			}
			if output == "-" {
				return usagef(c, "a live run is recorded into a file, not to stdout")
			}
			_, err = recordRun(c, cfg, output, payload, "recording")
			return err
		},
	}
	flags = newNetworkFlags(c)
	c.Flags().DurationVar(&flags.cfg.Duration, "duration", flags.cfg.Duration, "end the offers after this time (10s unless --blocks is given)")
	c.Flags().Lookup("duration").DefValue = "0s" // its words say it
	c.Flags().StringVar(&payload, "payload", payloadNone, "what to keep of the blocks: none, headers or full")
	traceFlag(c, &output, "trace to write")
	return c
}

// What to keep of a run's blocks.
const (
	payloadNone    = "none"
	payloadHeaders = "headers"
	payloadFull    = "full"
)

// payloadQueueBytes bounds the payloads that wait. They are read from the orderer's file when
// there is room.
const payloadQueueBytes = 8 << 20

// recordRun runs a network and records it.
func recordRun(c *cobra.Command, cfg network.Config, output, payload, what string) (summary network.Summary, err error) {
	file, err := createFile(output, payload != payloadNone)
	if err != nil {
		return summary, err
	}
	net, err := network.Open(cfg)
	if err != nil {
		file.discard()
		return summary, err
	}
	if err := net.Prepare(c.Context()); err != nil {
		file.discard()
		err = errors.Join(err, net.Close())
		if errors.Is(err, context.Canceled) {
			err = errors.New("interrupted before the run began; no trace was written")
		}
		return summary, err
	}
	err = file.record(func(w io.Writer) error {
		summary, err = observeRun(c, net, w, payload, what)
		return err
	})
	if err = errors.Join(err, net.Close()); err != nil {
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

// tellStreams says what has become of a run.
func tellStreams(stderr io.Writer, summary network.Summary) {
	for _, ch := range summary.Channels {
		if ch.Late.Blocks > 0 {
			warn(stderr, "%s: the orderer was slower than the load: it offered %s late, at most by %v",
				ch.Name, analysis.FormatBlocks(int64(ch.Late.Blocks)), ch.Late.Max.Round(time.Millisecond))
		}
	}
	for _, s := range summary.Streams {
		fmt.Fprintf(stderr, "%s: %s offered, %s committed\n", s.Name,
			analysis.FormatBlocks(int64(s.Offered)), analysis.FormatCount(int64(s.Committed)))
		if s.Lag.Overloaded {
			warn(stderr, "%s: this machine was too slow for the run: 99 %% of the events were at most %v late, the others later", s.Name, s.Lag.P99.Round(time.Millisecond))
		}
		if s.Breaks > 0 {
			warn(stderr, "%s: the stream from the orderer broke %s and was taken up again", s.Name, analysis.FormatCounted(int64(s.Breaks), "time"))
		}
	}
}

// observeRun runs a prepared network and records it, with its blocks if payload says so.
func observeRun(c *cobra.Command, net *network.Network, w io.Writer, payload, what string) (network.Summary, error) {
	rec, err := recorder.New(w, net.Header(tool), recorder.Config{QueuePayloadBytes: payloadQueueBytes})
	if err != nil {
		return network.Summary{}, err
	}
	ctx, over := context.WithCancel(context.WithoutCancel(c.Context()))
	defer over()
	var payloads errgroup.Group
	if payload != payloadNone {
		payloads.Go(func() error { return net.Payloads(ctx, payload == payloadHeaders, rec.PayloadWait) })
	}
	stop := showCommits(c, net, what)
	summary, err := net.Run(c.Context(), rec)
	over()
	stop()
	for _, n := range summary.Notes() {
		rec.Note(n)
	}
	if payload == payloadHeaders {
		rec.Note(traces.Note{Stream: -1, Kind: traces.NotePayloads, Text: "they are blocks without their transactions"})
	}
	return summary, errors.Join(err, payloads.Wait(), rec.Close())
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
