// Package ledger holds what a peer commits blocks to when a run is live or
// replayed in real time, and the cost model that stands in for it otherwise.
//
// The way of a block, one at a time and in order, with Fabric's names of the stages:
//
//  1. Validate (validate.go) reads the block's payload to the bottom and judges every
//     transaction: signatures, ids, duplicates (internal/fabric/validate).
//  2. Commit takes state validation (mvcc.go): what the transactions have read must be what
//     the state holds (conflicts.go), earlier transactions of the block applied first. Then
//     it gathers what the block writes to the four tables (layout.go) into one batch
//     (commit.go): block, index, state, history.
//  3. The backend, one file each, stores the batch. backend.go lists them.
//
// A trace without payloads drives the same way with blocks that are made up of its counts
// (synthetic.go). They have no signatures, so none are verified: validation of such is
// much cheaper than Fabric's, and a replay takes the trace's own times instead. Nor have they
// read versions that could conflict; the versions of the keys that they write are looked up.
// A payload may follow a block that was made up: that it follows it cannot be checked then.
//
// A validation code is this ledger's own, except those that depend on what it does not
// hold. Where the payload comes from a peer, the peer's word is taken over on policies and
// membership (validate.Unknowable), in Fabric's order of the checks: before ids are compared
// within the block. So is its word that a policy is content without an endorsement that is
// bad. All other codes are compared with the peer's, and Report counts the differences.
//
// A ledger that begins after block 1 does not have the values and ids from before. A read of a
// key that no block has written since is taken for good if it saw a version from before, or
// none, and so is a range query whose results agree with what is here; Report counts
// these as believed. If the peer called such a transaction a conflict, or an id one that was
// there before, its code is taken over. A delete leaves a mark in the state of such a ledger,
// so that later reads are not believed; metadata of a key whose value is not here leaves the
// version that the key has if it exists.
//
// The commit hash of each block (commithash.go) is computed as a peer does and compared
// with the peer's: when they agree, so do the states. Of blocks that carry none CommitHash gives
// it, to be held against what the peer's log tells.
//
// Private data is not in blocks. The hashes of a collection are validated and kept in the
// state, as in Fabric. Metadata of keys is kept with their values; it has no history, as in
// Fabric. Of a range query with more than 50 results hashes of a Merkle tree are recorded,
// which is made again (merkle.go); a ledger that begins after block 1 lacks results for that,
// and believes it unless the block itself has changed the range.
//
// Each table has a savepoint: the height up to which it is complete, the last entry that a
// block writes to it. Open brings tables that are behind the block table up
// to it (recover.go), with the validation codes that stand in the block's record, so a crash
// at any moment leaves a ledger whose tables agree. This is
// Fabric's own rule of recovery: the block store leads. A ledger that was closed and comes back
// lower is damaged (closed.go).
//
// What is timed as which stage depends on the backend (Backend.Timing): one that writes a
// block in one piece cannot tell the stages apart, and that write counts as BlockStore; then
// StateCommit and HistoryCommit are the time of preparing their entries.
//
// The ledger "recorded" is no store: it is the Times that a trace holds, and what a
// Scale makes of them (scale.go).
//
// A Ledger is used from one goroutine at a time. It satisfies the interface of
// replay/driver without importing it.
package ledger

import (
	"context"
	"errors"
	"fmt"

	"github.com/blockreel/blockreel/internal/fabric/validate"
	"github.com/blockreel/blockreel/replay/block"
	"github.com/blockreel/blockreel/traces/event"
)

// Limits of one block. Fabric's own bound is the 100 MB of a gRPC message.
const (
	MaxBlockBytes        = 100 << 20
	MaxBlockTransactions = 1 << 20
	MaxBlockWrites       = 1 << 20
)

var (
	errClosed = errors.New("ledger is closed")
	// ErrNotFound: the ledger has no such block, transaction or key.
	ErrNotFound = errors.New("not in the ledger")
)

