package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/analysis/report"
	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

func newVerify() *cobra.Command {
	asJSON := false
	c := &cobra.Command{
		Use:   "verify FILE...",
		Short: "Check every byte of a trace; exit 1 if something is lost",
		Long: `Verify reads every chunk, checks its checksum and decodes it, and compares the index
with the content. A trace that was cut short, by a kill or a full disk, is named with
what can still be read. Contradictions between times (a commit before its offer) are
told, but are no damage.`,
		Example: `  blockreel verify run.reel
  blockreel verify *.reel || echo "some are damaged"
  blockreel verify --json run.reel | jq .values`,
		Args: usageArgs(cobra.MinimumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			var failed []error
			for _, path := range args {
				if isDirectory(path) {
					failed = append(failed, inDirectory(path))
					continue
				}
				if err := verifyFile(c, path, asJSON); err != nil {
					failed = append(failed, fmt.Errorf("%s: %w", path, err))
				}
			}
			return errors.Join(failed...)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// verified is what verify tells of a file that has a trace's header.
type verified struct {
	File   string `json:"file"`
	Whole  bool   `json:"whole"`
	Format string `json:"format"`
	Bytes  int64  `json:"bytes"`
	// Chunks are the whole ones by what they hold.
	Chunks   map[string]int `json:"chunks"`
	Values   uint64         `json:"values"`
	Series   int            `json:"series"`
	Samples  uint64         `json:"samples"`
	Notes    int            `json:"notes"`
	Payloads int            `json:"payloads"`
	Indexed  bool           `json:"indexed"`
	Error    string         `json:"error,omitempty"`
	Loss     *lossInfo      `json:"loss,omitempty"`
	Findings []findingInfo  `json:"findings"`
}

type lossInfo struct {
	// EndMissing tells that the file ends before the trace; how much is missing is not
	// known. Unusable are the bytes from Offset to the file's end.
	EndMissing bool  `json:"end_missing"`
	Offset     int64 `json:"offset_bytes"`
	Unusable   int64 `json:"unusable_bytes"`
	text       string
}

type findingInfo struct {
	// Stream is -1 for what is of the whole trace.
	Stream int            `json:"stream"`
	Text   string         `json:"text"`
	Count  int            `json:"count"`
	First  event.BlockNum `json:"first_block"`
}

func verifyFile(c *cobra.Command, path string, asJSON bool) error {
	in, err := openInput(c, path)
	if err != nil {
		return err
	}
	defer in.Close()
	found, err := traces.Verify(in)
	if found == nil {
		return err
	}
	about := verified{
		File: path, Whole: err == nil, Format: fmt.Sprintf("%d.%d", found.Major, found.Minor), Bytes: found.Bytes,
		Chunks: map[string]int{}, Values: found.Values, Series: found.Series, Samples: found.Samples,
		Notes: found.Notes, Payloads: found.Payloads, Indexed: found.Indexed, Findings: []findingInfo{},
	}
	for kind, n := range found.Chunks {
		about.Chunks[kind.String()] = n
	}
	if err != nil {
		about.Error = err.Error()
	}
	if l := found.Loss; l != nil {
		about.Loss = &lossInfo{l.EndMissing(), l.Offset, l.Bytes, l.String()}
	}
	for _, f := range found.Findings {
		about.Findings = append(about.Findings, findingInfo(f))
	}
	if asJSON {
		return errors.Join(err, report.JSON(c.OutOrStdout(), about))
	}
	about.print(c.OutOrStdout())
	return err
}

func (v *verified) print(out io.Writer) {
	count := func(n int, name string) string { return analysis.FormatCounted(int64(n), name) }
	state := "whole"
	if !v.Whole {
		state = "DAMAGED"
	}
	chunks := 0
	for _, n := range v.Chunks {
		chunks += n
	}
	fmt.Fprintf(out, "%s: %s, format %s, %s, %s, %s, %s, %s, %s\n",
		v.File, state, v.Format, analysis.FormatBytes(v.Bytes), count(chunks, "chunk"), count(int(v.Values), "value"), count(int(v.Samples), "sample"),
		count(v.Notes, "note"), count(v.Payloads, "payload"))
	if v.Loss != nil {
		fmt.Fprintf(out, "  lost: %s\n", v.Loss.text)
		fmt.Fprintf(out, "  readable: %s, %s, %s\n", count(int(v.Values), "value"), count(int(v.Samples), "sample"), count(v.Payloads, "payload"))
	}
	if !v.Indexed && v.Whole {
		fmt.Fprintln(out, "  no index: it is rebuilt whenever the trace is read")
	}
	for _, f := range v.Findings {
		fmt.Fprintf(out, "  finding: stream %d: %s (%s, first %d)\n", f.Stream, f.Text, count(f.Count, "block"), f.First)
	}
}
