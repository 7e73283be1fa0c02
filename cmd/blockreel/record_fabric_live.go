package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/recorder/fabricnet"
)

// recordFabric makes the file first and connects then: neither a file that cannot be
// written nor a refusal leaves anything behind.
func recordFabric(c *cobra.Command, cfg fabricnet.Config, fl fabricFlags) error {
	record := func(run func(io.Writer) error) error { return run(c.OutOrStdout()) }
	discard := func() {}
	if fl.output != "-" {
		file, err := createFile(fl.output, cfg.Payload != fabricnet.PayloadNone)
		if err != nil {
			return err
		}
		record, discard = file.record, file.discard
	}
	talk := &heightsTalk{w: c.ErrOrStderr()}
	cfg.Tell = func(text string) { talk.printf("%s\n", text) }
	cfg.Waiting = func(err error) { talk.printf("waiting: %v\n", err) }
	net, err := openFabric(c.Context(), cfg, fl)
	if err != nil {
		discard()
		return err
	}
	defer net.Close()
	ctx, cancel := within(c.Context(), fl.duration)
	defer cancel()
	stop := talk.show(c.Context(), net)
	err = record(func(w io.Writer) error { return net.Run(ctx, w) })
	stop()
	tellFabric(talk.w, net)
	var node *fabricnet.NodeError
	switch {
	case fl.output == "-":
	case err == nil:
		fmt.Fprintf(talk.w, "wrote %s\n", fl.output)
	case errors.As(err, &node):
		fmt.Fprintf(talk.w, "%s holds what was recorded until the failure\n", fl.output)
	}
	return mend(err, fl.profile != "")
}

// within bounds a context by a duration; 0 is none.
func within(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if d == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, d)
}

// openFabric connects, and waits no longer than the recording may last.
func openFabric(ctx context.Context, cfg fabricnet.Config, fl fabricFlags) (*fabricnet.Network, error) {
	waiting, cancel := ctx, func() {}
	if cfg.Wait {
		waiting, cancel = within(ctx, fl.duration)
	}
	defer cancel()
	net, err := fabricnet.Open(waiting, cfg)
	if err == nil || waiting.Err() == nil {
		return net, mend(err, fl.profile != "")
	}
	end := "it was interrupted"
	if ctx.Err() == nil {
		end = fmt.Sprintf("it was to end after %v", fl.duration)
	}
	var node *fabricnet.NodeError
	if errors.As(err, &node) && !errors.Is(node, context.Canceled) && !errors.Is(node, context.DeadlineExceeded) {
		return nil, fmt.Errorf("nothing was recorded: %s while it waited: %w", end, node)
	}
	return nil, fmt.Errorf("nothing was recorded: %s before all nodes had answered", end)
}

// tellFabric says what was recorded, and what is wrong with it.
func tellFabric(stderr io.Writer, net *fabricnet.Network) {
	all := net.Status()
	for _, s := range all {
		if s.Waiting {
			fmt.Fprintf(stderr, "%s: nothing observed, the channel was not there\n", s.Name)
			continue
		}
		fmt.Fprintf(stderr, "%s: %s observed, orderer at %d, peer at %d\n", s.Name, count(s.Blocks, "commit"), s.Offered, s.Committed)
		if s.Dropped > 0 {
			warn(stderr, "%s: %s dropped", s.Name, count(s.Dropped, "event"))
		}
	}
	if lost := all[0].DroppedSamples; lost > 0 {
		warn(stderr, "%s dropped", count(lost, "sample"))
	}
	if lost := all[0].DroppedPayloads; lost > 0 {
		warn(stderr, "payloads of %s dropped: they came faster than they could be written", count(lost, "block"))
	}
	for _, w := range net.Warnings() {
		warn(stderr, "%s", w)
	}
}

// count writes a number of things, of which one has no s.
func count(n uint64, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return analysis.FormatCount(int64(n)) + " " + thing
}

// heightsTalk writes lines, and on a terminal keeps one of the heights below them.
type heightsTalk struct {
	mu   sync.Mutex
	w    io.Writer
	line string
}

func (t *heightsTalk) printf(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.line == "" {
		fmt.Fprintf(t.w, format, args...)
		return
	}
	fmt.Fprintf(t.w, "\r\033[K"+format+"%s", append(args, t.line)...)
}

