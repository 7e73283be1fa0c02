package network

import (
	"context"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/blockreel/blockreel/internal/fabric/mint"
	"github.com/blockreel/blockreel/traces/event"
)

// A minter makes a channel's blocks ahead of their time, as far as Config.Ahead… allow.
type minter struct {
	chain   *chain
	builder *mint.Builder
	shape   func() mint.Shape // of the next block
	offers  iter.Seq[event.Time]
	// coming are the blocks that are in the chain's file and not offered; room are the
	// bytes that they may take.
	coming chan minted
	room   *semaphore.Weighted
	most   int64
	// ready is closed when the minter is far enough ahead for the run to begin; started
	// is when it did.
	ready   chan struct{}
	isReady sync.Once
	started atomic.Pointer[time.Time]
	// err is how it ended; read it when coming is closed.
	err error
}

// minted is a block that waits for its time.
type minted struct {
	due                  event.Time
	transactions, writes int64
	bytes, taken         int64
}

// lead is how much of the load must be ready before it begins, unless minting is slower
// than half the load's pace: then as much as Config.Ahead… allow. With more than twice
// the lead, a run under way is disturbed less: three quarters of the time are pauses.
const (
	lead   = event.Time(time.Second)
	pauses = 3
)

func newMinter(c *Config, chain *chain, builder *mint.Builder, channel int) *minter {
	return &minter{
		chain: chain, builder: builder, offers: c.Offers(channel),
		shape:  c.draw(c.Seed, channel),
		coming: make(chan minted, c.AheadBlocks), room: semaphore.NewWeighted(int64(c.AheadBytes)), most: int64(c.AheadBytes),
		ready: make(chan struct{}),
	}
}

// run makes blocks until the load is over, ctx is done or the disk fails.
func (m *minter) run(ctx context.Context) {
	defer close(m.coming)
	defer m.begin()
	began := time.Now()
	for due := range m.offers {
		if m.err = ctx.Err(); m.err != nil {
			return
		}
		one := time.Now()
		shape := m.shape()
		raw, err := m.builder.Next(shape)
		if err == nil {
			err = m.chain.append(raw)
		}
		took := time.Since(one)
		if err == nil {
			bytes := int64(len(raw))
			err = m.queue(ctx, minted{due, int64(shape.Transactions), int64(shape.Writes), bytes, min(bytes, m.most)})
		}
		if start := m.started.Load(); err == nil && start != nil && due > 2*lead+event.Time(time.Since(*start)) {
			err = pause(ctx, pauses*took)
		}
		if err != nil {
			m.err = err
			return
		}
		if due > lead && event.Time(time.Since(began)) < due/2 {
			m.begin()
		}
	}
}

// queue waits for room for a block.
func (m *minter) queue(ctx context.Context, b minted) error {
	if !m.room.TryAcquire(b.taken) {
		m.begin()
		if err := m.room.Acquire(ctx, b.taken); err != nil {
			return err
		}
	}
	select {
	case m.coming <- b:
		return nil
	default:
		m.begin()
	}
	select {
	case m.coming <- b:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (m *minter) begin() { m.isReady.Do(func() { close(m.ready) }) }
