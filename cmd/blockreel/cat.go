package main

import (
	"bufio"

	"github.com/spf13/cobra"

	"github.com/blockreel/blockreel/traces"
)

func newCat() *cobra.Command {
	return &cobra.Command{
		Use:   "cat FILE",
		Short: "Print a trace as text, JSON Lines",
		Long: `Cat prints the text twin of a trace: a line for the header, one for each note, one for
each block with its times in nanoseconds, and one for each sample of a series. Every command but verify reads this text
like the trace itself, and "cut" makes a trace file of it again.`,
		Example: `  blockreel cat run.reel | head
  blockreel cat run.reel | jq 'select(.block==100)'
  blockreel cat run.reel | jq 'select(.series=="gossip_payload_buffer_size")|[.at_ns,.value]'
  blockreel cat run.reel | blockreel cut - -o again.reel`,
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			tr, err := loadTrace(c, args[0])
			if err != nil {
				return err
			}
			out := bufio.NewWriterSize(c.OutOrStdout(), 1<<16)
			if err := traces.WriteText(out, tr.WithoutPayloads()); err != nil {
				return err
			}
			return out.Flush()
		},
	}
}
