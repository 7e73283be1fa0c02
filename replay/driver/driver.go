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
	// Ledger takes the blocks in a wall run. Nil: the services of the Source's blocks
	// are waited out. A virtual run has none.
	Ledger Ledger
	// Observer gets every event. Nil: nobody does.
	Observer Observer
}

// A Source has the blocks of a stream in the order in which they are offered. The driver
// keeps none of them: it asks for a block again when it is sent and when it is popped.
type Source interface {
	// Len is the number of blocks.
	Len() int
	// At returns the block at place i, always the same.
	At(i int) Arrival
}

// An Arrival is a block and when the orderer offers it.
type Arrival struct {
	block.Block
	// Offered is when the block is in the orderer's ledger. A block is not offered
	// before the one before it: where times fall, their running maximum counts.
	Offered event.Time
	// Transit is time under way on top of the link's latency.
	Transit time.Duration
	// Service is what the committer takes when there is no Ledger to measure it.
	Service Service
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

// An Observer gets a stream's events in the order in which they happen. Observe must
// not block: in a wall or live run it is called from the goroutine that keeps the stream's
// time, for several streams at once.
type Observer interface {
	Observe(event.Event)
}

// Result is what a driver can say of a stream at the end.
type Result struct {
	// Offered, Committed: the blocks offered by the orderer and committed by the peer.
	// Ignored: those that came twice or too late. A committer that lacks a block for ever
	// leaves blocks uncommitted.
	Offered, Committed, Ignored int
	// End is the instant of the last event.
	End event.Time
	// Lag tells how late a wall run was; zero for a virtual one.
	Lag Lag
	// Service is the time from the pops to the ends of the Ledger's commits in a wall run.
	// HandOver is what the driver took from the instants at which pops were due until the
	// Ledger did begin: the run's clock stood still for so long, and it is in no figure.
	// Both are time of the trace, and zero without a Ledger.
	Service, HandOver time.Duration
}
