package driver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/blockreel/blockreel/replay/block"
	"github.com/blockreel/blockreel/traces/event"
)

// Wall runs streams in real time.
type Wall struct {
	// Speed is how many seconds of the trace pass in a second. 0 means 1. Everything
	// goes faster but a real ledger, which so seems slower by this factor.
	Speed float64
	// Origin is the instant of the trace at which the run begins; what is offered
	// earlier is offered at once. 0: the trace's start.
	Origin event.Time
	// MaxLag is the P99 of lag, in time of the trace, above which a run is marked
	// Overloaded. 0 means 10 ms, a tenth of the time between two looks at the door.
	MaxLag time.Duration
	// PlainTimers waits by Go's timers alone, which package synctest knows and which are
	// up to a millisecond late.
	PlainTimers bool
}

const defaultMaxLag = 10 * time.Millisecond

func (w Wall) validate() error {
	switch {
	case !(w.Speed >= 0 && w.Speed <= 1e6):
		return fmt.Errorf("speed is %v: choose up to 1e6 times real time", w.Speed)
	case w.MaxLag < 0:
		return fmt.Errorf("largest lag is %v: it must not be negative", w.MaxLag)
	case w.Origin < -horizon || w.Origin > horizon:
		return errors.New("origin is out of range")
	}
	return nil
}

// Run runs streams side by side, one result each, until nothing more can happen on any
// of them, ctx is done, or one fails; in the latter two cases what a ledger has in hand
// is finished as its own heeding of ctx allows, the results tell how far the run came,
// and the error is ctx's or the first failure.
func (w Wall) Run(ctx context.Context, streams ...Stream) ([]Result, error) {
	if err := w.validate(); err != nil {
		return nil, fmt.Errorf("wall: %w", err)
	}
	if w.MaxLag == 0 {
		w.MaxLag = defaultMaxLag
	}
	runs := make([]*run, len(streams))
	for i, s := range streams {
		r, err := newRun(s)
		if err != nil {
			return nil, err
		}
		runs[i] = r
	}
	results := make([]Result, len(streams))
	group, ctx := errgroup.WithContext(ctx)
	clock := newClock(w.Speed, w.Origin)
	for i, r := range runs {
		group.Go(func() error {
			p := pacer{run: r, clock: clock, alarm: w.alarm()}
			defer p.alarm.Close()
			err := p.pace(ctx)
			results[i] = r.result
			results[i].Lag = p.late.lag(w.MaxLag)
			return err
		})
	}
	return results, group.Wait()
}

func (w Wall) alarm() *Alarm {
	if w.PlainTimers {
		return NewPlainAlarm()
	}
	return NewAlarm()
}

// clock maps real time to time of the trace.
type clock struct {
	start  time.Time
	origin event.Time
	speed  float64
}

func newClock(speed float64, origin event.Time) clock {
	if speed == 0 {
		speed = 1
	}
	return clock{start: time.Now(), origin: origin, speed: speed}
}

// at returns the instant of the trace at real time t.
func (c clock) at(t time.Time) event.Time {
	passed := t.Sub(c.start)
	if c.speed != 1 {
		passed = time.Duration(float64(passed) * c.speed)
	}
	return c.origin + event.Time(passed)
}

// stopped is the clock as if it had stood still for so long.
func (c clock) stopped(d time.Duration) clock {
	c.origin -= event.Time(d)
	return c
}

// until returns the real time that is left until instant t of the trace.
func (c clock) until(t event.Time) time.Duration {
	left := time.Duration(t - c.origin)
	if c.speed != 1 {
		left = time.Duration(float64(left) / c.speed)
	}
	return left - time.Since(c.start)
}

// pacer does a run's events when their time has come.
type pacer struct {
	*run
	clock clock
	late  lateness
	alarm *Alarm
	// popped is when the block that the ledger has was popped.
	popped event.Time
}

// finished is the end of a stage of work by the ledger.
type finished struct {
	begun  time.Time // of validation
	at     time.Time
	stages block.Stages
	err    error
}

