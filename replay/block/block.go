// Package block is what a driver hands to a ledger and what it gets back: a block,
// and the time that committing it took. It is a leaf, so that replay/driver can
// name these in its interface and replay/ledger can satisfy it, neither importing
// the other.
package block

import (
	"time"

	"github.com/blockreel/blockreel/traces/event"
)

// A Block is one block of one channel on its way into a peer's ledger.
type Block struct {
	Number event.BlockNum
	// Transactions in the block, and Writes to public state by all of them.
	Transactions, Writes int
	// Bytes is the size of the marshalled block.
	Bytes int
	// Payload is the marshalled block, Bytes long. Nil means that the trace holds
	// none: a ledger that stores blocks then makes one up from the other fields.
	Payload []byte
}

// Stages are the parts of a commit, in the order in which Fabric's kvledger takes
// them. Zero means that the ledger has no such part.
type Stages struct {
	// StateValidation: the MVCC check of what the transactions have read.
	StateValidation time.Duration
	// BlockStore: appending the block and its transaction index.
	BlockStore time.Duration
	// StateCommit: writing the state database.
	StateCommit time.Duration
	// HistoryCommit: writing the history index.
	HistoryCommit time.Duration
}

// Total is the time of all parts together.
func (s Stages) Total() time.Duration {
	return s.StateValidation + s.BlockStore + s.StateCommit + s.HistoryCommit
}
