package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/blockreel/blockreel/replay"
	"github.com/blockreel/blockreel/replay/cost"
	"github.com/blockreel/blockreel/replay/ledger"
	"github.com/blockreel/blockreel/replay/pipeline"
	"github.com/blockreel/blockreel/traces"
)

// scenarioFlags are the flags that replay and sweep share.
type scenarioFlags struct {
	part           span
	buffers        bufferList
	recorded       int
	preset, mode   string
	scale, link    string
	services       string
	blockBytes     byteSize
	recordedPreset string
}

// bind binds the flags; unless says which values of N are taken when none are given.
func (s *scenarioFlags) bind(c *cobra.Command, unless string) {
	f := c.Flags()
	f.Var(&s.buffers, "buffer", "values of N, blockBufferSize ("+unless+" unless given)")
	f.StringVar(&s.mode, "mode", "", "buffer policy: "+strings.Join(pipeline.Policies(), ", ")+" (as recorded unless given); ideal does not poll")
	f.StringVar(&s.preset, "preset", "", "receiver and default N of another Fabric: "+strings.Join(pipeline.Presets(), ", "))
	f.StringVar(&s.scale, "scale", "", "scale the recorded services: validation=1,commit=0.5; also parts of the commit by Fabric's names: state_validation, block_and_pvtdata_commit, state_commit, history_commit")
	f.StringVar(&s.link, "link", "", "link: latency=5ms,bandwidth=12.5MB,window=1MB (bandwidth a second)")
	f.StringVar(&s.services, "services-from", "", "take the service times of this trace, block by block")
	f.Var(&s.blockBytes, "block-bytes", "size of a block where the trace does not tell it")
	f.IntVar(&s.recorded, "recorded-buffer", 0, "N of the recorded peer, where the trace does not tell it or tells it wrong")
	f.StringVar(&s.recordedPreset, "recorded-preset", "", "preset of the recorded peer, where the trace does not tell its version or tells it wrong")
	s.part.bind(f)
}

// scenario makes the scenario of the flags.
func (s *scenarioFlags) scenario(c *cobra.Command) (replay.Scenario, error) {
	sc := replay.Scenario{
		Model:   replay.ModelConfig{Preset: s.recordedPreset, Buffer: s.recorded, BlockBytes: int64(s.blockBytes)},
		Buffers: s.buffers, Preset: s.preset, Mode: s.mode, Tool: tool,
	}
	if s.mode == pipeline.Unbounded && len(s.buffers) > 0 {
		return sc, usagef(c, "--buffer: --mode %s has no buffer size; leave one of them out", s.mode)
	}
	if c.Flags().Changed("recorded-buffer") && s.recorded < 1 {
		return sc, usagef(c, "--recorded-buffer %d: choose 1 or more blocks", s.recorded)
	}
	var err error
	if sc.Scale, err = ledger.ParseScale(s.scale); err != nil {
		return sc, usagef(c, "--scale: %w", err)
	}
	if sc.Link, err = parseLink(s.link); err != nil {
		return sc, usagef(c, "--link: %w", err)
	}
	return sc, nil
}

// load checks the scenario and loads the traces that it needs.
func (s *scenarioFlags) load(c *cobra.Command, path string, sc *replay.Scenario) (*traces.Trace, error) {
	if err := sc.Validate(); err != nil {
		return nil, usagef(c, "%w", err)
	}
	if s.services != "" && sc.RealLedgers() {
		return nil, usagef(c, "--services-from is in place of recorded services: a real ledger measures its own")
	}
	if s.services != "" {
		services, err := loadTrace(c, s.services)
		if err != nil {
			return nil, err
		}
		sc.Services = services
	}
	tr, err := loadTrace(c, path)
	if err != nil {
		return nil, err
	}
	return s.part.cut(c, tr)
}

// blocksOf opens the trace's file for the payloads of its blocks, where they are wanted; the
// function that it returns closes it. Standard input and the text twin have none here:
// real ledgers then get made-up blocks.
func blocksOf(c *cobra.Command, path string, sc *replay.Scenario, wanted bool) (func() error, error) {
	none := func() error { return nil }
	if !wanted {
		return none, nil
	}
	if slices.ContainsFunc(sc.Ledgers, inMemory) {
		unsparing()
	}
	if path == "-" {
		warn(c.ErrOrStderr(), "blocks of a trace from standard input are made up: name a file to have its own")
		return none, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return none, err
	}
	info, err := f.Stat()
	if err != nil {
		return none, errors.Join(err, f.Close())
	}
	sc.Payloads, err = traces.OpenPayloads(f, info.Size())
	if errors.Is(err, traces.ErrNotTrace) {
		warn(c.ErrOrStderr(), "blocks of a trace in text are made up: use the .reel file to have its own")
		return none, f.Close()
	}
	if err != nil {
		return none, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
	}
	return f.Close, nil
}

