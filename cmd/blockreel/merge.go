package main

import (
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/internal/outfile"
	"github.com/blockreel/blockreel/recorder/merge"
)

func newMerge() *cobra.Command {
	cfg := merge.Config{Tool: tool}
	output := ""
	c := &cobra.Command{
		Use:   "merge FILE FILE... -o FILE",
		Short: "Join traces of the same run: times with payloads, logs with the wire, parts",
		Long: `Merge makes one trace of several that tell of the same run. If "record fabric --payload"
was killed, it has left the times in FILE and the blocks in FILE.payloads: merge joins them. It
also joins a trace of logs with one of the wire, and recordings that followed each other.

Streams are the same when their channel and peer are. Of two values for the same block the
one of the trace named first counts. Traces of one recording have the same beginning, to the
nanosecond; others must show that their clocks agree: the times that both have of a block
must lie within --tolerance of each other, in the median, and blocks must have the same number of
transactions. Traces without a common block are joined with --trust-clocks alone.`,
		Example: `  blockreel merge run.reel run.reel.payloads -o whole.reel
  blockreel merge logs.reel wire.reel -o both.reel
  blockreel merge morning.reel afternoon.reel --trust-clocks -o day.reel`,
		Args: usageArgs(cobra.MinimumNArgs(2)),
		RunE: func(c *cobra.Command, args []string) error {
			if err := needOutput(c, output, args...); err != nil {
				return err
			}
			if cfg.Tolerance <= 0 {
				return usagef(c, "--tolerance is above 0")
			}
			if slices.Contains(args, "-") {
				return usagef(c, "traces are read twice: name files")
			}
			return mergeTraces(c, args, cfg, output)
		},
	}
	f := c.Flags()
	f.DurationVar(&cfg.Tolerance, "tolerance", 100e6, "how far the times of a block may be apart in two traces, in the median")
	f.BoolVar(&cfg.TrustClocks, "trust-clocks", false, "join traces although no block shows that their clocks agree")
	outputFlag(c, &output, "trace to write, - for stdout")
	return c
}

func mergeTraces(c *cobra.Command, files []string, cfg merge.Config, output string) error {
	var inputs []merge.Input
	for _, path := range files {
		tr, err := loadTrace(c, path)
		if err != nil {
			return err
		}
		in, err := os.Open(path)
		if err != nil {
			return err
		}
		defer in.Close()
		payloads, err := storedPayloads(in, tr)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		inputs = append(inputs, merge.Input{Name: path, Trace: tr, Payloads: payloads})
	}
	events := 0
	write := func(w io.Writer) error {
		t, err := merge.Write(w, inputs, cfg)
		if err == nil {
			events = t.Events()
		}
		return err
	}
	if output == "-" {
		return write(c.OutOrStdout())
	}
	if err := outfile.WritePrivate(output, write); err != nil { // payloads are somebody's ledger
		return err
	}
	fmt.Fprintf(c.ErrOrStderr(), "wrote %s: %s of %s\n", output,
		analysis.FormatCounted(int64(events), "event"), analysis.FormatCounted(int64(len(inputs)), "trace"))
	return nil
}
