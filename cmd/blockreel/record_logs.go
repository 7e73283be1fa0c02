package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/recorder/attach"
	"github.com/blockreel/blockreel/recorder/fabriclog"
	"github.com/blockreel/blockreel/traces"
)

func newRecordLogs() *cobra.Command {
	var (
		cfg             fabriclog.Config
		orderers, peers []string
		named, blocks   []string
		zone, output    string
	)
	c := &cobra.Command{
		Use:   "logs --orderer-log FILE --peer-log FILE -o FILE",
		Short: "Make a trace of stock Fabric logs",
		Long: `Logs reads what orderers and peers of Fabric 1.4, 2.x and 3.x print at level INFO or
DEBUG: console lines with or without colours, JSON, logfmt, with or without the prefix
of a log collector, plain, gzip or zstd. Repeat a flag for rotated files and for several
nodes; a quoted pattern ('peer.log*') names all files that match. Files of one name are
one node's; --peer NAME=FILE names a peer.

The orderer's log tells when a block was offered, the peer's when it was popped,
validated and committed. Without the orderer's, latency and gap are not known, unless
--assume-backlog says that all blocks were waiting, as after an outage.

With --blocks the blocks themselves go into the trace, from ledger files or fetched
blocks; see "blockreel attach".`,
		Example: `  blockreel record logs --orderer-log orderer.log --peer-log peer.log -o run.reel
  blockreel record logs --orderer-log 'orderer*.log*' --peer org1=peer0.log --peer org2=peer1.log.gz -o run.reel
  blockreel record logs --orderer-log orderer.log --peer-log peer.log --blocks ledgersData/chains/chains/ch1 -o full.reel
  docker logs peer0 2>&1 | blockreel record logs --peer-log - --assume-backlog -o run.reel`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef(c, "%q stands alone: give each log its own --orderer-log or --peer-log, or put the pattern into quotes", args[0])
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error {
			if err := needOutput(c, output); err != nil {
				return err
			}
			loc, err := time.LoadLocation(zone)
			if err != nil {
				return usagef(c, "--zone %q is not known: use a name like Europe/Berlin", zone)
			}
			cfg.Location, cfg.Tool = loc, tool
			if err := logSources(c, &cfg, orderers, peers, named); err != nil {
				return err
			}
			for _, log := range slices.Concat(cfg.Orderers, cfg.Peers) {
				if err := spareInputs(c, output, log.Path); err != nil {
					return err
				}
				if isTrace(log.Path) {
					return usagef(c, "%s is a trace already, and no log: blockreel stats %s prints its figures", log.Path, log.Path)
				}
			}
			files, err := blockFiles(c, blocks, output)
			if err != nil {
				return err
			}
			return recordLogs(c, cfg, files, output)
		},
	}
	f := c.Flags()
	f.StringArrayVar(&orderers, "orderer-log", nil, "orderer's log, a quoted pattern, or - for stdin; repeatable")
	f.StringArrayVar(&peers, "peer-log", nil, "peer's log, a quoted pattern, or - for stdin; repeatable")
	f.StringArrayVar(&named, "peer", nil, "peer's log with the peer's name, NAME=FILE; repeatable")
	f.StringSliceVar(&cfg.Channels, "channel", nil, "only these channels")
	f.BoolVar(&cfg.AssumeBacklog, "assume-backlog", false, "take blocks without an offered time as offered at the first pop")
	f.DurationVar(&cfg.ClockOffset, "clock-offset", 0, "add this to the peers' times")
	f.BoolVar(&cfg.FixClockSkew, "fix-clock-skew", false, "move a peer's times until no commit lies before its offer")
	f.StringArrayVar(&blocks, "blocks", nil, "add the blocks from this file, directory of ledger files, or quoted pattern; repeatable")
	f.StringVar(&zone, "zone", "UTC", "zone of timestamps that carry none")
	traceFlag(c, &output, "trace to write, - for stdout")
	return c
}

