package driver

import (
	"context"
	"errors"
	"math"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/blockreel/blockreel/replay/block"
	"github.com/blockreel/blockreel/replay/pipeline"
	"github.com/blockreel/blockreel/traces/event"
)

// The wall run that waits out recorded services is what the recurrence says, to the
// nanosecond, at any speed and from any origin.
func TestWallEqualsSolver(t *testing.T) {
	for seed := range uint64(100) {
		cfg, b := randomRun(seed, 100)
		want := solved(t, cfg, b)
		wall := Wall{PlainTimers: true, Speed: []float64{0, 1, 8, 0.5}[seed%4], Origin: event.Time(b.Offered[seed%3*10])}
		synctest.Test(t, func(t *testing.T) {
			got, start := &journal{}, time.Now()
			s := stream(cfg, first, b)
			s.Observer = got
			results, err := wall.Run(t.Context(), s)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got.columns(0, first, b.Len()), want) {
				t.Fatalf("seed %d: the wall run differs from the recurrence", seed)
			}
			if got := got.column(0, event.Offered, first, b.Len()); !reflect.DeepEqual(got, b.Offered) {
				t.Fatalf("seed %d: the offers differ from the source", seed)
			}
			speed := wall.Speed
			if speed == 0 {
				speed = 1
			}
			r, last := results[0], b.Len()-1
			took := float64(time.Since(start)) * speed
			if want := float64(r.End - wall.Origin); math.Abs(took-want) > 10 {
				t.Errorf("seed %d: the run took %v of the trace's time, want %v", seed, took, want)
			}
			if end := event.Time(want.committed[last] + b.turnaround[last]); r.End != end || r.Committed != b.Len() || r.Offered != b.Len() {
				t.Errorf("seed %d: result is %+v, want %d blocks until %d", seed, r, b.Len(), end)
			}
		})
	}
}

// sleeper is a ledger that takes its time, block by block.
type sleeper struct {
	validate, commit time.Duration
	blocks           []event.BlockNum
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *sleeper) Validate(ctx context.Context, b *block.Block) error { return sleep(ctx, s.validate) }

func (s *sleeper) Commit(ctx context.Context, b *block.Block) (block.Stages, error) {
	s.blocks = append(s.blocks, b.Number)
	return block.Stages{BlockStore: s.commit}, sleep(ctx, s.commit)
}

// With a ledger the services are what it takes, and nothing else changes. The ledger's
// times are odd, so that none of its ends falls on the instant of a timer: which of two
// goroutines goes first at one instant is nobody's to say.
func TestWallMeasuresLedger(t *testing.T) {
	const validate, commit = 3_000_001, 4_100_003
	for seed := range uint64(40) {
		cfg, b := randomRun(seed, 100)
		for i := range b.Offered {
			b.validate[i], b.commit[i], b.turnaround[i] = validate, commit, 0
		}
		want := solved(t, cfg, b)
		synctest.Test(t, func(t *testing.T) {
			got, ledger := &journal{}, &sleeper{validate: validate, commit: commit}
			wall := Wall{PlainTimers: true, Origin: event.Time(b.Offered[0])}
			s := stream(cfg, first, b)
			s.Observer, s.Ledger = got, ledger
			_, err := wall.Run(t.Context(), s)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got.columns(0, first, b.Len()), want) {
				t.Fatalf("seed %d: the run with a ledger differs from the recurrence", seed)
			}
			if len(ledger.blocks) != b.Len() || ledger.blocks[0] != first {
				t.Errorf("seed %d: the ledger got %d blocks from %d on", seed, len(ledger.blocks), ledger.blocks[0])
			}
			for _, v := range got.column(0, event.BlockStore, first, b.Len()) {
				if v != commit {
					t.Fatalf("seed %d: a commit's block store took %d ns, want %d", seed, v, commit)
				}
			}
			for _, v := range got.column(0, event.HistoryCommit, first, b.Len()) {
				if v != event.Missing {
					t.Fatalf("seed %d: a history commit took %d ns, and the ledger has none", seed, v)
				}
			}
		})
	}
}

