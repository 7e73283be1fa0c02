package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/blockreel/blockreel/analysis"
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
	err = recordFiles(fl.output, cfg.Payload != fabricnet.PayloadNone, func(times, blocks io.Writer) error {
		return net.Run(ctx, times, blocks)
	})
	stop()
	stderr := c.ErrOrStderr()
	for _, s := range net.Status() {
		fmt.Fprintf(stderr, "%s: %s commits observed, orderer at %d, peer at %d\n", s.Name, analysis.FormatCount(int64(s.Blocks)), s.Offered, s.Committed)
		if s.Dropped > 0 {
			warn(stderr, "%s: %s events were dropped", s.Name, analysis.FormatCount(int64(s.Dropped)))
		}
	}
	if lost := net.Status()[0].DroppedSamples; lost > 0 {
		warn(stderr, "%s samples were dropped", analysis.FormatCount(int64(lost)))
	}
	if lost := net.Status()[0].DroppedPayloads; lost > 0 {
		warn(stderr, "payloads of %s blocks were dropped: the disk is too slow for them; their times are whole", analysis.FormatCount(int64(lost)))
	}
	fmt.Fprintf(stderr, "wrote %s\n", fl.output)
	return mend(err)
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
				fmt.Fprintf(stderr, "\r\033[K%s", fit(line, stderr))
			case <-ctx.Done():
				fmt.Fprint(stderr, "\r\033[K")
				return
			}
		}
	}()
	return func() { cancel(); <-done }
}

// fit cuts a line to the width of its terminal: a longer one could not be overwritten.
func fit(line string, w io.Writer) string {
	f, ok := w.(*os.File)
	if !ok {
		return line
	}
	if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 && len(line) >= width {
		return line[:width-1]
	}
	return line
}

// heightsLine shows the stream with the widest gap, the commits of all, and who is not
// observed; before is what it returned the last time.
func heightsLine(all []fabricnet.Status, before uint64, since time.Duration) (line string, blocks uint64) {
	worst, gap := all[0], int64(0)
	var dropped, bytes uint64
	var lost []string
	channels := map[string]bool{}
	for _, s := range all {
		blocks += s.Blocks
		dropped += s.Dropped
		if !channels[s.Channel] {
			channels[s.Channel] = true
			bytes += s.Bytes
			if s.OrdererLost > 0 {
				lost = append(lost, fmt.Sprintf("orderer of %s for %v", s.Channel, s.OrdererLost.Round(time.Second)))
			}
		}
		if s.PeerLost > 0 {
			lost = append(lost, fmt.Sprintf("%s for %v", s.Name, s.PeerLost.Round(time.Second)))
		}
		if g := int64(s.Offered) - int64(s.Committed); g > gap {
			worst, gap = s, g
		}
	}
	depth := ""
	if worst.Depth >= 0 {
		depth = fmt.Sprintf(", buffer %d", worst.Depth)
	}
	line = fmt.Sprintf("%s: orderer %d, peer %d, gap %d%s | %d streams: %.0f commits/s | %s | dropped: %d events, %d samples, %d payloads",
		worst.Name, worst.Offered, worst.Committed, gap, depth, len(all), float64(blocks-before)/since.Seconds(),
		analysis.FormatBytes(int64(bytes)), dropped, worst.DroppedSamples, worst.DroppedPayloads)
	if len(lost) > 0 {
		line += " | lost: " + strings.Join(lost, ", ")
	}
	return line, blocks
}
