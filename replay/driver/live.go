package driver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"
	"time"

	"github.com/blockreel/blockreel/replay/block"
	"github.com/blockreel/blockreel/replay/pipeline"
	"github.com/blockreel/blockreel/traces/event"
)

// A LiveStream is the peer's end of a stream whose blocks come over a real connection.
type LiveStream struct {
	// Index is the stream's number in the events that the Observer gets.
	Index int
	// Config is the peer's; its Link must be zero, since the connection is the link.
	Config pipeline.Config
	// Height is the height of the peer's ledger at the start, and so the number of
	// the block that its receiver and its committer wait for.
	Height event.Height
	// Start is the real time of instant 0 of the events. Zero: now.
	Start time.Time
	// Receiver reads the blocks.
	Receiver Receiver
	// Ledger takes the blocks. It is not nil.
	Ledger Ledger
	// Observer gets the peer's events: from Received to Committed and the parts of the
	// commit. Nil: nobody does.
	Observer Observer
}

// A Receiver reads a stream's blocks off its connection.
type Receiver interface {
	// Recv waits for the next block: the first has the number of LiveStream.Height. It is
	// called from one goroutine, and only when the pipeline's receiver has room: while the
	// door is shut nobody reads. io.EOF ends the run when all that came is committed.
	Recv(context.Context) (Received, error)
}

// Received is a block that has come.
type Received struct {
	block.Block
	// At is when it had been read whole.
	At time.Time
}

// Live drives the peer's end of a stream in real time until ctx is done, the Receiver
// has no more, or something fails. What happens is told at the time at which it does
// happen: a timer that rings late makes a late event. Result.Lag says how late.
//
// When ctx is done, what the ledger has in hand is finished as its own heeding of ctx
// allows, and the error is ctx's.
func Live(ctx context.Context, s LiveStream) (Result, error) {
	alarm := NewAlarm()
	defer alarm.Close()
	return runLive(ctx, s, alarm)
}

func runLive(ctx context.Context, s LiveStream, alarm *Alarm) (Result, error) {
	switch {
	case s.Receiver == nil || s.Ledger == nil:
		return Result{}, fmt.Errorf("stream %d: a live stream needs a receiver and a ledger", s.Index)
	case s.Config.Link != pipeline.Link{}:
		return Result{}, fmt.Errorf("stream %d: a live stream has a real link: leave Config.Link zero", s.Index)
	}
	m, err := pipeline.New(s.Config, s.Height)
	if err != nil {
		return Result{}, fmt.Errorf("stream %d: %w", s.Index, err)
	}
	if s.Start.IsZero() {
		s.Start = time.Now()
	}
	l := &live{
		LiveStream: s, machine: m, alarm: alarm, expected: event.BlockNum(s.Height), now: math.MinInt64, armed: never,
		clock: clock{start: s.Start, speed: 1},
		ask:   make(chan struct{}, 1), arrivals: make(chan arrived, 1),
		// A block has two stages of work, so that neither channel ever blocks its sender.
		jobs: make(chan *block.Block, 1), done: make(chan finished, 2),
	}
	err = l.run(ctx)
	l.result.Lag = l.late.lag(defaultMaxLag)
	return l.result, err
}

// live is a LiveStream under way: one goroutine keeps its time, one reads, one commits.
type live struct {
	LiveStream
	machine *pipeline.Machine
	alarm   *Alarm
	clock   clock
	late    lateness
	now     event.Time // of the machine
	armed   event.Time // what the alarm is set to
	result  Result

	// At most one Recv is asked for and not answered.
	ask      chan struct{}
	arrivals chan arrived
	asked    bool
	ended    bool // the receiver has no more
	expected event.BlockNum
	// held are the blocks that are received and not popped, in their order.
	held []block.Block

	// The committer works on current unless it is asleep.
	jobs     chan *block.Block
	done     chan finished
	work     work
	current  block.Block
	stopping bool
}

// arrived is what a Recv has brought.
type arrived struct {
	Received
	err error
}