// logSources turns the flags into sources.
func logSources(c *cobra.Command, cfg *fabriclog.Config, orderers, peers, named []string) error {
	add := func(to *[]fabriclog.Source, name, pattern string) error {
		paths := []string{pattern}
		if _, err := os.Stat(pattern); pattern != "-" && err != nil {
			matches, globErr := filepath.Glob(pattern)
			if globErr != nil || len(matches) == 0 {
				return fmt.Errorf("there is no log %s", pattern)
			}
			paths = matches
		}
		for _, path := range paths {
			*to = append(*to, fabriclog.Source{Name: name, Path: path, Open: func() (io.ReadCloser, error) { return openInput(c, path) }})
		}
		return nil
	}
	for _, p := range orderers {
		if err := add(&cfg.Orderers, "", p); err != nil {
			return err
		}
	}
	for _, p := range peers {
		if err := add(&cfg.Peers, "", p); err != nil {
			return err
		}
	}
	for _, p := range named {
		name, path, ok := strings.Cut(p, "=")
		if !ok || name == "" || path == "" {
			return usagef(c, "--peer %q: write NAME=FILE", p)
		}
		if err := add(&cfg.Peers, name, path); err != nil {
			return err
		}
	}
	if len(cfg.Orderers)+len(cfg.Peers) == 0 {
		return usagef(c, "no log is named: give --peer-log and --orderer-log")
	}
	return nil
}

func recordLogs(c *cobra.Command, cfg fabriclog.Config, blocks []attach.Source, output string) error {
	stderr := c.ErrOrStderr()
	var total int64
	for _, sources := range [][]fabriclog.Source{cfg.Orderers, cfg.Peers} {
		for _, s := range sources {
			if info, err := os.Stat(s.Path); err == nil {
				total += info.Size()
			}
		}
	}
	bar := progress(stderr, total, "reading logs", true)
	cfg.Progress = func(bytes int64) { _ = bar.Set64(bytes) }
	tr, report, err := fabriclog.Read(c.Context(), cfg)
	_ = bar.Finish()
	if err != nil {
		return err
	}
	tellLogs(stderr, report, tr)
	if len(blocks) == 0 {
		err = saveTrace(c, output, tr)
	} else {
		// Of several channels' ledgers, those that --channel leaves out are passed over.
		only := attach.Config{Files: blocks}
		if len(cfg.Channels) == 1 {
			only.Channel = cfg.Channels[0]
		}
		err = attachBlocks(c, tr, only, output)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(stderr, "wrote %s\n", output)
	return nil
}

// tellLogs says what was read and what was odd about it.
func tellLogs(stderr io.Writer, report fabriclog.Report, tr *traces.Trace) {
	for _, f := range report.Files {
		fmt.Fprintf(stderr, "%s (%s): %s, %s about blocks", f.Path, f.Node, analysis.FormatCounted(f.Lines, "line"), analysis.FormatCount(f.Messages))
		for _, odd := range []struct {
			n    int64
			what string
		}{
			{f.Repeated, "repeated"}, {f.OutOfOrder, "out of order"}, {f.Torn, "torn"}, {f.Undated, "without a time"},
			{f.Garbage, "garbage"}, {f.LongLines, "over-long"}, {f.Recommits, "committed again"}, {f.Disconnects, "cut off"},
		} {
			if odd.n > 0 {
				fmt.Fprintf(stderr, ", %s %s", analysis.FormatCount(odd.n), odd.what)
			}
		}
		fmt.Fprintln(stderr)
		if f.Damage != nil {
			warn(stderr, "%s is damaged and was read up to there: %v", f.Path, f.Damage)
		}
	}
	for _, s := range report.Streams {
		fmt.Fprintf(stderr, "%s: %s", s.Name, analysis.FormatBlocks(int64(s.Blocks)))
		if s.LeftOut > 0 {
			fmt.Fprintf(stderr, ", %d at the start left out, which only one side tells of", s.LeftOut)
		}
		fmt.Fprintln(stderr)
	}
	for _, n := range tr.Notes {
		if n.Kind == traces.NoteWarning {
			warn(stderr, "%s", n.Text)
		}
	}
}
