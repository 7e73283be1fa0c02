package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"

	"github.com/spf13/cobra"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/internal/outfile"
	"github.com/blockreel/blockreel/recorder/attach"
	"github.com/blockreel/blockreel/traces"
)

func newAttach() *cobra.Command {
	var (
		blocks          []string
		payload, output string
		cfg             attach.Config
	)
	c := &cobra.Command{
		Use:   "attach FILE --blocks FILE... -o FILE",
		Short: "Add the blocks themselves to a trace, from ledger files, fetched blocks or dumps",
		Long: `Attach adds to a trace the blocks' payloads, their sizes, the numbers of their
transactions and writes, and notes how many transactions the peer has found invalid. It takes
them from a peer's or an orderer's ledger files (blockfile_000000; a directory of them; a
copy made while the node was running), from blocks that "peer channel fetch" has
written, or from blocks behind their lengths (uvarint); plain, gzip or zstd. What a file
is is told by its content.

A peer's ledger is in ledgersData/chains/chains/CHANNEL, an orderer's in chains/CHANNEL.
Take the peer's: only its copy tells which transactions are valid, and has the commit hash
that the peer's log has told as well (2.x, 3.x, and 1.4 but for its first versions).

The blocks must continue each other (previous hash, data hash) and agree with the trace in
the numbers of transactions and in commit hashes; the first that does not is named, and
nothing is written. Of an orderer's copies commit hashes cannot be compared. Blocks before the trace's first
one, like those of the channel's setting up, are kept as payloads without times, so that
"blockreel serve" can give them to a peer that has just joined; --no-earlier leaves them out,
which a trace of a long-lived channel may need. Blocks behind the last one are left out.`,
		Example: `  blockreel attach run.reel --blocks ledgersData/chains/chains/ch1 -o full.reel
  blockreel attach run.reel --blocks 'fetched/ch1_*.block' --blocks more.blocks.zst -o full.reel
  blockreel attach run.reel --blocks ch1 --payload none -o sizes.reel`,
		Args: func(c *cobra.Command, args []string) error {
			switch {
			case len(args) > 1:
				return usagef(c, "%q stands alone: give each file its own --blocks, name its directory, or put the pattern into quotes", args[1])
			case len(args) < 1:
				return usagef(c, "no trace is named")
			case args[0] == "-":
				return usagef(c, "the trace is read twice: name a file")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if len(blocks) == 0 {
				return usagef(c, "no file of blocks is named: give --blocks")
			}
			if err := needOutput(c, output, args...); err != nil {
				return err
			}
			if payload != "full" && payload != "none" {
				return usagef(c, "--payload %q is neither full nor none", payload)
			}
			cfg.SizesOnly = payload == "none"
			var err error
			if cfg.Files, err = blockFiles(c, blocks, output); err != nil {
				return err
			}
			tr, err := loadTrace(c, args[0])
			if err != nil {
				return err
			}
			in, err := os.Open(args[0])
			if err != nil {
				return err
			}
			defer in.Close()
			if cfg.Stored, err = storedPayloads(in, tr); err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			if err := attachBlocks(c, tr, cfg, output); err != nil {
				return err
			}
			fmt.Fprintf(c.ErrOrStderr(), "wrote %s\n", output)
			return nil
		},
	}
	f := c.Flags()
	f.StringArrayVar(&blocks, "blocks", nil, "file of blocks, a directory of ledger files, or a quoted pattern; repeatable (required)")
	f.StringVarP(&cfg.Channel, "channel", "C", "", "take blocks of this channel and pass over files of others")
	f.StringVar(&payload, "payload", "full", "full, or none: sizes and counts alone")
	f.BoolVar(&cfg.NoEarlier, "no-earlier", false, "leave out the blocks before the trace's first one")
	traceFlag(c, &output, "trace to write, - for stdout")
	return c
}

// blockFiles are the files that --blocks names, none of which is output.
func blockFiles(c *cobra.Command, named []string, output string) (all []attach.Source, err error) {
	for _, path := range named {
		files, err := attach.Expand(path)
		if err != nil {
			return nil, fmt.Errorf("--blocks: %w", err)
		}
		for _, f := range files {
			if err := spareInputs(c, output, f.Path); err != nil {
				return nil, err
			}
			if isTrace(f.Path) {
				return nil, usagef(c, "--blocks %s holds no blocks of Fabric: it is a trace; name a peer's ledger files, or fetched blocks", f.Path)
			}
		}
		all = append(all, files...)
	}
	return all, nil
}

// attachBlocks writes tr with what the files of cfg hold to output.
func attachBlocks(c *cobra.Command, tr *traces.Trace, cfg attach.Config, output string) error {
	stderr := c.ErrOrStderr()
	var total int64
	for _, f := range cfg.Files {
		if info, err := os.Stat(f.Path); err == nil {
			total += info.Size()
		}
	}
	bar := progress(stderr, total, "reading blocks", true)
	cfg.Progress = func(bytes int64) { _ = bar.Set64(bytes) }
	var report attach.Report
	var failed error
	write := func(w io.Writer) error {
		report, failed = attach.Write(c.Context(), w, tr, cfg)
		return failed
	}
	var err error
	if output == "-" {
		err = write(c.OutOrStdout())
	} else {
		err = outfile.WritePrivate(output, write) // payloads are somebody's ledger
	}
	_ = bar.Finish()
	if errors.Is(failed, attach.ErrUnknown) { // the output has no part in it
		return fmt.Errorf("--blocks: %w", failed)
	}
	if err != nil {
		return err
	}
	tellBlocks(stderr, report)
	return nil
}

// tellBlocks says what the files of blocks held and what of it the trace was given.
func tellBlocks(stderr io.Writer, report attach.Report) {
	count := analysis.FormatCount
	for _, f := range report.Files {
		switch {
		case f.Skipped:
			fmt.Fprintf(stderr, "%s: passed over, channel %s\n", f.Path, f.Channel)
			continue
		case f.Blocks == 0:
			fmt.Fprintf(stderr, "%s: no block\n", f.Path)
		default:
			copyOf := "orderer's copy"
			if f.Validated {
				copyOf = "peer's copy"
			}
			fmt.Fprintf(stderr, "%s (%s, %s): %s of channel %s from %d on\n", f.Path, f.Layout, copyOf, analysis.FormatBlocks(f.Blocks), f.Channel, f.First)
		}
		if f.Partial > 0 {
			warn(stderr, "%s ends within a block: its end was left out, %s", f.Path, analysis.FormatCounted(f.Partial, "byte"))
		}
	}
	for _, r := range report.Channels {
		fmt.Fprintf(stderr, "%s: %s of %s, %s, %s", r.Channel, analysis.FormatBlocks(r.Blocks), analysis.FormatBytes(r.Bytes),
			analysis.FormatCounted(r.Transactions, "transaction"), analysis.FormatCounted(r.Writes, "write"))
		if r.Validated > 0 {
			fmt.Fprintf(stderr, ", %s invalid", analysis.FormatCounted(r.Invalid, "transaction"))
		}
		if r.Hashed > 0 {
			fmt.Fprintf(stderr, ", commit hashes of %s agree", analysis.FormatBlocks(r.Hashed))
		}
		if r.Earlier > 0 {
			fmt.Fprintf(stderr, ", and %s of %s before the trace", count(r.Earlier), analysis.FormatBytes(r.EarlierBytes))
		}
		for _, odd := range []struct {
			n    int64
			what string
		}{{r.Stored, "in the trace already"}, {r.Repeated, "repeated"}, {r.Before, "before the trace left out"}, {r.After, "behind it left out"}} {
			if odd.n > 0 {
				fmt.Fprintf(stderr, ", %s %s", count(odd.n), odd.what)
			}
		}
		fmt.Fprintln(stderr)
		if r.Without > 0 {
			warn(stderr, "in no file: %s of the trace", analysis.FormatBlocks(r.Without))
		}
		if text := r.Unhashed(); text != "" && r.Told {
			warn(stderr, "%s; attach the peer's ledger files, too, to be sure", text)
		} else if text != "" {
			fmt.Fprintf(stderr, "%s: %s\n", r.Channel, text)
		}
		if text := r.Foreign(); text != "" {
			warn(stderr, "%s", text)
		}
	}
}

// storedPayloads iterates over the payloads of a trace that was read as tr. Of one that
// is damaged they are those before the damage, of which loadTrace has told.
func storedPayloads(in *os.File, tr *traces.Trace) (iter.Seq2[traces.Payload, error], error) {
	buffered := bufio.NewReaderSize(in, 1<<20)
	if first, _ := buffered.Peek(1); len(first) == 1 && first[0] == '{' {
		return traces.ReadTextPayloads(buffered), nil
	}
	r, err := traces.NewReader(buffered, traces.ReaderConfig{SkipData: true})
	if err != nil {
		return nil, err
	}
	return func(yield func(traces.Payload, error) bool) {
		for p, err := range r.Payloads() {
			var corrupt *traces.CorruptError
			if tr.Loss != nil && (errors.Is(err, traces.ErrTruncated) || errors.As(err, &corrupt)) || !yield(p, err) {
				return
			}
		}
	}, nil
}
