package main

import (
	"errors"
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
		Short: "Merge traces of the same run: logs with the wire, or parts",
		Long: `Merge makes one trace of several traces of the same run: of a trace of logs and one of the wire, of consecutive recordings,
or of the files that "serve --record" leaves if it is killed.

Streams are the same if their channel and peer are. A block's times at one node come from one
trace: the one with more times at that node, or the first. Any other value comes from the
first trace that has it. Traces of one recording begin at the same nanosecond. For others the
median difference between the times of the same blocks must be at most --tolerance, and blocks
must have the same number of transactions. Traces without a common block require --trust-clocks.`,
		Example: `  blockreel merge logs.reel wire.reel -o both.reel
  blockreel merge morning.reel afternoon.reel --trust-clocks -o day.reel`,
		Args: usageArgs(cobra.MinimumNArgs(2)),
		RunE: func(c *cobra.Command, args []string) error {
			if err := needOutput(c, output, args...); err != nil {
				return err
			}
			if cfg.Tolerance <= 0 {
				return usagef(c, "--tolerance must be above 0")
			}
			if slices.Contains(args, "-") {
				return usagef(c, "-: merge reads its traces twice and cannot read stdin; name a file")
			}
			return mergeTraces(c, args, cfg, output)
		},
	}
	f := c.Flags()
	f.DurationVar(&cfg.Tolerance, "tolerance", 100e6, "largest median difference between the times of a block in two traces")
	f.BoolVar(&cfg.TrustClocks, "trust-clocks", false, "merge traces without a common block, as if one clock had timed both")
	traceFlag(c, &output, "trace to write, - for stdout")
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
		if errors.Is(err, merge.ErrClocks) {
			return fmt.Errorf("%w; --trust-clocks merges them anyway", err)
		}
		if err == nil {
			events = t.Events()
		}
		return err
	}
	if output == "-" {
		return write(c.OutOrStdout())
	}
	if err := outfile.WritePrivate(output, write); err != nil { // payloads are a ledger's content
		return err
	}
	fmt.Fprintf(c.ErrOrStderr(), "wrote %s: %s of %s\n", output,
		analysis.FormatCounted(int64(events), "event"), analysis.FormatCounted(int64(len(inputs)), "trace"))
	return nil
}