func (p *pacer) pace(ctx context.Context) error {
	if p.Ledger == nil {
		return p.events(ctx, nil)
	}
	// A block has two stages of work, so that neither channel ever blocks its sender.
	work, done := make(chan *block.Block, 1), make(chan finished, 2)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for b := range work {
			commit(ctx, p.Ledger, b, done)
		}
	}()
	p.start = func(b *block.Block) error {
		p.popped = p.now
		if p.Prepare != nil {
			if err := p.Prepare(ctx, b); err != nil {
				return fmt.Errorf("stream %d: %w", p.Index, err)
			}
			p.stop(p.clock.at(time.Now()))
		}
		work <- b
		return nil
	}
	err := p.events(ctx, done)
	close(work)
	<-stopped
	p.settle(done)
	return err
}

// settle lets happen what the ledger has done before it stopped. It takes no more
// blocks: one that is popped now stays popped and uncommitted.
func (p *pacer) settle(done <-chan finished) {
	p.start = func(*block.Block) error { return nil }
	for {
		if p.work != asleep && p.until != never {
			p.now = max(p.now, p.until)
			if p.complete() != nil {
				return
			}
			continue
		}
		if len(done) == 0 || p.learn(<-done) != nil {
			return
		}
	}
}

// commit takes one block through the ledger.
func commit(ctx context.Context, l Ledger, b *block.Block, done chan<- finished) {
	begun := time.Now()
	if err := l.Validate(ctx, b); err != nil {
		done <- finished{err: fmt.Errorf("validate block %d: %w", b.Number, err)}
		return
	}
	done <- finished{begun: begun, at: time.Now()}
	stages, err := l.Commit(ctx, b)
	if err != nil {
		done <- finished{err: fmt.Errorf("commit block %d: %w", b.Number, err)}
		return
	}
	done <- finished{at: time.Now(), stages: stages}
}

// learn sets the end of the committer's work, now that the ledger knows it.
func (p *pacer) learn(f finished) error {
	if f.err != nil {
		return fmt.Errorf("stream %d: %w", p.Index, f.err)
	}
	if p.work == validating { // what passed before it began is no part of the run
		p.stop(p.clock.at(f.begun))
	}
	at := p.clock.at(f.at)
	if p.work == committing {
		p.result.Service += time.Duration(at - p.popped)
	}
	p.until = max(p.now, at)
	p.stages = f.stages
	return nil
}

// stop sets the clock back from now to the last pop, as if it had stood still since.
func (p *pacer) stop(now event.Time) {
	handOver := max(time.Duration(now-p.popped), 0)
	p.clock = p.clock.stopped(handOver)
	p.result.HandOver += handOver
}

// events does one event after the other. Done tells the ends of the ledger's work; it
// is nil when there is no ledger.
func (p *pacer) events(ctx context.Context, done <-chan finished) error {
	for {
		t, w, err := p.next()
		if err != nil {
			return err
		}
		learns := done
		if p.work == asleep || p.until != never {
			learns = nil
		}
		if t == never && learns == nil {
			return nil
		}
		f, learned, err := p.wait(ctx, t, learns)
		switch {
		case err != nil:
			return err
		case learned:
			if err := p.learn(f); err != nil {
				return err
			}
			continue
		}
		p.late.add(time.Duration(p.clock.at(time.Now()) - t))
		if err := p.do(t, w); err != nil {
			return err
		}
	}
}

// wait waits until instant t, or until the ledger tells something or ctx is done.
func (p *pacer) wait(ctx context.Context, t event.Time, learns <-chan finished) (f finished, learned bool, err error) {
	for {
		left := time.Duration(1)
		if t != never {
			left = p.clock.until(t)
		}
		if left <= 0 {
			select {
			case <-ctx.Done():
				return f, false, ctx.Err()
			case f = <-learns:
				return f, true, nil
			default:
				return f, false, nil
			}
		}
		if t != never {
			p.alarm.Set(left)
		}
		select {
		case <-ctx.Done():
			return f, false, ctx.Err()
		case f = <-learns:
			return f, true, nil
		case <-p.alarm.C: // perhaps of an earlier deadline
		}
	}
}
