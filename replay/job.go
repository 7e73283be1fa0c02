package replay

import (
	"context"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/replay/driver"
	"github.com/blockreel/blockreel/replay/ledger"
	"github.com/blockreel/blockreel/replay/pipeline"
	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// A job is one stream under one setting.
type job struct {
	model    *Model
	cfg      pipeline.Config
	times    []ledger.Times // what the committer takes
	out      *traces.Timeline
	index    int
	facts    []string
	warnings []string
	// committed is told of every commit; nil when nobody asks.
	committed func()

	set Setting
	// unpaced: every block is offered at start, and is not under way. Otherwise blocks
	// are offered load times as fast as in the trace, from its first block on.
	unpaced bool
	start   event.Time
	load    float64
	// What a run into a real ledger has told.
	// size is what the ledger takes on the disk; noSize says why it is not known.
	size    analysis.Optional[int64]
	noSize  string
	earlier int64 // bytes of blocks that were committed before the run
	run     *analysis.LedgerRun
	// refused is the share of the transactions that the ledger found invalid; nil: not known.
	refused *float64
	late    lateRun
	// number is that of the repetition, from 1 on; 0 when there is but one.
	number int
	// invalid are warnings by which the figures are not valid.
	invalid []string
}

func (s *Scenario) job(m *Model, index int, set Setting) (*job, error) {
	cfg, err := s.config(m, set.Buffer, set.mode)
	if err != nil {
		return nil, err
	}
	if set.cost != nil {
		m = m.withCost(set.cost)
	}
	if s.Unpaced {
		cfg = freed(cfg)
	}
	j := &job{
		model: m, cfg: cfg, index: index, committed: s.committed, set: set.under(cfg.Policy),
		unpaced: s.Unpaced, start: event.Time(m.Blocks.Offered[0]), load: s.load(),
	}
	j.times = m.scaled(s.Scale)
	j.out = traces.NewTimeline(s.resultStream(m, cfg, set), m.First, m.Len())
	for _, k := range []event.Kind{event.Transactions, event.Bytes, event.Writes} {
		j.out.ShareColumn(k, m.Measured)
		if !set.virtualLedger() && m.Measured.Observed(k) > 0 { // it tells what it was given
			j.out.SetColumn(k, slices.Clone(m.Measured.Column(k)))
		}
	}
	return j, nil
}

// freed is cfg without what holds a block up on its way to the buffer.
func freed(cfg pipeline.Config) pipeline.Config {
	cfg.Link, cfg.Intake, cfg.Wake = pipeline.Link{}, pipeline.Intake{}, 0
	return cfg
}

// resultStream describes the stream of a result, with all settings that it ran under.
func (s *Scenario) resultStream(m *Model, cfg pipeline.Config, set Setting) traces.Stream {
	stream := m.Stream
	stream.Settings = traces.Settings{}
	for k, v := range m.Stream.Settings {
		stream.Settings[k] = v
	}
	delete(stream.Settings, traces.SettingResolution)
	delete(stream.Settings, traces.SettingBuffer)
	for k, v := range cfg.Settings() {
		stream.Settings[k] = v
	}
	if s.Preset != "" {
		stream.Settings[traces.SettingPreset] = s.Preset
	}
	stream.Settings[settingClock] = s.Clock
	if s.Unpaced {
		stream.Settings[settingUnpaced] = "true"
		// All blocks are there at the start, and the peer is not busy with earlier ones.
		delete(stream.Settings, traces.SettingCutBacklog)
		delete(stream.Settings, traces.SettingBacklogBefore)
	}
	if load := s.load(); load != 1 {
		stream.Settings[settingLoad] = strconv.FormatFloat(load, 'g', -1, 64)
	} else if s.Speed != 0 {
		stream.Settings[settingSpeed] = strconv.FormatFloat(s.Speed, 'g', -1, 64)
	}
	if text := s.Scale.String(); text != "" {
		stream.Settings[settingScale] = text
	}
	switch {
	case set.cost != nil:
		stream.Settings[traces.SettingStateDatabase] = set.cost.Ledger
		if !set.cost.MadeUp {
			delete(stream.Settings, traces.SettingValidatorPool)
		}
		if n := set.cost.Machine.Validators; n > 0 && !set.cost.MadeUp {
			stream.Settings.SetInt(traces.SettingValidatorPool, int64(n))
		}
	case set.Ledger != RecordedLedger:
		stream.Settings[traces.SettingStateDatabase] = set.Ledger
		if s.hasPayloads(m) { // made-up blocks take the trace's time, with its own validators
			stream.Settings.SetInt(traces.SettingValidatorPool, int64(s.validators()))
		}
	}
	if set.Ledger != RecordedLedger {
		stream.Settings[traces.SettingLedger] = set.Ledger
	} else if stream.Settings[traces.SettingLedger] == "" {
		stream.Settings[traces.SettingLedger] = RecordedLedger
	}
	return stream
}

// stream is what a driver runs for the job.
func (j *job) stream() driver.Stream {
	return driver.Stream{
		Index:    j.index,
		Config:   j.cfg,
		Height:   event.Height(j.model.First),
		Source:   &source{job: j},
		Services: j,
		Observer: j,
	}
}

// Observe keeps the instants; what a block holds is known from the trace.
func (j *job) Observe(e event.Event) {
	if e.Kind.IsTime() || e.Kind >= event.StateValidation {
		j.out.MakeColumn(e.Kind)[e.Block-j.out.First] = e.Value
	}
	if e.Kind == event.Committed && j.committed != nil {
		j.committed()
	}
}

// source hands a job's blocks to a driver.
type source struct {
	*job
	given int
}

func (s *source) Next() (driver.Arrival, bool) {
	if s.given == s.model.Len() {
		return driver.Arrival{}, false
	}
	s.given++
	return s.arrival(s.given - 1), true
}

// arrival is block i as the orderer offers it.
func (j *job) arrival(i int) driver.Arrival {
	a := driver.Arrival{Bytes: j.model.bytes(i), Offered: j.start}
	if !j.unpaced {
		a.Offered, a.Transit = j.offered(i), time.Duration(at(j.model.Blocks.Transit, i))
	}
	return a
}

// Service is what the committer takes for block n.
func (j *job) Service(n event.BlockNum) driver.Service {
	i := int(n - j.model.First)
	return driver.Service{
		Validate:   j.times[i].Validate,
		Commit:     j.times[i].Commit,
		Turnaround: bounded(at(j.model.Turnaround, i)),
	}
}

// solve runs the job in simulated time.
func (j *job) solve(ctx context.Context) error {
	s, err := pipeline.NewSolver(j.cfg)
	if err != nil {
		return err
	}
	var (
		in       pipeline.Blocks
		out      pipeline.Columns
		tail     [2][]int64 // validated, committed
		columns  [event.Committed + 1]traces.ColumnBuilder
		instants = [...]*[]int64{
			event.Offered: &in.Offered, event.Sent: &out.Sent, event.Received: &out.Received, event.AtDoor: &out.AtDoor,
			event.Enqueued: &out.Enqueued, event.Dequeued: &out.Dequeued, event.Validated: &tail[0], event.Committed: &tail[1],
		}
		latest = int64(math.MinInt64)
	)
	for from := 0; from < j.model.Len(); from += solved {
		if err := ctx.Err(); err != nil {
			return err
		}
		to := min(from+solved, j.model.Len())
		in = pipeline.Blocks{Offered: in.Offered[:0], Bytes: in.Bytes[:0], Transit: in.Transit[:0], Service: in.Service[:0]}
		for i := from; i < to; i++ {
			a, took := j.arrival(i), j.Service(j.model.First+event.BlockNum(i))
			latest = max(latest, int64(a.Offered))
			in.Offered, in.Bytes = append(in.Offered, latest), append(in.Bytes, a.Bytes)
			in.Transit, in.Service = append(in.Transit, int64(a.Transit)), append(in.Service, int64(took.Validate+took.Commit+took.Turnaround))
		}
		if err := s.Next(in, &out); err != nil {
			return err
		}
		tail = [2][]int64{tail[0][:0], tail[1][:0]}
		for i, popped := range out.Dequeued {
			validated := popped + int64(j.times[from+i].Validate)
			tail[0], tail[1] = append(tail[0], validated), append(tail[1], validated+int64(j.times[from+i].Commit))
			if j.committed != nil {
				j.committed()
			}
		}
		for k, values := range instants {
			columns[k].SetRun(j.out.Block(from), *values)
		}
	}
	for k := range columns {
		j.out.Build(event.Kind(k), &columns[k])
	}
	return nil
}

// offered is when block i is offered, under the job's load.
func (j *job) offered(i int) event.Time {
	at := j.model.Blocks.Offered[i]
	if j.load == 1 {
		return event.Time(at)
	}
	first := j.model.Blocks.Offered[0]
	return event.Time(first + int64(float64(at-first)/j.load))
}

// at is the value of a column that may be nil.
func at(column []int64, i int) int64 {
	if column == nil {
		return 0
	}
	return column[i]
}

// virtual runs the jobs one after the other in simulated time. A real ledger is driven
// once, as fast as it goes; its times then serve every buffer.
func (s *Scenario) virtual(ctx context.Context, jobs []*job, set Setting, measured measuredServices) error {
	for _, j := range jobs {
		if !set.virtualLedger() {
			if err := measured.take(ctx, s, j, set.Ledger); err != nil {
				return err
			}
		}
		j.keepStages()
		if err := j.solve(ctx); err != nil {
			return err
		}
		if len(jobs) > 1 && !set.virtualLedger() {
			j.warnings = append(j.warnings, alone(len(jobs)))
		}
	}
	return nil
}

// keepStages puts the parts of the commits into the result, where they are known.
func (j *job) keepStages() {
	for p, part := range stageParts {
		took := func(i int) int64 {
			if !j.model.tells(i, p) {
				return event.Missing
			}
			return int64(*part.of(&j.times[i].Stages))
		}
		if !slices.ContainsFunc(j.times, func(t ledger.Times) bool { return *part.of(&t.Stages) != 0 }) {
			continue
		}
		c := j.out.MakeColumn(part.kind)
		for i := range c {
			c[i] = took(i)
		}
	}
}
