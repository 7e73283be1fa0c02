package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

func newStrip() *cobra.Command {
	output := ""
	c := &cobra.Command{
		Use:   "strip FILE -o FILE",
		Short: "Write a trace without its payloads; sizes and counts stay",
		Long: `Strip leaves out the blocks themselves, which are somebody's ledger and take nearly all
of the file. Times, sizes, and the numbers of transactions and writes stay, so that
every figure and forecast stays the same.`,
		Example: `  blockreel strip full.reel -o small.reel`,
		Args:    usageArgs(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			if err := needOutput(c, output, args...); err != nil {
				return err
			}
			tr, err := loadTrace(c, args[0])
			if err != nil {
				return err
			}
			stored, err := payloadsOf(args[0])
			if err != nil {
				return err
			}
			if err := saveTrace(c, output, tr.WithoutPayloads()); err != nil {
				return err
			}
			var blocks, bytes int64
			for _, s := range stored {
				blocks, bytes = blocks+s.blocks, bytes+s.bytes
			}
			fmt.Fprintf(c.ErrOrStderr(), "left out %s, %s of the file\n", analysis.FormatCounted(blocks, "payload"), analysis.FormatBytes(bytes))
			tellWritten(c, output)
			return nil
		},
	}
	traceFlag(c, &output, "trace to write, - for stdout")
	return c
}

// stored is what a channel's payloads take in a trace file.
type stored struct {
	blocks      int64
	first, last event.BlockNum
	bytes       int64 // as they are compressed in the file
}

// payloadsOf tells, by the first stream of each channel, which payloads a trace file
// holds. It knows nothing of standard input and of text.
func payloadsOf(path string) (map[int]stored, error) {
	if path == "-" {
		return nil, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var first [1]byte
	if _, err := f.ReadAt(first[:], 0); err != nil || first[0] == '{' {
		return nil, err
	}
	_, index, err := traces.ReadIndex(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	out := map[int]stored{}
	for _, c := range index.Chunks {
		if c.Type != traces.ChunkPayloads || len(c.Extents) == 0 {
			continue
		}
		s := out[c.Extents[0].Stream] // a chunk is of one channel
		s.bytes += c.Length
		for _, x := range c.Extents {
			last := x.First + event.BlockNum(x.Blocks) - 1
			if s.blocks == 0 {
				s.first, s.last = x.First, last
			}
			s.first, s.last = min(s.first, x.First), max(s.last, last)
			s.blocks += int64(x.Blocks)
		}
		out[c.Extents[0].Stream] = s
	}
	return out, nil
}
