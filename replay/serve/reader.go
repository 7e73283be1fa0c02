package serve

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/blockreel/blockreel/internal/fabric/deliver"
	commonpb "github.com/blockreel/blockreel/internal/fabric/proto/common"
	"github.com/blockreel/blockreel/replay/driver"
)

// never is a moment that does not come.
const never = time.Duration(math.MaxInt64)

// clock is the time since the first block is offered. It stands at zero until it starts.
type clock struct {
	// precise lets it wait by the kernel's timers, which synctest does not know.
	precise bool
	once    sync.Once
	started chan struct{}
	start   time.Time // set before started is closed
}

func newClock() *clock { return &clock{started: make(chan struct{})} }

// begin starts the clock, if it stands still.
func (c *clock) begin() {
	c.once.Do(func() {
		c.start = time.Now()
		close(c.started)
	})
}

func (c *clock) running() bool {
	select {
	case <-c.started:
		return true
	default:
		return false
	}
}

func (c *clock) now() time.Duration {
	if !c.running() {
		return 0
	}
	return time.Since(c.start)
}

// wait waits until a moment, which may be never, or until ctx ends. It may return a little
// early: look at the clock.
func (c *clock) wait(ctx context.Context, until time.Duration) error {
	var due <-chan time.Time
	switch {
	case until == never:
	case c.precise:
		alarm := driver.NewAlarm()
		defer alarm.Close()
		alarm.Set(until - c.now())
		due = alarm.C
	default:
		timer := time.NewTimer(until - c.now())
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-due:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// reader is a channel as one request sees it: a deliver.Ledger that grows with time.
type reader struct {
	*channel
	spool *spool
	clock *clock
	// begin starts the clock.
	begin  func()
	faults faults
	// cuts that had passed when the request came.
	cuts int
	// stopped is closed when serving ends. Nil: it does not.
	stopped <-chan struct{}
}

func (r *reader) Oldest() uint64 { return r.first() }

func (r *reader) Height() uint64 { return r.height(r.clock.now()) }

// Block waits for the block's moment. Behind the last block nothing comes any more, and
// the reader waits as it would for an idle orderer. A clock that is held starts when a
// block of the recording is asked for: a reader gets what lies before it first.
func (r *reader) Block(ctx context.Context, number uint64) ([]byte, error) {
	i := number - r.first()
	if number < r.first() {
		return nil, &deliver.StatusError{
			Status: commonpb.Status_NOT_FOUND, Channel: r.name,
			Reason: fmt.Sprintf("the trace begins with block %d", r.first()),
		}
	}
	select {
	case <-r.stopped: // while the reader waited: it is not what starts the clock
		return nil, context.Canceled
	default:
	}
	due := never
	if i < uint64(len(r.due)) {
		due = r.due[i]
	}
	if i >= uint64(r.early) {
		r.begin()
	}
	if err := r.wait(ctx, due); err != nil {
		return nil, err
	}
	return r.spool.read(r.places[i])
}

// wait waits until the moment that a block is due, or until the end of a stall around it.
func (r *reader) wait(ctx context.Context, due time.Duration) error {
	if !r.clock.running() {
		return nil // an early block
	}
	for {
		now := r.clock.now()
		if r.faults.passed(now) > r.cuts {
			return deliver.ErrDisconnect
		}
		at := r.faults.free(max(now, due))
		if at <= now {
			return nil
		}
		if r.cuts < len(r.faults.cuts) {
			at = min(at, r.faults.cuts[r.cuts])
		}
		if err := r.clock.wait(ctx, at); err != nil {
			return err
		}
	}
}
