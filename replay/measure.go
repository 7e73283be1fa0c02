package replay

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/replay/block"
	"github.com/blockreel/blockreel/replay/cost"
	"github.com/blockreel/blockreel/replay/ledger"
	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// A Calibration is what was measured of a ledger, and the cost model that was fitted to it.
type Calibration struct {
	*cost.Model
	Facts, Warnings []string
}

// Calibrate drives the ledger of the scenario, its only one, with the blocks of the trace
// as fast as it takes them, s.Repeat times into a fresh directory, and fits a cost model to the
// blocks behind the warm-up of each run, or to a sample of them when there are very many. Of
// several streams it takes the one with the most blocks. s.Progress counts blocks.
func Calibrate(ctx context.Context, tr *traces.Trace, s Scenario) (*Calibration, error) {
	if s.Clock == "" {
		s.Clock = Wall
	}
	s = s.withDefaults()
	if err := s.validate(); err != nil {
		return nil, err
	}
	if len(s.Ledgers) != 1 || !s.RealLedgers() {
		return nil, errors.New("a calibration is of one ledger that stores blocks")
	}
	models, warnings, err := s.models(tr)
	if err != nil {
		return nil, err
	}
	m := models[0]
	for _, other := range models {
		if other.Len() > m.Len() {
			m = other
		}
	}
	c := &Calibration{Warnings: warnings}
	if len(models) > 1 {
		c.Facts = append(c.Facts, fmt.Sprintf("calibrated with %s, the stream with the most blocks", m.Stream.Name()))
	}
	if s.Warmup >= m.Len() {
		return nil, fmt.Errorf("%s has %s, and a warm-up of %d leaves none to measure", m.Stream.Name(), analysis.FormatBlocks(int64(m.Len())), s.Warmup)
	}
	warmup := s.warmup(m)
	if n := m.Len() - warmup; n < cost.MinBlocks {
		return nil, fmt.Errorf("%s has %d blocks behind a warm-up of %d, and a cost model needs at least %d: take a longer trace", m.Stream.Name(), n, warmup, cost.MinBlocks)
	}
	spec, err := ledger.Parse(s.Ledgers[0])
	if err != nil {
		return nil, err
	}
	runs, n := max(s.Repeat, 1), m.Len()-warmup
	cfg := cost.Config{Tool: s.Tool, Ledger: spec, Warmup: warmup, MadeUp: !s.hasPayloads(m), Machine: machine(), Runs: runs, Measured: n * runs}
	if cfg.Machine.Directory, err = s.ledgersIn(); err != nil {
		return nil, err
	}
	cfg.Machine.Validators = s.validators()
	if cfg.MadeUp { // they have validated nothing, however many were asked for
		cfg.Machine.Validators = (&Scenario{}).validators()
	}
	cfg.Machine.Date = time.Now().UTC().Format(time.DateOnly)
	s.countBlocks([]*Model{m}, runs, runs)
	places := cost.Sample(n, runs)
	obs := make([]cost.Observation, 0, len(places)*runs)
	for range runs {
		if obs, cfg.Refused, err = s.observe(ctx, c, m, cfg, places, obs); err != nil {
			return nil, err
		}
	}
	if c.Model, err = cost.Fit(m.First+event.BlockNum(warmup), obs, cfg); err != nil {
		return nil, err
	}
	if !cfg.MadeUp { // of made-up blocks it is what they are
		for _, w := range m.assumedCounts() {
			c.Warnings = append(c.Warnings, "the cost model does not know what its blocks held: "+w)
		}
	}
	c.tell()
	return c, nil
}

// observe drives the ledger once, in a directory of its own, and appends what it took for
// the blocks at these places behind the warm-up. It returns the share of transactions that the
// ledger refused, too: any run tells the same.
func (s *Scenario) observe(ctx context.Context, c *Calibration, m *Model, cfg cost.Config, places []int, obs []cost.Observation) ([]cost.Observation, *float64, error) {
	j := &job{model: m, set: Setting{Ledger: s.Ledgers[0], mode: ModeUnbounded}, committed: s.committed}
	j.times = m.scaled(s.Scale)
	next := 0
	err := s.withLedger(ctx, j, s.Ledgers[0], func(l *fed) error {
		return l.drive(ctx, func(i int, b *block.Block, took ledger.Times) {
			if next < len(places) && i == cfg.Warmup+places[next] {
				next++
				obs = append(obs, observation(b, took, cfg.MadeUp))
			}
		})
	})
	if err != nil {
		return nil, nil, err
	}
	c.Facts, c.Warnings = analysis.AppendNew(c.Facts, j.facts), analysis.AppendNew(c.Warnings, j.warnings)
	return obs, j.refused, nil
}

// tell says what the model is made of, and what weakens it.
func (c *Calibration) tell() {
	runs := "a warm-up and are"
	if c.Runs > 1 {
		runs = "a warm-up of each run and are"
		c.Facts = append(c.Facts, fmt.Sprintf("%d runs, each into a fresh ledger; the slowest run's mean block took longer than the fastest's by %s of the mean of all", c.Runs, analysis.FormatShare(c.RunSpread)))
	}
	c.Facts = append(c.Facts, fmt.Sprintf("the first %s were %s not in the model", analysis.FormatBlocks(int64(c.Warmup)), runs))
	if c.Blocks < c.Measured {
		c.Facts = append(c.Facts, fmt.Sprintf("the model was fitted to %s of the %s behind the warm-up, in stretches spread evenly over each run: it has stalls as often as these have",
			analysis.FormatCount(int64(c.Blocks)), analysis.FormatBlocks(int64(c.Measured))))
	}
	c.Facts = append(c.Facts, c.Machine.String()+"; the model is valid only there")
	c.Warnings = append(c.Warnings, CostWarnings(c.Model)...)
}

