package main

import (
	"os"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/blockreel/blockreel/traces"
)

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

// outputFlag adds -o, which needOutput requires.
func outputFlag(c *cobra.Command, path *string, what string) {
	c.Flags().StringVarP(path, "output", "o", "", what+" (required)")
}

// traceFlag adds -o for a trace, and --force, which lets it replace one with payloads.
func traceFlag(c *cobra.Command, path *string, what string) {
	outputFlag(c, path, what)
	forceFlag(c.Flags())
}

func forceFlag(f *pflag.FlagSet) {
	f.Bool("force", false, "replace a trace that contains payloads")
}

// needOutput returns an error if -o is missing, is one of the inputs, or is a trace with
// payloads and there is no --force: payloads cannot be recorded again.
func needOutput(c *cobra.Command, path string, inputs ...string) error {
	if path == "" {
		return usagef(c, "-o is missing: it names the output")
	}
	if err := spareInputs(c, path, inputs...); err != nil {
		return err
	}
	return sparePayloads(c, path)
}

func sparePayloads(c *cobra.Command, path string) error {
	if force := c.Flags().Lookup("force"); force == nil || force.Value.String() == "true" || !isFile(path) {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil // it is replaced, not read
	}
	defer f.Close()
	if _, index, err := traces.ReadIndex(f); err == nil && slices.ContainsFunc(index.Chunks, func(x traces.IndexEntry) bool { return x.Type == traces.ChunkPayloads }) {
		return usagef(c, "%s: it is a trace with payloads; --force replaces it", path)
	}
	return nil
}
