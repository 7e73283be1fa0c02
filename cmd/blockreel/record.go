package main

import "github.com/spf13/cobra"

func newRecord() *cobra.Command {
	c := &cobra.Command{
		Use:   "record",
		Short: "Record block delivery into a trace: from logs, a live run, or a live network",
		Example: `  blockreel record logs --orderer-log orderer.log --peer-log peer.log -o run.reel
  blockreel record run --rate 400 --duration 30s --ledger badger -o run.reel
  blockreel record fabric --orderer localhost:7050 --peer localhost:7051 -C mychannel -o run.reel`,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newRecordLogs(), newRecordRun(), newRecordFabric())
	return c
}

// outputFlag adds -o, which must be given: see needOutput.
func outputFlag(c *cobra.Command, path *string, what string) {
	c.Flags().StringVarP(path, "output", "o", "", what+" (required)")
}

// needOutput is the error of a command line without -o, or whose output is one of the files
// that are read.
func needOutput(c *cobra.Command, path string, inputs ...string) error {
	if path == "" {
		return usagef(c, "say where to write with -o")
	}
	return spareInputs(c, path, inputs...)
}