// ledgersIn is the whole path of the directory in which ledgers are made.
func (s *Scenario) ledgersIn() (string, error) {
	if s.LedgerDir == "" {
		return filepath.Abs(os.TempDir())
	}
	return filepath.Abs(s.LedgerDir)
}

// observation is what a block took, by its shape as it was committed.
func observation(b *block.Block, t ledger.Times, madeUp bool) cost.Observation {
	o := cost.Observation{Shape: cost.Of(b), Times: cost.Times{
		Validation: t.Validate, Stages: t.Stages, Other: max(t.Commit-t.Stages.Total(), 0),
	}}
	if madeUp {
		o.Validation = 0 // it is the trace's
	}
	return o
}

// A Check is a forecast by a cost model beside what its ledger did in real time.
type Check struct {
	analysis.Forecast
	// Ledger is that of the cost model.
	Ledger string
	// Warmup is the number of blocks at the start that neither side's figures count.
	Warmup          int64
	Facts, Warnings []string
	// Invalid are those of the warnings by which what was measured is not valid.
	Invalid []string
}

// mostMissed is the error of a forecast, as a share, beyond which its cost model is not to
// be trusted for a trace: as much as two runs of one ledger on one machine differ.
const mostMissed = 0.1

// Distrust says what the forecast missed by so much that the cost model is not to be trusted
// for this trace; empty when nothing. A gap that is off by one block does not count, nor do
// p99.9 and max, which a single stall decides.
func (c *Check) Distrust() string {
	var missed []string
	for _, d := range c.Differences {
		if d.Figure == "p99_9" || d.Figure == "max" || d.Unit == "blocks" && max(d.Got-d.Want, d.Want-d.Got) <= 1 {
			continue
		}
		if e, ok := d.Error.Get(); d.Got != d.Want && (!ok || max(e, -e) > mostMissed) {
			missed = append(missed, d.Name()+" "+d.FormatError())
		}
	}
	if len(missed) == 0 {
		return ""
	}
	return "do not trust this cost model for this trace: it missed a run by the wall clock by more than 10 % (" + strings.Join(missed, ", ") + ")"
}

// CheckWall replays the trace with buffer n, 0 for the recorded one, once with the services that
// model forecasts and once into its ledger by the wall clock, as long as the trace takes,
// and compares each stream behind the warm-up, of which the model knows nothing.
func CheckWall(ctx context.Context, tr *traces.Trace, s Scenario, model *cost.Model, n int) ([]Check, error) {
	if _, err := ledger.Parse(model.Ledger); err != nil {
		return nil, fmt.Errorf("the cost model's ledger cannot be run here: %w", err)
	}
	s.Buffers, s.Costs, s.Ledgers = nil, nil, nil
	if n != 0 {
		s.Buffers = []int{n}
	}
	report := s.Progress
	s.Progress = nil
	one := func(s Scenario) (result Result, out *Outcome, err error) {
		out, err = Replay(ctx, tr, s, func(r Result) error { result = r; return nil })
		return result, out, err
	}
	virtual, wall := s, s
	virtual.Clock, virtual.Costs = Virtual, []*cost.Model{model}
	wall.Clock, wall.Ledgers, wall.Progress = Wall, []string{model.Ledger}, report
	virtual.Validators, virtual.Warmup = 0, 0
	if wall.Validators == 0 && !model.MadeUp && wall.Payloads != nil {
		wall.Validators = model.Machine.Validators
	}
	forecast, _, err := one(virtual)
	if err != nil {
		return nil, err
	}
	measured, out, err := one(wall)
	if err != nil {
		return nil, err
	}
	var checks []Check
	for i := range measured.Trace.Timelines {
		counted := func(r Result) analysis.StreamStats {
			tl := r.Trace.Timelines[i]
			return analysis.StatsOf(tl.Part(int(measured.Measured[i].Warmup), tl.Len()))
		}
		want, got := counted(measured), counted(forecast)
		name := measured.Label()
		if len(measured.Trace.Timelines) > 1 {
			name += ", " + want.Name()
		}
		c := Check{Ledger: model.Ledger, Warmup: measured.Measured[i].Warmup, Forecast: analysis.Forecast{Name: name, Differences: analysis.Compare(&want, &got)}}
		if i == 0 {
			c.Facts, c.Warnings, c.Invalid = out.Facts, slices.Clone(out.Warnings), out.Invalid
			if n := model.Machine.Validators; n > 0 && !model.MadeUp && n != wall.validators() {
				c.Warnings = append(c.Warnings, fmt.Sprintf("%s: the forecast is of %d validators, and the run had %d", model.Ledger, n, wall.validators()))
			}
		}
		if doubt := c.Distrust(); doubt != "" {
			c.Warnings = append(c.Warnings, name+": "+doubt)
		}
		checks = append(checks, c)
	}
	return checks, nil
}
