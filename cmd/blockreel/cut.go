package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

func newCut() *cobra.Command {
	var part span
	output := ""
	c := &cobra.Command{
		Use:   "cut FILE -o FILE",
		Short: "Write a part of a trace, or the trace of its text, to a new file",
		Example: `  blockreel cut run.reel --from 1000 --to 2000 -o part.reel
  blockreel cut run.reel --from 10s --to 1m30s -o part.reel
  blockreel cut run.jsonl -o run.reel`,
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			if err := needOutput(c, output); err != nil {
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
			if tr, err = tr.Cut(cfg); err != nil {
				return err
			}
			return saveTrace(c, output, tr)
		},
	}
	part.bind(c.Flags())
	outputFlag(c, &output, "file to write, - for stdout")
	return c
}

// span is the flags --from and --to: a block number, or a time since the start of
// the trace.
type span struct{ from, to string }

func (s *span) bind(f *pflag.FlagSet) {
	f.StringVar(&s.from, "from", "", "first block (1000), or offered from this time on (10s, since the trace's start)")
	f.StringVar(&s.to, "to", "", "block after the last (2000), or offered before this time (1m30s)")
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
		return nil, fmt.Errorf("--from %s --to %s: %w", s.from, s.to, err)
	}
	return part, nil
}
