package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/traces"
)

func newVerify() *cobra.Command {
	return &cobra.Command{
		Use:   "verify FILE...",
		Short: "Check every byte of a trace; exit 1 if something is lost",
		Long: `Verify reads every chunk, checks its checksum and decodes it, and compares the index
with the content. A trace that was cut short, by a kill or a full disk, is named with
what can still be read. Contradictions between times (a commit before its offer) are
told, but are no damage.`,
		Example: `  blockreel verify run.reel
  blockreel verify *.reel || echo "some are damaged"`,
		Args: usageArgs(cobra.MinimumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			var failed []error
			for _, path := range args {
				if err := verifyFile(c, path); err != nil {
					failed = append(failed, fmt.Errorf("%s: %w", path, err))
				}
			}
			return errors.Join(failed...)
		},
	}
}

func verifyFile(c *cobra.Command, path string) error {
	in, err := openInput(c, path)
	if err != nil {
		return err
	}
	defer in.Close()
	report, err := traces.Verify(in)
	if report == nil {
		return err
	}
	out := c.OutOrStdout()
	state := "whole"
	if err != nil {
		state = "DAMAGED"
	}
	chunks := 0
	for _, n := range report.Chunks {
		chunks += n
	}
	fmt.Fprintf(out, "%s: %s, format %d.%d, %s, %s chunks, %s values, %s samples, %s notes, %s payloads\n",
		path, state, report.Major, report.Minor, analysis.FormatBytes(report.Bytes), analysis.FormatCount(int64(chunks)),
		analysis.FormatCount(int64(report.Values)), analysis.FormatCount(int64(report.Samples)),
		analysis.FormatCount(int64(report.Notes)), analysis.FormatCount(int64(report.Payloads)))
	if l := report.Loss; l != nil {
		if l.Bytes == 0 {
			fmt.Fprintf(out, "  lost: the end; the trace was not closed, and up to about a second of events before that may be missing\n")
		} else {
			fmt.Fprintf(out, "  lost: %s bytes from offset %s on\n", analysis.FormatCount(l.Bytes), analysis.FormatCount(l.Offset))
		}
		fmt.Fprintf(out, "  readable: %s values\n", analysis.FormatCount(int64(report.Values)))
	}
	if !report.Indexed && err == nil {
		fmt.Fprintln(out, "  no index: it is rebuilt whenever the trace is read")
	}
	for _, f := range report.Findings {
		fmt.Fprintf(out, "  finding: stream %d: %s (%s blocks, first %d)\n", f.Stream, f.Text, analysis.FormatCount(int64(f.Count)), f.First)
	}
	return err
}
