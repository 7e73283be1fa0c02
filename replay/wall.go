package replay

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/replay/driver"
	"github.com/blockreel/blockreel/traces/event"
)

// Of a run by the wall clock, the first tenth of the blocks, but no more than defaultWarmup
// of them, are its warm-up: the ledger's first files are made, and caches are cold.
const (
	defaultWarmup = 100
	warmupPart    = 10
)

// warmup is the number of blocks of m's stream that a measured run does not count.
func (s *Scenario) warmup(m *Model) int {
	switch {
	case s.Warmup > 0:
		return min(s.Warmup, m.Len()-1)
	case s.Warmup < 0:
		return 0
	}
	return min(defaultWarmup, m.Len()/warmupPart)
}

// wall runs the jobs side by side in real time.
func (s *Scenario) wall(ctx context.Context, jobs []*job, set Setting) error {
	streams := make([]driver.Stream, len(jobs))
	origin := event.Time(jobs[0].model.Blocks.Offered[0])
	for i, j := range jobs {
		streams[i] = j.stream()
		origin = min(origin, event.Time(j.model.Blocks.Offered[0]))
	}
	for _, j := range jobs {
		j.start = origin
	}
	run := func() error {
		w := driver.Wall{Speed: s.clockSpeed(), Origin: origin, PlainTimers: s.plainTimers}
		results, err := w.Run(ctx, streams...)
		if err != nil {
			return err
		}
		for i, r := range results {
			jobs[i].tellTime(r)
		}
		return nil
	}
	if set.virtualLedger() {
		for _, j := range jobs {
			j.keepStages()
		}
		return run()
	}
	// Open one ledger inside the other, so that each is closed and removed.
	for i, j := range jobs {
		inner := run
		run = func() error {
			return s.withLedger(ctx, j, set.Ledger, func(l *fed) error {
				streams[i].Ledger, streams[i].Prepare = l, l.Prepare
				return inner()
			})
		}
	}
	if err := run(); err != nil {
		return err
	}
	for _, j := range jobs {
		j.run = s.measured(j)
		j.run.Invalid = strings.Join(j.invalid, "; ")
	}
	return nil
}

// clockSpeed is the speed of the driver's clock. A real ledger takes the time that it
// takes: there the arrivals are faster, and the clock is not.
func (s *Scenario) clockSpeed() float64 {
	if s.RealLedgers() {
		return 1
	}
	return s.Speed
}

// alarm returns one that waits as the driver does.
func (s *Scenario) alarm() *driver.Alarm {
	if s.plainTimers {
		return driver.NewPlainAlarm()
	}
	return driver.NewAlarm()
}

// measured returns the figures of a job's run into a real ledger.
func (s *Scenario) measured(j *job) *analysis.LedgerRun {
	r := analysis.LedgerRunOf(j.out, s.warmup(j.model))
	r.Unpaced, r.Ledger = s.Unpaced, j.set.Ledger
	if s.hasPayloads(j.model) {
		r.Validators = analysis.Known(int64(s.validators()))
	}
	if j.cfg.Policy.Bounded() {
		r.Buffer = analysis.Known(int64(j.cfg.Policy.N))
	}
	r.Size, r.NotMeasured = j.size, j.noSize
	if p, ok := r.Payload.Get(); ok {
		r.Payload = analysis.Known(p + j.earlier)
	}
	return &r
}

// handOverShare is what the replayer may take to hand blocks over, as a share of the ledger's
// service. It is in no figure, but what a ledger does in the background goes on meanwhile.
const handOverShare = 0.25

// tellTime says how well a run kept its time. All of it is told as of when it was due, but for
// what a real ledger does: that counts from when it had its block.
func (j *job) tellTime(r driver.Result) {
	late := lateRun{label: j.set.Label(), stream: j.model.Stream.Name(), runs: 1}
	switch {
	case !j.set.virtualLedger():
		late.by = float64(r.HandOver) / max(float64(r.Service), 1)
		late.text = fmt.Sprintf("handing blocks to the ledger took %v each, %s of its service and no part of it",
			(r.HandOver / time.Duration(max(r.Committed, 1))).Round(time.Microsecond), analysis.FormatShare(late.by))
		if late.by > handOverShare {
			j.notValid("the replayer or its machine was the bottleneck: " + late.text)
		}
	case j.unpaced: // there is nothing to be late for
	default:
		late.by = float64(r.Lag.P99)
		late.text = fmt.Sprintf("the replayer was late by %v at p50, %v at p99, %v at most", round(r.Lag.P50), round(r.Lag.P99), round(r.Lag.Max))
		if r.Lag.Overloaded {
			j.warnings = append(j.warnings, late.label+": this machine was too slow to replay in real time: "+late.text+"; the figures are of when things were due")
		}
	}
	j.late = late
}

// notValid warns of something by which the figures of the run are not valid.
func (j *job) notValid(why string) {
	text := j.set.Label()
	if j.number > 0 {
		text += fmt.Sprintf(", run %d", j.number)
	}
	text += ": " + why
	j.warnings, j.invalid = append(j.warnings, text), append(j.invalid, text)
}

// A lateRun is how late a run was, or the worst of several of one setting.
type lateRun struct {
	label, stream, text string
	by                  float64
	runs                int
}

// addLate keeps the worst run of each setting and stream.
func (o *Outcome) addLate(r lateRun) {
	for i := range o.late {
		if l := &o.late[i]; l.label == r.label && l.stream == r.stream {
			if l.runs++; r.by > l.by {
				l.by, l.text = r.by, r.text
			}
			return
		}
	}
	o.late = append(o.late, r)
}

// tellLate says of repeated settings how late the worst run was.
func (o *Outcome) tellLate() {
	several := slices.ContainsFunc(o.late, func(l lateRun) bool { return l.stream != o.late[0].stream })
	for _, l := range o.late {
		text := fmt.Sprintf("%s, in the worst of %s: %s", l.label, analysis.FormatCounted(int64(l.runs), "run"), l.text)
		if several {
			text = l.stream + ": " + text
		}
		o.Facts = append(o.Facts, text)
	}
	o.late = nil
}
