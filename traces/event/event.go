// Package event holds the words of block delivery: times, block numbers, heights
// and the kinds of things that happen to a block. It is a leaf: it imports nothing
// of this module, and every other package may import it.
package event

import (
	"math"
	"time"
)

// Time is nanoseconds since the start of a trace. It may be negative: a log line
// can be older than the instant that became the trace's start.
type Time int64

// Missing marks a value that was not observed. It is the smallest int64, so that
// no time, count or size of a real run can be taken for it.
const Missing = math.MinInt64

// Duration returns t as the time that has passed since the start of the trace.
func (t Time) Duration() time.Duration { return time.Duration(t) }

// BlockNum is a block's number on its channel; the genesis block is 0.
type BlockNum uint64

// Height returns the height of a ledger whose last block is n.
func (n BlockNum) Height() Height { return Height(n) + 1 }

// Height is the number of blocks in a ledger, and so the number of the block
// that comes next.
type Height uint64

// Kind says what an event tells about a block: an instant of its way from the orderer's ledger
// into the peer's, or a fact that does not change on the way. The numbers are written to trace
// files and never reused; kinds (kinds.go) says everything else about them.
type Kind uint8

const (
	// Offered: the block is in the orderer's ledger, ready to be delivered. [Time]
	Offered Kind = iota
	// Sent: the orderer's Send has returned; the block is in flight. [Time]
	Sent
	// Received: the peer has read the block off its Deliver stream. [Time]
	Received
	// AtDoor: intake (verify, marshal) is done; the block stands before the
	// payloads buffer. [Time]
	AtDoor
	// Enqueued: the payloads buffer has admitted the block. [Time]
	Enqueued
	// Dequeued: the committer has popped the block. [Time]
	Dequeued
	// Validated: signatures and policies are checked. [Time]
	Validated
	// Committed: the block is in the peer's ledger; its height grew. [Time]
	Committed

	// Transactions in the block.
	Transactions
	// Bytes of the marshalled block.
	Bytes
	// Writes to public state by the block's transactions.
	Writes

	// StateValidation is the time of MVCC checks within the commit, in ns.
	StateValidation
	// BlockStore is the time of appending to the block store and the private
	// data store within the commit, in ns.
	BlockStore
	// StateCommit is the time of writing the state database within the commit, in ns.
	StateCommit
	// HistoryCommit is the time of writing the history index within the commit, in ns.
	HistoryCommit

	// CommitHash is the beginning of the commit hash in the peer's log: its first
	// CommitHashBytes bytes as a number, the first one the highest. It shows blocks of
	// another run, or a ledger that went another way.
	CommitHash
	// InvalidTransactions in the block: those that the peer refused.
	InvalidTransactions

	// NumKinds is the number of kinds.
	NumKinds int = iota
)

// CommitHashBytes is how much of a commit hash a trace keeps: enough to tell blocks of
// another run at the first one, and no more, since a hash cannot be compressed.
const CommitHashBytes = 3

// Event is one observation of one block on one stream.
type Event struct {
	// Stream is an index into the trace's streams.
	Stream int
	Kind   Kind
	Block  BlockNum
	// Value is a Time for kinds of which IsTime holds; a count, a number of
	// bytes or a duration in nanoseconds otherwise.
	Value int64
}
