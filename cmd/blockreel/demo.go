package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/analysis/chart"
	"github.com/blockreel/blockreel/analysis/report"
	"github.com/blockreel/blockreel/replay"
	"github.com/blockreel/blockreel/replay/ledger"
	"github.com/blockreel/blockreel/replay/network"
	"github.com/blockreel/blockreel/traces"
)

const (
	demoDir = "blockreel-demo"
	// The orderer of the demo is demoOverload times as fast as the committer, and
	// its blocks take the committer about demoCommit; but there are at most
	// demoBlocks of them, which are enough for a gap of thousands.
	demoOverload = 6
	demoCommit   = 18 * time.Second
	demoBlocks   = 5000
	// demoProbe is the time in which it is found out how fast the committer is.
	demoProbe = 1500 * time.Millisecond
)

func newDemo() *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "Record, replay and chart a run on this machine, in less than a minute",
		Long: `Demo runs an orderer that is faster than the committer of its peer, whose ledger is
Badger, and records how the peer falls behind and catches up. It replays the trace with
other buffer sizes and with another ledger, draws the charts, and prints what it found.
Everything goes into ` + demoDir + `/ in the current directory.`,
		Example: `  blockreel demo
  go run github.com/blockreel/blockreel/cmd/blockreel@latest demo`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error { return demo(c) },
	}
}

func demo(c *cobra.Command) error {
	d := &demonstration{c: c}
	for _, step := range []func() error{d.record, d.replay, d.charts, d.tell} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// demonstration is a demo under way.
type demonstration struct {
	c     *cobra.Command
	run   *traces.Trace
	table whatIf
	runs  []chart.Run
	sweep *replay.SweepResult
	files []string
}

func (d *demonstration) say(format string, args ...any) {
	fmt.Fprintf(d.c.ErrOrStderr(), format+"\n", args...)
}

func (d *demonstration) file(name string) string {
	path := filepath.Join(demoDir, name)
	d.files = append(d.files, path)
	return path
}

// record runs the embedded network with an orderer that its committer cannot follow.
func (d *demonstration) record() error {
	cfg := network.Default()
	rate, err := network.Capacity(d.c.Context(), cfg, demoProbe)
	if err != nil {
		return err
	}
	cfg.Blocks = min(demoBlocks, int(rate*demoCommit.Seconds()))
	cfg.Rate, cfg.Duration = demoOverload*rate, 0
	d.say("This machine's Badger ledger takes about %s blocks a second; the orderer cuts %s of them at %s a second.",
		analysis.FormatNumber(rate), analysis.FormatCount(int64(cfg.Blocks)), analysis.FormatNumber(cfg.Rate))
	if err := os.MkdirAll(demoDir, 0o755); err != nil {
		return err
	}
	path := d.file("run.reel")
	if _, err := recordRun(d.c, cfg, path, payloadNone, "recording"); err != nil {
		return err
	}
	d.run, err = traces.ReadFile(path)
	return err
}

// replay asks: what if the buffer were another one, or the ledger?
func (d *demonstration) replay() error {
	s := replay.Scenario{Buffers: []int{2, 20, 100, 200}, Scale: ledger.Unscaled(), Tool: tool}
	d.table = whatIf{dir: demoDir, keep: func(r replay.Result) {
		d.runs = append(d.runs, chart.Run{Name: r.Label(), Timeline: r.Trace.Timelines[0]})
	}}
	if err := d.table.run(d.c, d.run, s); err != nil {
		return err
	}
	s.Buffers, s.Ledgers = []int{20}, []string{"memory"}
	if err := d.table.run(d.c, d.run, s); err != nil {
		return err
	}
	d.files = append(d.files, d.table.written...)
	s.Buffers, s.Ledgers = replay.DefaultSweep(), nil
	sweep, err := replay.SweepTrace(d.c.Context(), d.run, s)
	d.sweep = sweep
	return err
}

func (d *demonstration) charts() error {
	recorded := chart.NewRun("", d.run.Timelines[0])
	for _, draw := range []struct {
		name   string
		figure func() (*chart.Figure, error)
	}{
		{"heights.png", func() (*chart.Figure, error) { return chart.Heights(recorded) }},
		{"depth.png", func() (*chart.Figure, error) { return chart.BufferDepth(recorded) }},
		{"parts.png", func() (*chart.Figure, error) { return chart.LatencyParts(recorded) }},
		{"gap.png", func() (*chart.Figure, error) { return chart.GapBySetting(d.runs) }},
		{"latency.png", func() (*chart.Figure, error) { return chart.LatencyPercentiles(d.runs) }},
		{"sweep.png", func() (*chart.Figure, error) { return chart.SweepCurve(&d.sweep.Sweep) }},
	} {
		f, err := draw.figure()
		if err == nil {
			err = f.Save(d.file(draw.name))
		}
		if err != nil {
			return fmt.Errorf("chart %s: %w", draw.name, err)
		}
	}
	return nil
}

// tell prints what was recorded, what the replays say, and where everything is.
func (d *demonstration) tell() error {
	stdout := d.c.OutOrStdout()
	stats := analysis.Stats(d.run)
	fmt.Fprintln(stdout, "\nRecorded:")
	if err := report.Stats(stdout, stats); err != nil {
		return err
	}
	fmt.Fprintln(stdout, "\nReplayed:")
	if err := d.table.print(d.c, false); err != nil {
		return err
	}
	if n, ok := d.sweep.RecommendedBuffer.Get(); ok {
		gain := ""
		if g, ok := d.sweep.Gain().Get(); ok {
			gain = fmt.Sprintf("; over the recorded N = %d it wins %s", d.sweep.RecordedBuffer.Or(0), analysis.FormatGain(g))
		}
		fmt.Fprintf(stdout, "\nThe smallest buffer that does not starve this committer is N = %d%s (sweep.png).\n", n, gain)
	}
	fmt.Fprintln(stdout, "\nWritten:")
	for _, f := range d.files {
		fmt.Fprintf(stdout, "  %s\n", f)
	}
	return report.Warnings(d.c.ErrOrStderr(), stats.Warnings)
}
