package replay

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync/atomic"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/replay/driver"
	"github.com/blockreel/blockreel/replay/ledger"
	"github.com/blockreel/blockreel/replay/pipeline"
	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// Settings that a result trace carries besides those of its pipeline.
const (
	settingClock = "replay_clock"
	settingSpeed = "replay_speed"
	settingScale = "replay_scale"
)

// An Outcome is the answer to a Scenario.
type Outcome struct {
	// Identity is, for each stream, how its replay with its own settings differs from
	// the trace.
	Identity []Identity
	// Facts say how the parameters were obtained, Warnings what weakens the results.
	Facts, Warnings []string
}

// A Result is the trace that the blocks would have left under one setting.
type Result struct {
	Setting
	Trace *traces.Trace
}

// maxSettings bounds the settings of one scenario. Each is a whole replay with a trace
// of its own; SweepTrace is for ranges.
const maxSettings = 1000

// Replay replays tr under every setting of s and hands each result on as it is there:
// only one is held at a time. The error names the setting that failed; what was said
// until then comes with it.
func Replay(ctx context.Context, tr *traces.Trace, s Scenario, each func(Result) error) (*Outcome, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	settings := s.settings()
	if len(settings) > maxSettings {
		return nil, fmt.Errorf("%d settings are more than the %d that can be replayed at once: a sweep answers for ranges of buffer sizes", len(settings), maxSettings)
	}
	models, warnings, err := s.models(tr)
	if err != nil {
		return nil, err
	}
	out := &Outcome{Warnings: warnings}
	for _, m := range models {
		id, err := m.Identity(ctx)
		if err != nil {
			return nil, err
		}
		out.Identity = append(out.Identity, id)
	}
	if err := s.takeServices(models); err != nil {
		return nil, err
	}
	for _, m := range models {
		out.Facts = append(out.Facts, named(models, m, m.Facts)...)
		out.Warnings = append(out.Warnings, named(models, m, m.Warnings)...)
	}
	measured := measuredServices{}
	s.countBlocks(models, len(settings))
	for _, set := range settings {
		if err := ctx.Err(); err != nil {
			return out, err
		}
		result, err := s.replay(ctx, tr, models, set, out, measured)
		if err != nil {
			return out, fmt.Errorf("setting %s: %w", set.Name(), err)
		}
		if err := each(result); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// countBlocks makes Progress a count of commits over all settings.
func (s *Scenario) countBlocks(models []*Model, settings int) {
	if s.Progress == nil {
		return
	}
	all := 0
	for _, m := range models {
		all += m.Len() * settings
	}
	var done atomic.Int64
	report := s.Progress
	s.committed = func() {
		if d := done.Add(1); d%progressEvery == 0 || int(d) == all {
			report(int(d), all)
		}
	}
}

// progressEvery is the number of commits between two reports of progress.
const progressEvery = 64

// appendNew appends the lines that are not there yet: most settings say the same.
func appendNew(to, lines []string) []string {
	for _, l := range lines {
		if !slices.Contains(to, l) {
			to = append(to, l)
		}
	}
	return to
}

// named puts the stream before each line when there are several streams.
func named(models []*Model, m *Model, lines []string) []string {
	if len(models) == 1 {
		return lines
	}
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = m.Stream.Name() + ": " + l
	}
	return out
}

// replay runs all streams under one setting.
func (s *Scenario) replay(ctx context.Context, tr *traces.Trace, models []*Model, set Setting, o *Outcome, measured measuredServices) (Result, error) {
	jobs := make([]*job, len(models))
	for i, m := range models {
		j, err := s.job(m, i, set)
		if err != nil {
			return Result{}, err
		}
		jobs[i] = j
	}
	var err error
	if s.Clock == Wall {
		err = s.wall(ctx, jobs, set)
	} else {
		err = s.virtual(ctx, jobs, set, measured)
	}
	if err != nil {
		return Result{}, err
	}
	result := &traces.Trace{Header: traces.Header{Base: tr.Base, Tool: s.Tool, Source: "replay"}}
	for i, j := range jobs {
		result.Streams = append(result.Streams, j.out.Stream)
		result.Timelines = append(result.Timelines, j.out)
		id := o.Identity[i]
		note := func(kind, text string) {
			result.Notes = append(result.Notes, traces.Note{Stream: i, Kind: kind, Text: text})
		}
		note(traces.NoteFact, "identity error of the replay: "+id.String())
		for _, f := range slices.Concat(models[i].Facts, j.facts) {
			note(traces.NoteFact, f)
		}
		for _, w := range slices.Concat(models[i].Warnings, j.warnings) {
			note(traces.NoteWarning, w)
		}
		o.Facts = appendNew(o.Facts, named(models, models[i], j.facts))
		o.Warnings = appendNew(o.Warnings, named(models, models[i], j.warnings))
	}
	return Result{Setting: jobs[0].named(set), Trace: result}, nil
}

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

func (j *job) named(set Setting) Setting {
	if set.Buffer == 0 {
		set.Buffer = j.cfg.Policy.N
	}
	return set
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
		Transit: bounded(at(m.Blocks.Transit, i)),
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
		j.tellDrops(set, result)
	}
	return nil
}

// tellDrops warns of blocks that a non-blocking buffer has refused.
func (j *job) tellDrops(set Setting, r driver.Result) {
	if r.Dropped > 0 {
		j.warnings = append(j.warnings, fmt.Sprintf(
			"%s: the non-blocking buffer dropped %d of %d blocks, and %d were committed: Fabric would fetch the others again, which is not modelled; the figures are those of the blocks before the first drop",
			j.named(set).Name(), r.Dropped, r.Offered, r.Committed))
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

// Identity is how the replay of a stream with its own settings differs from it.
type Identity struct {
	Stream string
	// Exact: to the nanosecond.
	Exact bool
	// Blocks is the number of blocks that were replayed, Left of those that the trace
	// has beside them.
	Blocks, Left int
	analysis.Differences
}

// Identity replays the model's stream with its own settings.
func (m *Model) Identity(ctx context.Context) (Identity, error) {
	s := Scenario{Scale: ledger.Unscaled(), Clock: Virtual}
	j, err := s.job(m, 0, Setting{Ledger: RecordedLedger})
	if err != nil {
		return Identity{}, err
	}
	if _, err := driver.Virtual(ctx, j.stream()); err != nil {
		return Identity{}, err
	}
	want, got := analysis.StatsOf(m.Measured), analysis.StatsOf(j.out)
	return Identity{m.Stream.Name(), m.Exact, m.Len(), m.left, analysis.Compare(&want, &got)}, nil
}

// String is the identity error in a line.
func (id Identity) String() string {
	text := id.Differences.String()
	if id.Exact {
		text = "none, the replay is exact"
	}
	if id.Left > 0 {
		text += fmt.Sprintf(" (of the %s that were offered and committed; %s were not)",
			analysis.FormatBlocks(int64(id.Blocks)), analysis.FormatCount(int64(id.Left)))
	}
	return text
}