// stalled is a ledger that never finishes its first block.
type stalled struct{}

func (stalled) Validate(ctx context.Context, _ *block.Block) error {
	<-ctx.Done()
	return ctx.Err()
}

func (stalled) Commit(context.Context, *block.Block) (block.Stages, error) {
	return block.Stages{}, errors.New("commit of a block that is not validated")
}

// Two organizations' peers on two channels: a committer that stands still on one
// stream changes nothing on the other three, and its own buffer fills to its rule.
func TestStreamsAreIsolated(t *testing.T) {
	const stuck, blocks = 2, 300
	cfg, _ := pipeline.Preset(pipeline.Fabric14)
	streams := func(j *journal, ledger Ledger) []Stream {
		all := make([]Stream, 4)
		for i := range all {
			_, b := randomRun(uint64(i), blocks)
			all[i] = stream(cfg, first, b)
			all[i].Index, all[i].Observer = i, j
		}
		all[stuck].Ledger = ledger
		return all
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		got := &journal{}
		results, err := Wall{PlainTimers: true}.Run(ctx, streams(got, stalled{})...)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("error %v, want %v", err, context.DeadlineExceeded)
		}
		for i := range 4 {
			if i == stuck {
				continue
			}
			_, b := randomRun(uint64(i), blocks)
			if !reflect.DeepEqual(got.columns(i, first, blocks), solved(t, cfg, b)) {
				t.Errorf("stream %d is not what it is alone", i)
			}
			if results[i].Committed != blocks {
				t.Errorf("stream %d: %+v, want %d blocks committed", i, results[i], blocks)
			}
		}
		admitted, atDoor := 0, 0
		for n := range blocks {
			if got.column(stuck, event.Enqueued, first, blocks)[n] != event.Missing {
				admitted++
			}
			if got.column(stuck, event.AtDoor, first, blocks)[n] != event.Missing {
				atDoor++
			}
		}
		if admitted != 202 || atDoor != 203 || results[stuck].Committed != 0 {
			t.Errorf("the stalled stream admitted %d and had %d at the door, want 202 and a 203rd; %+v", admitted, atDoor, results[stuck])
		}
	})
}

// Cancelled in the middle of a commit, a run ends with what has happened, the commit
// that the ledger finished included.
func TestWallEndsCleanly(t *testing.T) {
	cfg, _ := pipeline.Preset(pipeline.Fabric2x)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(50*time.Millisecond, cancel)
		j := &journal{}
		results, err := Wall{PlainTimers: true}.Run(ctx, Stream{Config: cfg, Source: &list{arrivals: []Arrival{{}}}, Observer: j, Ledger: deaf{}})
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("error %v, want %v", err, context.Canceled)
		}
		want := int64(cfg.Intake.Fixed + cfg.Wake + deafCommit)
		if got := j.column(0, event.Committed, 0, 1)[0]; got != want || results[0].Committed != 1 {
			t.Errorf("the block is committed at %v, want %v; %+v", got, want, results[0])
		}
	})
}

