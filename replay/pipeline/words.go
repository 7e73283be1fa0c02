package pipeline

import (
	"fmt"
	"time"

	"github.com/blockreel/blockreel/traces/event"
)

// InputKind says what a driver tells a Machine.
type InputKind uint8

const (
	// Tick: the time has come that Wake spoke of.
	Tick InputKind = iota
	// Offer hands the orderer's next block to its sender, who must want it
	// (Machine.Wants). Blocks that were offered earlier stay in the orderer's ledger.
	Offer
	// Committed: the block that the committer has popped is in the ledger.
	Committed
	// Ready: the committer is back for the next block; the one that it had is
	// committed, now if not told before.
	Ready
)

func (k InputKind) String() string {
	switch k {
	case Tick:
		return "tick"
	case Offer:
		return "offer"
	case Committed:
		return "committed"
	case Ready:
		return "ready"
	}
	return fmt.Sprintf("input(%d)", uint8(k))
}

// Input is one thing that a driver tells a Machine.
type Input struct {
	Kind InputKind
	// At is when it happens; never before an earlier input of the same Machine.
	At event.Time
	// Block is the block in question; not used by Tick.
	Block event.BlockNum
	// Bytes, with Offer, is the size of the block, 0 to MaxBlockBytes.
	Bytes int64
	// Transit, with Offer, is the time that this block takes on top of the link's
	// latency. It delays the arrivals, not the sends, of the blocks after it.
	Transit time.Duration
}

// Output is one thing that happens to a block: Sent, Received, AtDoor, Enqueued,
// Dequeued, Dropped or Ignored.
type Output struct {
	Kind  event.Kind
	Block event.BlockNum
	At    event.Time
}

// Kinds of Output that are no instants of a trace, and so not Valid as its events.
const (
	// Dropped: a non-blocking buffer has refused the block at the door.
	Dropped = event.Kind(255)
	// Ignored: the block was admitted but is buffered or popped already.
	Ignored = event.Kind(254)
)
