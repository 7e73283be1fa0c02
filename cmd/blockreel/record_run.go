package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/recorder"
	"github.com/blockreel/blockreel/replay/ledger"
	"github.com/blockreel/blockreel/replay/network"
	"github.com/blockreel/blockreel/replay/pipeline"
)

func newRecordRun() *cobra.Command {
	cfg := network.Default()
	blockBytes := byteSize(cfg.Bytes)
	var buffer int
	var output string
	noSync := false
	c := &cobra.Command{
		Use:   "run -o FILE",
		Short: "Run the embedded pipeline live and record it",
		Long: `Run starts an orderer and peers in this process. The orderer cuts blocks by an arrival
profile, every peer has every channel, and each stream has its own payloads buffer,
committer and ledger. Blocks are made up; their commits are real and are measured.
Ctrl-C ends the run; the trace is whole up to there.`,
		Example: `  blockreel record run --rate 400 --blocks 4000 -o run.reel
  blockreel record run --profile burst --rate 200 --duration 30s --buffer 100 -o run.reel
  blockreel record run --channels 2 --peers 2 --ledger memory --rate 1000 -o run.reel`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := needOutput(c, output); err != nil {
				return err
			}
			if _, ok := pipeline.Preset(cfg.Preset); !ok {
				return usagef(c, "--preset %q is unknown; choose one of %s", cfg.Preset, strings.Join(pipeline.Presets(), ", "))
			}
			if cfg.Pipeline = network.Pipeline(cfg.Preset); buffer != 0 {
				cfg.Pipeline.Policy.N = buffer
			}
			if noSync {
				cfg.Ledger = withoutSync(cfg.Ledger)
			}
			if cfg.Bytes = int(blockBytes); cfg.Blocks > 0 && !c.Flags().Changed("duration") {
				cfg.Duration = 0
			}
			if !c.Flags().Changed("writes") {
				cfg.Writes = 2 * cfg.Transactions
			}
			if err := cfg.Validate(); err != nil {
				return usagef(c, "%w", err)
			}
			for flag, profile := range map[string]network.Profile{"start-rate": network.Ramp, "burst-blocks": network.Burst, "seed": network.Poisson} {
				if c.Flags().Changed(flag) && cfg.Profile != profile {
					return usagef(c, "--%s belongs to --profile %s", flag, profile)
				}
			}
			if output == "-" {
				return usagef(c, "a live run is recorded into a file, not to stdout")
			}
			_, err := recordRun(c, cfg, output, "recording")
			return err
		},
	}
	f := c.Flags()
	f.StringVar((*string)(&cfg.Profile), "profile", string(cfg.Profile), "arrival profile: constant, poisson, burst or ramp")
	f.Float64Var(&cfg.Rate, "rate", cfg.Rate, "blocks a second on each channel (mean; end of a ramp)")
	f.Float64Var(&cfg.StartRate, "start-rate", 0, "blocks a second at the start of a ramp")
	f.IntVar(&cfg.BurstBlocks, "burst-blocks", 100, "blocks of one burst")
	f.IntVar(&cfg.Blocks, "blocks", 0, "end after so many blocks on each channel")
	f.DurationVar(&cfg.Duration, "duration", cfg.Duration, "end the offers after this time (10s unless --blocks is given)")
	f.IntVar(&cfg.Transactions, "tx-per-block", cfg.Transactions, "transactions of a block")
	f.IntVar(&cfg.Writes, "writes", 0, "state writes of a block (2 a transaction unless given)")
	f.Var(&blockBytes, "block-bytes", "size of a block")
	f.IntVar(&cfg.Channels, "channels", cfg.Channels, "channels")
	f.IntVar(&cfg.Peers, "peers", cfg.Peers, "peers; each has every channel")
	f.IntVar(&buffer, "buffer", 0, "N, peer.gossip.state.blockBufferSize (the preset's unless given)")
	f.StringVar(&cfg.Preset, "preset", cfg.Preset, "pipeline: "+strings.Join(pipeline.Presets(), ", "))
	f.StringVar(&cfg.Ledger, "ledger", cfg.Ledger, "ledger of the peers: "+ledgerNames())
	f.BoolVar(&noSync, "no-sync", false, noSyncUsage)
	f.StringVar(&cfg.Dir, "dir", "", "directory to keep the ledgers in (a temporary one unless given)")
	f.Uint64Var(&cfg.Seed, "seed", cfg.Seed, "seed of the poisson profile")
	outputFlag(c, &output, "trace to write")
	return c
}

const noSyncUsage = "let badger leave durability to the operating system; the trace says so"

// withoutSync makes badger the one that does not wait for the disk.
func withoutSync(spec string) string {
	if spec == ledger.Badger {
		return ledger.BadgerNoSync
	}
	return spec
}

// ledgerNames lists the ledgers that can be opened.
func ledgerNames() string {
	var names []string
	for _, b := range ledger.List() {
		if b.IsStore() {
			names = append(names, b.Name)
		}
	}
	return strings.Join(names, ", ") + `; options follow as in badger:sync=false ("blockreel ledger list" names them)`
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
	for _, s := range summary.Streams {
		fmt.Fprintf(stderr, "%s: %s blocks offered, %s committed\n", s.Name,
			analysis.FormatCount(int64(s.Offered)), analysis.FormatCount(int64(s.Committed)))
		if s.Lag.Overloaded {
			warn(stderr, "%s: this machine was too slow for the run: 1 %% of the events were more than %v late", s.Name, s.Lag.P99)
		}
	}
	if summary.Interrupted {
		fmt.Fprintln(stderr, "interrupted; what was recorded is whole")
	}
	fmt.Fprintf(stderr, "wrote %s\n", output)
	return summary, nil
}

func observeRun(c *cobra.Command, net *network.Network, file *os.File, what string) (network.Summary, error) {
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
