package replay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/traces"
)

// Settings that a result trace carries besides those of its pipeline.
const (
	settingClock = "replay_clock"
	settingSpeed = "replay_speed"
	settingScale = "replay_scale"
	// How many times as fast blocks arrived at a real ledger; that they did not arrive,
	// but were all there.
	settingLoad    = "replay_load"
	settingUnpaced = "replay_unpaced"
)

// An Outcome is the answer to a Scenario.
type Outcome struct {
	// Identity is, for each stream, how its replay with its own settings differs from
	// the trace.
	Identity []Identity
	// Measured: real ledgers had all blocks from the start. Nothing of the results follows from
	// the arrivals and services of the trace, and Identity says nothing of them.
	Measured bool
	// Facts say how the parameters were obtained, Warnings what weakens the results.
	Facts, Warnings []string
	// Invalid are those of the warnings by which figures are not valid: they must stand
	// beside them.
	Invalid []string

	late []lateRun // of repeated runs
}

// A Result is the trace that the blocks would have left under one setting.
type Result struct {
	Setting
	Trace *traces.Trace
	// Run is the number of the repetition, from 1 on; 0 when there is but one.
	Run int
	// Measured has the figures of each stream of a run by the wall clock into a real
	// ledger. Nil: it was none.
	Measured []analysis.LedgerRun
	// Doubts says of each stream which of its figures not to trust, since the replay of the
	// trace with its own settings misses them; empty for none.
	Doubts []string
	// Invalid says of each stream why its figures are not those of the setting; empty when
	// they are.
	Invalid []string
	// Alone: every block was there from the start and no buffer was in between, so that the
	// run is of the committer alone.
	Alone bool
}

// Name names the result, fit for a file: that of its setting, and n20-badger-run2 when it
// was repeated.
func (r Result) Name() string {
	if r.Run == 0 {
		return r.Setting.Name()
	}
	return fmt.Sprintf("%s-run%d", r.Setting.Name(), r.Run)
}

// maxSettings bounds the settings of one scenario. Each is a whole replay with a trace
// of its own; SweepTrace is for ranges.
const maxSettings = 1000

