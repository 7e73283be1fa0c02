package main

import (
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/blockreel/blockreel/internal/outfile"
	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

func newCut() *cobra.Command {
	var part span
	output, earlier := "", false
	c := &cobra.Command{
		Use:   "cut FILE -o FILE",
		Short: "Write a part of a trace, or the trace of its text, to a new file",
		Long: `Cut keeps the blocks of a range, and their payloads if the file has some; of a trace
from standard input it keeps none. Give --earlier to keep the payloads of all blocks before
the range too: a peer that has just joined the channel needs them of "blockreel serve".`,
		Example: `  blockreel cut run.reel --from 1000 --to 2000 -o part.reel
  blockreel cut run.reel --from 10s --to 1m30s -o part.reel
  blockreel cut run.jsonl -o run.reel`,
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			if err := needOutput(c, output, args...); err != nil {
				return err
			}
			cfg, err := part.config(c)
			if err != nil {
				return err
			}
			tr, err := loadTrace(c, args[0])
			if err != nil {
				return err
			}
			whole := tr
			if tr, err = tr.Cut(cfg); err != nil {
				return err
			}
			if args[0] == "-" {
				err = saveTrace(c, output, tr.WithoutPayloads())
			} else {
				err = saveCut(c, args[0], output, whole, tr, earlier)
			}
			if err == nil {
				tellWritten(c, output)
			}
			return err
		},
	}
	part.bind(c.Flags())
	c.Flags().BoolVar(&earlier, "earlier", false, "keep the payloads of blocks before the range, too")
	traceFlag(c, &output, "file to write, - for stdout")
	return c
}

// saveCut writes part, which was cut out of the trace at path, with the payloads of its
// blocks, and of earlier ones if so said.
func saveCut(c *cobra.Command, path, output string, whole, part *traces.Trace, earlier bool) error {
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	stored, err := storedPayloads(in, whole)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	kept := func(p traces.Payload) bool {
		return slices.ContainsFunc(part.Timelines, func(tl *traces.Timeline) bool {
			return tl.Channel == p.Channel && tl.Len() > 0 && p.Block < tl.First+event.BlockNum(tl.Len()) && (earlier || p.Block >= tl.First)
		})
	}
	next, stop := iter.Pull2(stored)
	defer stop()
	// The first payload tells who may read the file.
	p, err, more := next()
	for more && err == nil && !kept(p) {
		p, err, more = next()
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if !more {
		return saveTrace(c, output, part.WithoutPayloads())
	}
	write := func(w io.Writer) error {
		out, err := traces.NewWriter(w, part.Header, traces.WriterConfig{})
		if err != nil {
			return err
		}
		if err := out.AppendTrace(part); err != nil {
			return err
		}
		for ; more; p, err, more = next() {
			if err == nil {
				err = c.Context().Err()
			}
			if err == nil && kept(p) {
				err = out.Payload(p.Channel, p.Block, p.Bytes)
			}
			if err != nil {
				return err
			}
		}
		return out.Close()
	}
	if output == "-" {
		return write(c.OutOrStdout())
	}
	return outfile.WritePrivate(output, write) // payloads are somebody's ledger
}

// span is the flags --from and --to: a block number, or a time since the start of
// the trace.
type span struct{ from, to string }

func (s *span) bind(f *pflag.FlagSet) {
	f.StringVar(&s.from, "from", "", "first block (1000), or offered from this time on (10s, since the trace's start)")
	f.StringVar(&s.to, "to", "", "block after the last (2000), or offered before this time (1m30s)")
}

// String is the flags as they were given.
func (s *span) String() string {
	var flags []string
	for _, bound := range [][2]string{{"--from", s.from}, {"--to", s.to}} {
		if bound[1] != "" {
			flags = append(flags, bound[0]+" "+bound[1])
		}
	}
	return strings.Join(flags, " ")
}

func (s *span) config(c *cobra.Command) (traces.CutConfig, error) {
	var cfg traces.CutConfig
	for _, bound := range []struct {
		flag, text string
		block      *event.BlockNum
		time       *event.Time
	}{{"from", s.from, &cfg.FromBlock, &cfg.From}, {"to", s.to, &cfg.ToBlock, &cfg.To}} {
		if bound.text == "" {
			continue
		}
		if n, err := strconv.ParseUint(bound.text, 10, 63); err == nil {
			if *bound.block = event.BlockNum(n); n == 0 && bound.flag == "to" {
				return cfg, usagef(c, "--to 0 leaves no block")
			}
			continue
		}
		d, err := time.ParseDuration(bound.text)
		if err != nil {
			return cfg, usagef(c, "--%s %q is neither a block number (1000) nor a time (10s, 1m30s)", bound.flag, bound.text)
		}
		if *bound.time = event.Time(d); d <= 0 && bound.flag == "to" {
			return cfg, usagef(c, "--to %s leaves no block", bound.text)
		}
	}
	return cfg, nil
}

// cutTrace keeps the part of tr that the flags name.
func (s *span) cut(c *cobra.Command, tr *traces.Trace) (*traces.Trace, error) {
	cfg, err := s.config(c)
	if err != nil || cfg == (traces.CutConfig{}) {
		return tr, err
	}
	part, err := tr.Cut(cfg)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s, err)
	}
	return part, nil
}
