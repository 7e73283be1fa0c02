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
	"github.com/blockreel/blockreel/internal/outfile"
	"github.com/blockreel/blockreel/recorder/fabricnet"
)

// recordFabric connects first, so that a refusal leaves no file; the trace is there from
// then on, so that a kill leaves what was recorded.
func recordFabric(c *cobra.Command, cfg fabricnet.Config, fl fabricFlags) error {
	net, err := fabricnet.Open(c.Context(), cfg)
	if err != nil {
		return mend(err)
	}
	defer net.Close()
	ctx := c.Context()
	if fl.duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, fl.duration)
		defer cancel()
	}
	stop := showHeights(c, net)
	err = recordFiles(ctx, net, fl.output, cfg.Payload != fabricnet.PayloadNone)
	stop()
	stderr := c.ErrOrStderr()
	for _, s := range net.Status() {
		fmt.Fprintf(stderr, "%s: %s commits observed, orderer at %d, peer at %d\n", s.Name, analysis.FormatCount(int64(s.Blocks)), s.Offered, s.Committed)
		if s.Dropped > 0 {
			warn(stderr, "%s: %s events were dropped", s.Name, analysis.FormatCount(int64(s.Dropped)))
		}
	}
	if lost := net.Status()[0].DroppedPayloads; lost > 0 {
		warn(stderr, "payloads of %s blocks were dropped: the disk is too slow for them; their times are whole", analysis.FormatCount(int64(lost)))
	}
	fmt.Fprintf(stderr, "wrote %s\n", fl.output)
	return mend(err)
}

// recordFiles runs the recording into output, by way of a second file if there are
// payloads.
func recordFiles(ctx context.Context, net *fabricnet.Network, output string, payloads bool) error {
	times, err := os.OpenFile(output, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	defer times.Close()
	if !payloads {
		return errors.Join(net.Run(ctx, times, nil), times.Close())
	}
	// Payloads are somebody's ledger: nobody else reads them.
	blocks, err := os.OpenFile(output+".payloads", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer blocks.Close()
	ran := net.Run(ctx, times, blocks)
	for _, f := range []*os.File{times, blocks} {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return errors.Join(ran, err)
		}
	}
	if err := errors.Join(times.Chmod(0o600), outfile.WritePrivate(output, func(w io.Writer) error {
		return fabricnet.Merge(w, times, blocks)
	})); err != nil {
		return errors.Join(ran, fmt.Errorf("the payloads stay in %s: %w", blocks.Name(), err))
	}
	return errors.Join(ran, os.Remove(blocks.Name()))
}

// showHeights keeps a line on a terminal until the function that it returns is called.
func showHeights(c *cobra.Command, net *fabricnet.Network) (stop func()) {
	stderr := c.ErrOrStderr()
	if !isTerminal(stderr) {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(c.Context()))
	done := make(chan struct{})
	go func() {
		defer close(done)
		const every = 500 * time.Millisecond
		tick := time.NewTicker(every)
		defer tick.Stop()
		var before uint64
		for {
			select {
			case <-tick.C:
				line, blocks := heightsLine(net.Status(), before, every)
				before = blocks
				fmt.Fprintf(stderr, "\r\033[K%s", line)
			case <-ctx.Done():
				fmt.Fprint(stderr, "\r\033[K")
				return
			}
		}
	}()
	return func() { cancel(); <-done }
}

// heightsLine shows the stream with the widest gap, and the commits of all; before is
// what it returned the last time.
func heightsLine(all []fabricnet.Status, before uint64, since time.Duration) (line string, blocks uint64) {
	worst, gap := all[0], int64(0)
	var dropped, bytes uint64
	channels := map[string]bool{}
	for _, s := range all {
		blocks += s.Blocks
		dropped += s.Dropped
		if !channels[s.Channel] {
			channels[s.Channel] = true
			bytes += s.Bytes
		}
		if g := int64(s.Offered) - int64(s.Committed); g > gap {
			worst, gap = s, g
		}
	}
	depth := ""
	if worst.Depth >= 0 {
		depth = fmt.Sprintf(", buffer %d", worst.Depth)
	}
	return fmt.Sprintf("%s: orderer %d, peer %d, gap %d%s | %d streams: %.0f commits/s | %s | dropped: %d events, %d payloads",
		worst.Name, worst.Offered, worst.Committed, gap, depth, len(all), float64(blocks-before)/since.Seconds(),
		analysis.FormatBytes(int64(bytes)), dropped+worst.DroppedSamples, worst.DroppedPayloads), blocks
}
