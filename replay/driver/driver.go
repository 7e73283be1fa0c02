package driver

import (
	"context"
	"time"

	"github.com/blockreel/blockreel/replay/block"
	"github.com/blockreel/blockreel/replay/pipeline"
	"github.com/blockreel/blockreel/traces/event"
)

// A Stream is one channel's blocks on their way from one orderer to one peer.
type Stream struct {
	// Index is the stream's number in the events that the Observer gets.
	Index int
	// Config is the pipeline's.
	Config pipeline.Config
	// Height is the height of the peer's ledger at the start, and so the number of
	// the block that its committer waits for.
	Height event.Height
	// Source has the blocks that the orderer offers.
	Source Source
	// Services are the committer's times without a Ledger. Nil: it takes no time.
	Services Services
	// Ledger takes the blocks. Nil: Services are waited out.
	Ledger Ledger
	// Prepare completes a block for the Ledger, from the number on, while the clock of the
	// run stands still. An error ends the run. Nil: the Ledger needs no more than the number.
	Prepare func(context.Context, *block.Block) error
	// Observer gets every event. Nil: nobody does.
	Observer Observer
}

// A Source gives the blocks of a stream in the order of their numbers.
type Source interface {
	// Next returns the next block, the first time that of Stream.Height. It is called when
	// the orderer's sender is free for it. False: there are no more.
	Next() (Arrival, bool)
}

// An Arrival is a block as the orderer offers it.
type Arrival struct {
	// Bytes is the size of the block.
	Bytes int64
	// Offered is when the block is in the orderer's ledger. A block is not offered
	// before the one before it: where times fall, their running maximum counts.
	Offered event.Time
	// Transit is time under way on top of the link's latency.
	Transit time.Duration
}

// Services are what the committer takes for blocks.
type Services interface {
	// Service is asked for once a block, in the order of the numbers.
	Service(event.BlockNum) Service
}

// Service is what the committer takes for a block.
type Service struct {
	// Validate is the time from the pop to validated.
	Validate time.Duration
	// Commit is the time from validated to committed.
	Commit time.Duration
	// Turnaround is the time from committed until ready for the next block.
	Turnaround time.Duration
}

// A Ledger is the peer's ledger of one stream. The methods are called in turn, block
// by block in order, from one goroutine that is the stream's own; their duration is
// the service time. An error ends the run.
type Ledger interface {
	Validate(context.Context, *block.Block) error
	// Commit makes the block durable and tells how long its parts took.
	Commit(context.Context, *block.Block) (block.Stages, error)
}

// An Observer gets a stream's events in the order in which they happen, but for Offered, which
// comes when the orderer's sender takes the block. Observe must not block: it is called from the
// goroutine that keeps the stream's time, for several streams at once.
type Observer interface {
	Observe(event.Event)
}

// Result is what a driver can say of a stream at the end.
type Result struct {
	// Offered, Committed: the blocks that the orderer's sender has taken, and that the peer has
	// committed.
	Offered, Committed int
	// End is the instant of the last event.
	End event.Time
	// Lag tells how late the run was.
	Lag Lag
	// Service is the time from the pops to the ends of the Ledger's commits in a wall run.
	// HandOver is what the driver and Stream.Prepare took from the instants at which pops were
	// due until the Ledger did begin: the run's clock stood still for so long, and it is in no
	// figure. Both are time of the trace, and zero without a Ledger.
	Service, HandOver time.Duration
}