// Cancelled at any moment, with blocks waiting in the buffer, a run ends in order: what
// it tells is what a run that goes on would have told so far.
func TestWallEndsCleanlyAtAnyMoment(t *testing.T) {
	cfg, b := randomRun(11, 40)
	for i := range b.Offered {
		b.Offered[i] = 0 // all at once, so that the buffer is full
	}
	run := func(t *testing.T, after time.Duration) ([]event.Event, Result, error) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		if after > 0 {
			time.AfterFunc(after, cancel)
		}
		var j journal
		s := stream(cfg, 0, b)
		s.Observer, s.Ledger = &j, sluggish{}
		results, err := Wall{PlainTimers: true}.Run(ctx, s)
		return j.events, results[0], err
	}
	var whole []event.Event
	synctest.Test(t, func(t *testing.T) { whole, _, _ = run(t, 0) })
	for after := time.Millisecond / 2; after < 40*2*sluggishStage; after += 7 * time.Millisecond / 2 {
		synctest.Test(t, func(t *testing.T) {
			events, result, err := run(t, after)
			if err == nil {
				return // it was over by then
			}
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("cancelled after %v: %v", after, err)
			}
			commits := 0
			for i, e := range events {
				if e.Kind == event.Committed {
					commits++
				}
				if e.Kind == event.Committed && !slices.Contains(whole, e) {
					t.Fatalf("cancelled after %v: event %d is %+v, which the whole run does not have", after, i, e)
				}
			}
			if commits != result.Committed {
				t.Errorf("cancelled after %v: %d commits told, %d counted", after, commits, result.Committed)
			}
		})
	}
}

const sluggishStage = 5 * time.Millisecond

// sluggish is a ledger that does not heed its context and takes as long for each stage.
type sluggish struct{}

func (sluggish) Validate(context.Context, *block.Block) error {
	<-time.After(sluggishStage)
	return nil
}

func (sluggish) Commit(context.Context, *block.Block) (block.Stages, error) {
	<-time.After(sluggishStage)
	return block.Stages{}, nil
}

const deafCommit = 80 * time.Millisecond

// deaf is a ledger whose commit does not heed its context.
type deaf struct{}

func (deaf) Validate(context.Context, *block.Block) error { return nil }

func (deaf) Commit(context.Context, *block.Block) (block.Stages, error) {
	<-time.After(deafCommit)
	return block.Stages{}, nil
}

// broken is a ledger whose third block does not commit.
type broken struct{ sleeper }

var errDisk = errors.New("no space left")

func (l *broken) Commit(ctx context.Context, b *block.Block) (block.Stages, error) {
	if b.Number == 2 {
		return block.Stages{}, errDisk
	}
	return l.sleeper.Commit(ctx, b)
}

func TestLedgerErrorEndsTheRun(t *testing.T) {
	cfg, b := randomRun(3, 50)
	into := func(l Ledger) Stream {
		s := stream(cfg, 0, b)
		s.Ledger = l
		return s
	}
	synctest.Test(t, func(t *testing.T) {
		results, err := Wall{PlainTimers: true, Origin: event.Time(b.Offered[0])}.Run(t.Context(),
			into(&broken{}), into(stalled{}))
		if !errors.Is(err, errDisk) {
			t.Errorf("error %v, want %v", err, errDisk)
		}
		if results[0].Committed != 2 {
			t.Errorf("%d blocks committed, want 2", results[0].Committed)
		}
	})
}

// hog is an Observer that takes the time-keeper's time.
type hog struct{}

func (hog) Observe(e event.Event) {
	if e.Kind == event.Received {
		<-time.After(30 * time.Millisecond)
	}
}

// A run by the machine's best timers is one by Go's.
func TestBestTimers(t *testing.T) {
	cfg, b := randomRun(5, 50)
	got, s := &journal{}, stream(cfg, first, b)
	s.Observer = got
	wall := Wall{Speed: 20, Origin: event.Time(b.Offered[0])}
	results, err := wall.Run(t.Context(), s)
	if err != nil || !reflect.DeepEqual(got.columns(0, first, b.Len()), solved(t, cfg, b)) {
		t.Errorf("the wall run differs from the recurrence: %v", err)
	}
	if results[0].Lag.Events == 0 {
		t.Error("nothing was timed")
	}
}