// A Ledger is one channel's ledger on one peer.
type Ledger struct {
	spec      string
	dir       string
	readOnly  bool
	whole     bool // it has been opened, and is not about to be given up
	channel   string
	store     store // nil: closed
	validator *validate.Validator
	made      generator
	window    uint64 // blocks that the backend keeps; 0 means all
	maxKey    int    // Backend.maxKey
	first     event.BlockNum
	height    event.Height
	tip       hash // of the last block's header; zero before the first
	linked    bool // tip is a header's: the next block must name it
	commit    hash // the last block's commit hash, as the peer has it if it is known
	chained   bool // commit is made of all that it follows from

	// next is the block between its Validate and its Commit, state what it finds and makes of
	// the state.
	next  candidate
	state mvcc
	// metadata has the marks (layout.go) of the namespaces some key of which has had
	// metadata, as they are stored; of others a write need not look for the metadata that the
	// key may have.
	metadata map[string]bool
	batch    batch
	// keys and room are memory for the keys of a read.
	keys [][]byte
	room []byte

	report Report
	// failed: a write failed, and what is stored may be ahead of what is known here.
	failed error
}

// Name returns the ledger's spec, as Open takes it.
func (l *Ledger) Name() string { return l.spec }

// Height returns the number of the block that the ledger wants next.
func (l *Ledger) Height() event.Height { return l.height }

// First returns the number of the ledger's first block.
func (l *Ledger) First() event.BlockNum { return l.first }

// partial: the ledger lacks blocks that may have written to the state. The genesis block is none
// of these: it holds the channel's configuration alone.
func (l *Ledger) partial() bool { return l.first > 1 }

// Channel returns the name of the ledger's channel.
func (l *Ledger) Channel() string { return l.channel }

// usable reports why the ledger takes no blocks and gives no answers.
func (l *Ledger) usable() error {
	switch {
	case l.store == nil:
		return errClosed
	case l.failed != nil:
		return fmt.Errorf("ledger has failed, open it again: %w", l.failed)
	}
	return nil
}

// wants reports whether b is a block that may come next.
func (l *Ledger) wants(b *block.Block) error {
	if err := l.usable(); err != nil {
		return err
	}
	switch {
	case l.readOnly:
		return fmt.Errorf("block %d: %w", b.Number, errReadOnly)
	case event.Height(b.Number) != l.height:
		return fmt.Errorf("block %d: the ledger wants block %d next", b.Number, l.height)
	case b.Transactions < 0 || b.Transactions > MaxBlockTransactions:
		return fmt.Errorf("block %d: %d transactions, not in 0…%d", b.Number, b.Transactions, MaxBlockTransactions)
	case b.Writes < 0 || b.Writes > MaxBlockWrites:
		return fmt.Errorf("block %d: %d writes, not in 0…%d", b.Number, b.Writes, MaxBlockWrites)
	case b.Bytes < 0 || b.Bytes > MaxBlockBytes || len(b.Payload) > MaxBlockBytes:
		return fmt.Errorf("block %d: %d bytes, not in 0…%d", b.Number, max(b.Bytes, len(b.Payload)), MaxBlockBytes)
	}
	return nil
}

// A Server is the server that stores a part of a ledger, as it describes itself.
type Server struct {
	// Name has version and vendor, if the server reports them. It is empty if there is no server.
	Name string
	// Other: it is another product than the backend is named after.
	Other bool
	// Bytes is the size of its files of this ledger; 0 if it reports none.
	Bytes int64
}

// Server describes the ledger's server.
func (l *Ledger) Server(ctx context.Context) (Server, error) {
	if s, ok := l.store.(interface {
		server(context.Context) (Server, error)
	}); ok {
		return s.server(ctx)
	}
	return Server{}, nil
}

// Close releases the backend. A closed ledger refuses blocks.
func (l *Ledger) Close() error {
	if l.store == nil {
		return nil
	}
	err := l.store.close()
	if err == nil {
		err = l.noteHeight()
	}
	l.store, l.next.validated = nil, false
	return err
}