// ledgerPlace is the flags that say where real ledgers are made and what of a run counts.
type ledgerPlace struct {
	dir                string
	keep               bool
	warmup, validators int
	none               bool // no warm-up at all
}

// bind binds the flags; when says when they have a meaning, empty if always, and validators
// how many there are unless it is said.
func (l *ledgerPlace) bind(c *cobra.Command, when, validators string) {
	f := c.Flags()
	f.StringVar(&l.dir, "dir", "", when+"directory for ledgers while they are used, on the disk to measure (the system's temporary one unless given)")
	f.BoolVar(&l.keep, "keep", false, when+"keep the ledgers' directories")
	f.IntVar(&l.validators, "validators", 0, when+"transactions that a ledger validates at once, peer.validatorPoolSize ("+validators+" unless given); blocks that are made up have nothing to validate")
	f.IntVar(&l.warmup, "warmup", 0, when+"blocks at the start of a run that its figures leave out, 0 for none (a tenth, at most 100, unless given)")
}

// check refuses numbers that mean nothing, and places for ledgers that are not there; where
// says what would have some.
func (l *ledgerPlace) check(c *cobra.Command, specs []string, where string) error {
	files := slices.ContainsFunc(specs, func(spec string) bool { return isReal(spec) && !inMemory(spec) })
	switch {
	case (l.keep || l.dir != "") && !slices.ContainsFunc(specs, isReal):
		return usagef(c, "--keep and --dir are of ledgers in files, and nothing is stored here: %s", where)
	case l.keep && !files:
		return usagef(c, "--keep: a ledger in memory leaves nothing to keep; choose one in files (see blockreel ledger list)")
	case l.dir != "" && !isDirectory(l.dir):
		return usagef(c, "--dir %s is no directory here: make it first", l.dir)
	case l.warmup < 0:
		return usagef(c, "--warmup %d: choose a number of blocks, or 0 for none", l.warmup)
	case c.Flags().Changed("validators") && l.validators < 1:
		return usagef(c, "--validators %d: choose 1 or more", l.validators)
	}
	l.none = l.warmup == 0 && c.Flags().Changed("warmup")
	return nil
}

func isDirectory(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// interrupted says of an interrupt when it came and what is left; other errors it returns
// as they are.
func interrupted(err error, when string) error {
	if !errors.Is(err, context.Canceled) {
		return err
	}
	return errors.New("interrupted " + when + ": there is no result" + whatIsKept(err))
}

// interruptedDuring says which setting an interrupt has stopped, with which the error of a
// replay begins; those before it have results.
func interruptedDuring(err error) error {
	when := ""
	if setting, _, stopped := strings.Cut(err.Error(), ": "); stopped {
		when = " during " + setting
	}
	return errors.New("interrupted" + when + "; the settings above were finished" + whatIsKept(err))
}

func whatIsKept(err error) string {
	if kept := (*replay.KeptError)(nil); errors.As(err, &kept) {
		return "; the ledger as far as it came is kept in " + kept.Dir
	}
	return ""
}

func (l *ledgerPlace) apply(s *replay.Scenario) {
	s.LedgerDir, s.Keep, s.Warmup, s.Validators = l.dir, l.keep, l.warmup, l.validators
	if l.none {
		s.Warmup = -1
	}
}

// loadCosts reads the cost models.
func loadCosts(paths []string) ([]*cost.Model, error) {
	var all []*cost.Model
	for _, path := range paths {
		m, err := cost.ReadFile(path)
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return all, nil
}

// parseLink reads latency=5ms,bandwidth=12.5MB,window=1MB.
func parseLink(text string) (pipeline.Link, error) {
	var l pipeline.Link
	if text == "" {
		return l, nil
	}
	for part := range strings.SplitSeq(text, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		var err error
		var bytes uint64
		switch name {
		case "latency":
			if l.Latency, err = time.ParseDuration(value); err != nil || l.Latency <= 0 {
				err = errors.New("it must be a time above 0 with its unit")
			}
		case "bandwidth", "window":
			if bytes, err = humanize.ParseBytes(strings.TrimSuffix(value, "/s")); err != nil || bytes == 0 || bytes > 1<<50 {
				err = errors.New("it must be a size above 0")
			}
			if name == "window" {
				l.Window = int64(bytes)
			} else {
				l.Bandwidth = int64(bytes)
			}
		default:
			err = fmt.Errorf("known are latency, bandwidth and window")
		}
		if err != nil {
			return l, fmt.Errorf("%s: %w (write latency=5ms,bandwidth=12.5MB,window=1MB)", strconv.Quote(part), err)
		}
	}
	return l, nil
}