// A run that cannot keep its own time says so.
func TestLagIsReported(t *testing.T) {
	cfg, _ := pipeline.Preset(pipeline.Fabric2x)
	_, b := randomRun(5, 50)
	synctest.Test(t, func(t *testing.T) {
		for _, tc := range []struct {
			observer   Observer
			overloaded bool
		}{{nil, false}, {hog{}, true}} {
			s := stream(cfg, 0, b)
			s.Observer = tc.observer
			results, err := Wall{PlainTimers: true, Origin: event.Time(b.Offered[0])}.Run(t.Context(), s)
			if err != nil {
				t.Fatal(err)
			}
			lag := results[0].Lag
			if lag.Overloaded != tc.overloaded || (lag.Max > 0) != tc.overloaded || lag.Events == 0 {
				t.Errorf("lag is %+v, want overloaded to be %v", lag, tc.overloaded)
			}
		}
	})
}

// punctual is a ledger that keeps when it began with each block.
type punctual struct {
	sleeper
	began []time.Time
}

func (l *punctual) Validate(ctx context.Context, b *block.Block) error {
	l.began = append(l.began, time.Now())
	return l.sleeper.Validate(ctx, b)
}

// What passes from the instant of a pop until the ledger has the block is told, and is in no
// time of the run.
func TestHandOver(t *testing.T) {
	const validate, commit = 3_000_001, 4_100_003
	cfg, b := randomRun(5, 50)
	for _, slow := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			start, j := time.Now(), &journal{}
			l := &punctual{sleeper: sleeper{validate: validate, commit: commit}}
			wall := Wall{PlainTimers: true, Origin: event.Time(b.Offered[0])}
			s := stream(cfg, first, b)
			s.Observer, s.Ledger = j, l
			if slow {
				s.Observer = both{j, hog{}}
			}
			results, err := wall.Run(t.Context(), s)
			if err != nil {
				t.Fatal(err)
			}
			popped, done := j.column(0, event.Dequeued, first, b.Len()), j.column(0, event.Committed, first, b.Len())
			for i := range popped {
				if got := done[i] - popped[i]; got != validate+commit {
					t.Fatalf("block %d took %d ns, and the ledger took %d", i, got, validate+commit)
				}
			}
			last := b.Len() - 1
			handOver := l.began[last].Sub(start) - time.Duration(popped[last]-b.Offered[0])
			r := results[0]
			if r.HandOver != handOver || (handOver > 0) != slow {
				t.Errorf("hand-over %v, want %v", r.HandOver, handOver)
			}
			if want := time.Duration(b.Len()) * (validate + commit); r.Service != want {
				t.Errorf("service %v, want %v", r.Service, want)
			}
		})
	}
}

// both is two Observers.
type both [2]Observer

func (o both) Observe(e event.Event) {
	o[0].Observe(e)
	o[1].Observe(e)
}

func TestLatenessQuantiles(t *testing.T) {
	var l lateness
	for i := range 1000 {
		l.add(time.Duration(i+1) * time.Microsecond)
	}
	lag := l.lag(time.Millisecond)
	for _, q := range []struct {
		got, exact time.Duration
	}{{lag.P50, 500 * time.Microsecond}, {lag.P99, 990 * time.Microsecond}} {
		if q.got < q.exact || q.got > q.exact*9/8 {
			t.Errorf("quantile is %v, want %v or up to an eighth more", q.got, q.exact)
		}
	}
	if lag.Max != time.Millisecond || lag.Events != 1000 || lag.Overloaded {
		t.Errorf("lag is %+v", lag)
	}
	for _, v := range []uint64{0, 1, 15, 16, 17, 31, 32, 1000, 1 << 40, math.MaxInt64} {
		b := bucket(v)
		if v > top(b) || b > 0 && v <= top(b-1) {
			t.Errorf("%d is in bucket %d, which ends at %d", v, b, top(b))
		}
	}
}

func TestWallRefuses(t *testing.T) {
	for _, w := range []Wall{{Speed: -1}, {Speed: math.NaN()}, {Speed: math.Inf(1)}, {MaxLag: -1}, {Origin: event.Missing}} {
		if _, err := w.Run(t.Context()); err == nil {
			t.Errorf("%+v was taken", w)
		}
	}
}
