package replay

import (
	"context"
	"fmt"
	"strconv"
	"time"

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
}

func (s *Scenario) job(m *Model, index int, set Setting) (*job, error) {
	cfg, err := s.config(m, set.Buffer)
	if err != nil {
		return nil, err
	}
	j := &job{model: m, cfg: cfg, index: index, committed: s.committed}
	j.times, _, _ = m.Scaled(s.Scale)
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
	if s.Speed != 0 {
		stream.Settings[settingSpeed] = strconv.FormatFloat(s.Speed, 'g', -1, 64)
	}
	if text := s.Scale.String(); text != "" {
		stream.Settings[settingScale] = text
	}
	if set.Ledger != RecordedLedger {
		stream.Settings[traces.SettingLedger] = set.Ledger
	} else if stream.Settings[traces.SettingLedger] == "" {
		stream.Settings[traces.SettingLedger] = RecordedLedger
	}
	j.out = traces.NewTimeline(stream, m.First, m.Len())
	for _, k := range []event.Kind{event.Transactions, event.Bytes, event.Writes} {
		if c := m.Measured.Column(k); c != nil {
			copy(j.out.MakeColumn(k), c)
		}
	}
	return j, nil
}

// stream is what a driver runs for the job.
func (j *job) stream() driver.Stream {
	return driver.Stream{
		Index:    j.index,
		Config:   j.cfg,
		Height:   event.Height(j.model.First),
		Source:   &source{job: j},
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

// source hands a model's blocks to a driver.
type source struct {
	*job
	next int
}

func (s *source) Next() (driver.Arrival, bool) {
	i, m := s.next, s.model
	if i == m.Len() {
		return driver.Arrival{}, false
	}
	s.next++
	return driver.Arrival{
		Block:   m.block(i),
		Offered: event.Time(m.Blocks.Offered[i]),
		Transit: time.Duration(at(m.Blocks.Transit, i)),
		Service: driver.Service{
			Validate:   s.times[i].Validate,
			Commit:     s.times[i].Commit,
			Turnaround: bounded(at(m.Turnaround, i)),
		},
	}, true
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
		if set.Ledger != RecordedLedger {
			if err := measured.take(ctx, s, j, set.Ledger); err != nil {
				return err
			}
		}
		j.keepStages()
		result, err := driver.Virtual(ctx, j.stream())
		if err != nil {
			return err
		}
		j.tellDrops(result)
	}
	return nil
}

// tellDrops warns of blocks that a non-blocking buffer has refused.
func (j *job) tellDrops(r driver.Result) {
	if r.Dropped > 0 {
		j.warnings = append(j.warnings, fmt.Sprintf(
			"N = %d: the non-blocking buffer dropped %d of %d blocks, and %d were committed: Fabric would fetch the others again, which is not modelled; the figures are those of the blocks before the first drop",
			j.cfg.Policy.N, r.Dropped, r.Offered, r.Committed))
	}
}

// keepStages puts the parts of the commits into the result, where they are known.
func (j *job) keepStages() {
	columns := map[event.Kind]func(t *ledger.Times) int64{
		event.StateValidation: func(t *ledger.Times) int64 { return int64(t.Stages.StateValidation) },
		event.BlockStore:      func(t *ledger.Times) int64 { return int64(t.Stages.BlockStore) },
		event.StateCommit:     func(t *ledger.Times) int64 { return int64(t.Stages.StateCommit) },
		event.HistoryCommit:   func(t *ledger.Times) int64 { return int64(t.Stages.HistoryCommit) },
	}
	for k, part := range columns {
		var any int64
		for i := range j.times {
			any |= part(&j.times[i])
		}
		if any == 0 {
			continue
		}
		c := j.out.MakeColumn(k)
		for i := range c {
			c[i] = part(&j.times[i])
		}
	}
}