// Replay replays tr under every setting of s and hands each result on as it is there:
// only one is held at a time. The error names the setting that failed; what was said
// until then comes with it.
func Replay(ctx context.Context, tr *traces.Trace, s Scenario, each func(Result) error) (*Outcome, error) {
	s = s.withDefaults()
	if err := s.validate(); err != nil {
		return nil, err
	}
	settings := s.settings()
	if s.Clock == Virtual && s.Warmup != 0 {
		return nil, errors.New("a warm-up belongs to the wall clock: in simulated time nothing has to warm up")
	}
	if len(settings) > maxSettings {
		return nil, fmt.Errorf("%d settings are more than the %d that can be replayed at once: a sweep answers for ranges of buffer sizes", len(settings), maxSettings)
	}
	models, warnings, err := s.models(tr)
	if err != nil {
		return nil, err
	}
	for _, m := range models {
		if s.Warmup >= m.Len() {
			return nil, fmt.Errorf("%s has %s, and a warm-up of %d leaves none to measure", m.Stream.Name(), analysis.FormatBlocks(int64(m.Len())), s.Warmup)
		}
	}
	out := &Outcome{Facts: []string{}, Measured: s.measures(settings...)}
	said := traceWarnings(tr, warnings)
	for _, m := range models {
		id, err := m.Identity(ctx)
		if err != nil {
			return nil, err
		}
		out.Identity = append(out.Identity, id)
		if doubt := id.Distrust(); doubt != "" && slices.ContainsFunc(settings, s.forecasts) {
			said = append(said, warningsOf(models, m, []string{doubt})...)
		}
	}
	if err := s.takeServices(models); err != nil {
		return nil, err
	}
	for _, m := range models {
		facts, warnings := s.bearing(m, settings...)
		out.Facts = append(out.Facts, named(models, m, facts)...)
		said = append(said, warningsOf(models, m, warnings)...)
	}
	out.Warnings = analysis.Grouped(said)
	measured := measuredServices{}
	facts, warned := s.tellCosts(models)
	out.Facts, out.Warnings = append(out.Facts, facts...), append(out.Warnings, warned...)
	defer out.tellLate()
	rounds := max(s.Repeat, 1)
	s.countBlocks(models, len(settings)*rounds+s.drives(), s.realRuns(settings)*rounds)
	for round := range rounds {
		number := 0
		if rounds > 1 {
			number = round + 1
		}
		for _, set := range settings {
			if err := ctx.Err(); err != nil {
				return out, err
			}
			result, err := s.replay(ctx, tr, models, set, number, out, measured)
			if err != nil {
				return out, fmt.Errorf("%s: %w", set.Label(), err)
			}
			if err := each(result); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// forecasts reports whether the replay under a setting is a forecast by the model of the
// trace, and not a measurement of a real ledger.
func (s *Scenario) forecasts(set Setting) bool { return s.Clock != Wall || set.virtualLedger() }

// measures reports whether all that the settings' results follow from is measured: every block
// is at a real ledger's orderer from the start.
func (s *Scenario) measures(settings ...Setting) bool {
	return s.Unpaced && !slices.ContainsFunc(settings, s.forecasts)
}

// bearing are those of m's facts and warnings that bear on what is replayed under the settings.
func (s *Scenario) bearing(m *Model, settings ...Setting) (facts, warnings []string) {
	if !s.measures(settings...) {
		return m.Facts, m.Warnings
	}
	if m.pollFact != "" && slices.ContainsFunc(settings, func(set Setting) bool { return set.mode == "" || set.mode == ModeFabric }) {
		facts = append(facts, m.pollFact)
	}
	if s.hasPayloads(m) {
		return facts, m.Warnings[:m.which]
	}
	return facts, m.Warnings // made-up blocks have the trace's sizes and validation
}

// drives is how often the blocks are committed to a real ledger before the replays.
func (s *Scenario) drives() int {
	if s.Clock == Wall {
		return 0
	}
	return s.realRuns(nil)
}

// realRuns is how many real ledgers are opened for all settings: by the wall clock one for
// each, else one of each kind.
func (s *Scenario) realRuns(settings []Setting) (n int) {
	if s.Clock == Wall {
		for _, set := range settings {
			if !set.virtualLedger() {
				n++
			}
		}
		return n
	}
	for _, spec := range s.Ledgers {
		if spec != RecordedLedger {
			n++
		}
	}
	return n
}

// countBlocks makes Progress a count of commits over so many replays and drives, into so
// many real ledgers, which are given the earlier blocks before.
func (s *Scenario) countBlocks(models []*Model, times, ledgers int) {
	if s.Progress == nil {
		return
	}
	all := 0
	for _, m := range models {
		all += m.Len()*times + s.earlier(m)*ledgers
	}
	var mu sync.Mutex // streams commit side by side
	done, report := 0, s.Progress
	s.committed = func() {
		mu.Lock()
		defer mu.Unlock()
		if done++; done%progressEvery == 0 || done == all {
			report(done, all)
		}
	}
}

// progressEvery is the number of commits between two reports of progress.
const progressEvery = 64

// traceWarnings are what weakens all of a replay: streams that are left out, and what
// weakens the trace.
func traceWarnings(tr *traces.Trace, leftOut []string) []analysis.Warning {
	var said []analysis.Warning
	for _, w := range leftOut {
		said = append(said, analysis.Warning{Text: w})
	}
	for _, n := range inherit(tr) {
		said = append(said, analysis.Warning{Text: n.Text})
	}
	return said
}

// warningsOf are those of one of the models.
func warningsOf(models []*Model, m *Model, lines []string) []analysis.Warning {
	stream := ""
	if len(models) > 1 {
		stream = m.Stream.Name()
	}
	said := make([]analysis.Warning, len(lines))
	for i, l := range lines {
		said[i] = analysis.Warning{Stream: stream, Text: l}
	}
	return said
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

// jointly are the lines of all jobs, each with the name of its stream but for those that all
// of them have.
func jointly(models []*Model, jobs []*job, of func(*job) []string) (lines []string) {
	for i, j := range jobs {
		for _, line := range of(j) {
			if slices.ContainsFunc(jobs, func(other *job) bool { return !slices.Contains(of(other), line) }) {
				lines = append(lines, named(models, models[i], []string{line})...)
			} else {
				lines = append(lines, line)
			}
		}
	}
	return lines
}

// replay runs all streams under one setting; number is that of the repetition, 0 when there is
// but one.
func (s *Scenario) replay(ctx context.Context, tr *traces.Trace, models []*Model, set Setting, number int, o *Outcome, measured measuredServices) (Result, error) {
	jobs := make([]*job, len(models))
	for i, m := range models {
		j, err := s.job(m, i, set)
		if err != nil {
			return Result{}, err
		}
		j.number = number
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
	out := Result{Setting: common(set, jobs), Run: number}
	out.Alone = s.Unpaced && out.mode == ModeUnbounded
	result := &traces.Trace{Header: traces.Header{Base: tr.Base, Tool: s.Tool, Source: "replay"}, Notes: inherit(tr)}
	var late []string
	for i, j := range jobs {
		result.Streams = append(result.Streams, j.out.Stream)
		result.Timelines = append(result.Timelines, j.out)
		id := o.Identity[i]
		note := func(kind, text string) {
			result.Notes = append(result.Notes, traces.Note{Stream: i, Kind: kind, Text: text})
		}
		if !s.measures(set) {
			note(traces.NoteFact, "identity error of the replay: "+id.String())
		}
		doubt := ""
		if s.forecasts(set) {
			doubt = id.Distrust()
		}
		if out.Doubts = append(out.Doubts, doubt); doubt != "" {
			note(traces.NoteWarning, doubt)
		}
		facts, warnings := s.bearing(models[i], set)
		for _, f := range slices.Concat(facts, j.facts) {
			note(traces.NoteFact, f)
		}
		for _, w := range slices.Concat(warnings, j.warnings) {
			note(traces.NoteWarning, w)
		}
		if j.late.text != "" {
			text := j.late.label + ": " + j.late.text
			note(traces.NoteFact, text)
			if number == 0 {
				late = append(late, named(models, models[i], []string{text})...)
			} else {
				o.addLate(j.late)
			}
		}
		if j.run != nil {
			j.run.Setting, j.run.Run = out.Setting.Name(), max(number, 1)
			out.Measured = append(out.Measured, *j.run)
		}
		out.Invalid = append(out.Invalid, strings.Join(j.invalid, "; "))
		o.Invalid = analysis.AppendNew(o.Invalid, named(models, models[i], j.invalid))
	}
	o.Facts = analysis.AppendNew(o.Facts, jointly(models, jobs, func(j *job) []string { return j.facts }))
	o.Facts = analysis.AppendNew(o.Facts, late)
	o.Warnings = analysis.AppendNew(o.Warnings, jointly(models, jobs, func(j *job) []string { return j.warnings }))
	out.Trace = result
	return out, nil
}

// inherit returns what weakens the replayed trace, and so all that is made of it.
func inherit(tr *traces.Trace) []traces.Note {
	var notes []traces.Note
	warn := func(text string) {
		notes = append(notes, traces.Note{Stream: -1, Kind: traces.NoteWarning, Text: "of the replayed trace: " + text})
	}
	if tr.Loss != nil {
		warn("its end is missing")
	}
	for _, n := range tr.Notes {
		switch {
		case n.Kind == traces.NoteDropped && n.Text != "0":
			warn("its recorder dropped " + n.Text + " events")
		case n.Kind == traces.NoteWarning && strings.HasPrefix(n.Text, "of the replayed trace: "):
			notes = append(notes, traces.Note{Stream: -1, Kind: n.Kind, Text: n.Text})
		case n.Kind == traces.NoteWarning:
			warn(n.Text)
		}
	}
	return notes
}

// common is the setting that all jobs ran under; set, where they have not.
func common(set Setting, jobs []*job) Setting {
	for _, j := range jobs {
		if j.set != jobs[0].set {
			return set
		}
	}
	return jobs[0].set
}
