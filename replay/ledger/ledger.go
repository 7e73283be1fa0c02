// Package ledger is a peer's ledger with Fabric's semantics over exchangeable backends.
//
// A block is committed in these steps, with Fabric's names of the stages:
//
//  1. Validate (validate.go) reads the payload and judges each transaction: signatures, ids,
//     duplicates (internal/fabric/validate).
//  2. Commit validates the state (mvcc.go, conflicts.go), and gathers what the block writes to
//     four tables (layout.go) into a batch (commit.go): block, index, state, history.
//  3. The backend stores the batch. backend.go lists the backends, one file each.
//
// A block without a payload is made up of its counts (synthetic.go). It has no signatures, so a
// replay takes the trace's time for its validation.
//
// Validation codes are this ledger's own, with two exceptions. Codes that follow from endorsement
// policies or membership (validate.Unknowable) are taken over from the peer that recorded the
// block, before duplicate ids are looked for, as in Fabric. A ledger that begins after block 1
// lacks older values and ids: it believes reads and range queries that may depend on them, and
// takes over the peer's code for conflicts and duplicates with them. It marks deleted keys, so that
// later reads are not believed. Report counts what was believed, taken over and compared.
//
// The commit hash of each block (commithash.go) is computed as a peer does, and compared with the
// peer's: if they are equal, so are the states. Hashes of private data are validated and stored, as
// in Fabric; private data itself is not in blocks.
//
// Each table ends a block with a savepoint, the height up to which it is complete. Open brings the
// tables up to the block table (recover.go), with the validation codes in the block's record: a
// crash at any moment leaves a ledger whose tables agree. A ledger that was closed and comes back
// lower is damaged (height.go).
//
// The stages that can be timed depend on the backend (Backend.Timing). The write of one that writes
// a block in one piece counts as BlockStore.
//
// A Ledger is used by one goroutine at a time. It satisfies an interface of replay/driver without
// importing it.
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

	// next is the block between its Validate and its Commit, state its view of the state.
	next  candidate
	state mvcc
	// metadata has the marks (layout.go) of namespaces with metadata, as they are stored.
	metadata map[string]bool
	batch    batch
	// keys and room are memory for the keys of a read.
	keys [][]byte
	room []byte

	report Report
	// failed is the error of a write, after which more may be stored than is known here.
	failed error
}

// Name returns the spec, as Open takes it.
func (l *Ledger) Name() string { return l.spec }

// Height returns the number of the block that the ledger wants next.
func (l *Ledger) Height() event.Height { return l.height }

// First returns the number of the ledger's first block.
func (l *Ledger) First() event.BlockNum { return l.first }

// partial reports whether the ledger lacks blocks that may have written to the state. The genesis
// block does not.
func (l *Ledger) partial() bool { return l.first > 1 }

// Channel returns the name of the ledger's channel.
func (l *Ledger) Channel() string { return l.channel }

// usable returns an error if the ledger is closed or has failed.
func (l *Ledger) usable() error {
	switch {
	case l.store == nil:
		return errClosed
	case l.failed != nil:
		return fmt.Errorf("ledger has failed, open it again: %w", l.failed)
	}
	return nil
}

// wants returns an error unless b may come next.
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