// set shows the line of heights instead of the one before.
func (t *heightsTalk) set(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.line = line
	fmt.Fprintf(t.w, "\r\033[K%s", line)
}

// show keeps the line up to date until the function that it returns is called.
func (t *heightsTalk) show(ctx context.Context, net *fabricnet.Network) (stop func()) {
	if !isTerminal(t.w) {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
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
				all := net.Status()
				t.set(heightsLine(all, before, every, width(t.w)))
				before = observedCommits(all)
			case <-ctx.Done():
				t.set("")
				return
			}
		}
	}()
	return func() { cancel(); <-done }
}

// width of the terminal; 0 if it is not known.
func width(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok {
		return 0
	}
	if columns, _, err := term.GetSize(int(f.Fd())); err == nil && columns > 0 {
		return columns
	}
	return 0
}

func observedCommits(all []fabricnet.Status) (n uint64) {
	for _, s := range all {
		n += s.Blocks
	}
	return n
}

// heightsLine shows what matters most first, and as much as fits into columns: who is not
// observed, what was dropped, the widest gap. before is the number of commits that were
// observed at the line before.
func heightsLine(all []fabricnet.Status, before uint64, since time.Duration, columns int) string {
	parts := append(lostParts(all), gapParts(all)...)
	parts = append(parts, fmt.Sprintf("%.0f commits/s", float64(observedCommits(all)-before)/since.Seconds()))
	var bytes, past uint64
	channels := map[string]bool{}
	for _, s := range all {
		if !channels[s.Channel] {
			channels[s.Channel] = true
			bytes += s.Bytes
			past += s.Past
		}
	}
	if past > 0 {
		parts = append(parts, count(past, "older block")+" to read")
	}
	parts = append(parts, analysis.FormatBytes(int64(bytes)), count(uint64(len(all)), "stream"))
	return fit(parts, columns)
}

// lostParts tell of what is not seen and not kept.
func lostParts(all []fabricnet.Status) (parts []string) {
	seen := map[string]bool{}
	add := func(lost time.Duration, name string) {
		if lost > 0 && !seen[name] {
			seen[name] = true
			parts = append(parts, fmt.Sprintf("LOST %s for %v", name, lost.Round(time.Second)))
		}
	}
	var events uint64
	for _, s := range all {
		add(s.OrdererLost, "orderer of "+s.Channel)
	}
	for _, s := range all {
		events += s.Dropped
		add(s.PeerLost, s.Name)
		if s.Waiting && !seen[s.Channel] {
			seen[s.Channel] = true
			parts = append(parts, "waiting for "+s.Channel)
		}
	}
	for _, d := range []struct {
		n    uint64
		what string
	}{{events, "event"}, {all[0].DroppedSamples, "sample"}, {all[0].DroppedPayloads, "payload"}} {
		if d.n > 0 {
			parts = append(parts, "dropped "+count(d.n, d.what))
		}
	}
	return parts
}

// gapParts tell of the stream with the widest gap; of one whose orderer or peer is lost it
// is not known.
func gapParts(all []fabricnet.Status) []string {
	var worst *fabricnet.Status
	gap := func(s *fabricnet.Status) int64 { return max(int64(s.Offered)-int64(s.Committed), 0) }
	for i := range all {
		s := &all[i]
		if !s.Waiting && s.OrdererLost == 0 && s.PeerLost == 0 && (worst == nil || gap(s) > gap(worst)) {
			worst = s
		}
	}
	if worst == nil {
		return []string{"gap unknown"}
	}
	parts := []string{fmt.Sprintf("gap %d", gap(worst))}
	if worst.Depth >= 0 {
		parts = append(parts, fmt.Sprintf("buffer %d", worst.Depth))
	}
	return append(parts, fmt.Sprintf("%s: orderer %d, peer %d", worst.Name, worst.Offered, worst.Committed))
}

// fit joins as many of the parts as a terminal of so many columns has room for: a longer
// line could not be overwritten. 0: all.
func fit(parts []string, columns int) string {
	line := strings.Join(parts, " | ")
	for n := len(parts) - 1; columns > 0 && len(line) >= columns && n > 0; n-- {
		line = strings.Join(parts[:n], " | ")
	}
	if columns > 0 && len(line) >= columns {
		line = line[:columns-1]
	}
	return line
}