func (l *live) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var hands sync.WaitGroup
	hands.Go(func() {
		for range l.ask {
			b, err := l.Receiver.Recv(ctx)
			l.arrivals <- arrived{b, err}
		}
	})
	hands.Go(func() {
		for b := range l.jobs {
			commit(ctx, l.Ledger, b, l.done)
		}
	})
	err := l.events(ctx)
	cancel()
	l.stopping = true
	close(l.ask)
	close(l.jobs)
	hands.Wait()
	for len(l.done) > 0 {
		if l.learn(<-l.done) != nil {
			break
		}
	}
	return err
}

// events does one thing after the other, as they come.
func (l *live) events(ctx context.Context) error {
	for {
		now := l.clock.at(time.Now())
		wake, timed := l.machine.Wake()
		if timed && wake <= now {
			l.late.add(time.Duration(now - wake))
			l.act(l.machine.Tick(l.at(now)))
			continue
		}
		if !l.asked && !l.ended && l.machine.Receives() {
			l.asked = true
			l.ask <- struct{}{}
		}
		if l.ended && !timed && l.work == asleep {
			return nil
		}
		if timed && wake != l.armed {
			l.armed = wake
			l.alarm.Set(l.clock.until(wake))
		}
		var err error
		select {
		case <-ctx.Done():
			return ctx.Err()
		case a := <-l.arrivals:
			err = l.receive(a)
		case f := <-l.done:
			err = l.learn(f)
		case <-l.alarm.C:
			l.armed = never
		}
		if err != nil {
			return err
		}
	}
}

// receive gives the machine a block that has come.
func (l *live) receive(a arrived) error {
	l.asked = false
	switch {
	case errors.Is(a.err, io.EOF):
		l.ended = true
		return nil
	case a.err != nil:
		return fmt.Errorf("stream %d: %w", l.Index, a.err)
	case a.Number != l.expected:
		return fmt.Errorf("stream %d: block %d came where %d should", l.Index, a.Number, l.expected)
	case a.Bytes < 0 || int64(a.Bytes) > pipeline.MaxBlockBytes:
		return fmt.Errorf("stream %d: block %d has %d bytes", l.Index, a.Number, a.Bytes)
	}
	l.expected++
	l.result.Offered++
	l.held = append(l.held, a.Block)
	l.act(l.machine.Offer(l.at(l.clock.at(a.At)), a.Number, int64(a.Bytes), 0))
	return nil
}

// learn takes note of a stage that the ledger has finished.
func (l *live) learn(f finished) error {
	if f.err != nil {
		return fmt.Errorf("stream %d: %w", l.Index, f.err)
	}
	at, n := int64(l.clock.at(f.at)), l.current.Number
	if l.work == validating {
		l.work = committing
		l.observe(event.Validated, n, at)
		return nil
	}
	l.work = asleep
	l.result.Committed++
	l.observe(event.Committed, n, at)
	for _, part := range stageEvents(&f.stages) {
		l.observe(part.kind, n, int64(part.took))
	}
	l.current = block.Block{}
	l.act(l.machine.Ready(l.at(l.clock.at(time.Now())), n))
	return nil
}

// at lets the time come to t, if it has not gone beyond it, and returns it.
func (l *live) at(t event.Time) event.Time {
	l.now = max(t, l.now)
	l.result.End = l.now
	return l.now
}

// act does what follows from what the machine says.
func (l *live) act(happens []pipeline.Output) {
	for _, o := range happens {
		if o.Kind == event.Sent {
			continue // the orderer knows better
		}
		l.observe(o.Kind, o.Block, int64(o.At))
		if o.Kind != event.Dequeued {
			continue
		}
		l.current, l.held[0] = l.held[0], block.Block{}
		l.held = l.held[1:]
		if l.stopping {
			continue // it stays popped and uncommitted
		}
		l.work = validating
		l.jobs <- &l.current
	}
}

func (l *live) observe(k event.Kind, n event.BlockNum, value int64) {
	if l.Observer != nil {
		l.Observer.Observe(event.Event{Stream: l.Index, Kind: k, Block: n, Value: value})
	}
}
