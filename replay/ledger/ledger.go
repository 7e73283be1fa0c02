// Package ledger holds what a peer commits blocks to when a run is live or
// replayed in real time, and the cost model that stands in for it otherwise.
//
// The way of a block, one at a time and in order:
//
//  1. Validate takes the block's payload, or makes one up (synthetic.go), hashes
//     each of its transactions, and looks the hash up in the transaction index, as
//     Fabric's validator does to refuse a transaction that came before. There are
//     no signatures in a synthesized block, so none are verified: validation here
//     is much cheaper than Fabric's, where it is mostly ECDSA.
//  2. Commit reads the state version of every key that the block writes (the work
//     of Fabric's MVCC check; made-up transactions have no read versions that
//     could conflict, so all are valid), and then writes block, transaction index,
//     state, history and height (layout.go) as one batch.
//  3. The backend, one file each (memory.go, badger.go), stores the batch.
//
// A batch starts with the block and ends with the height. A backend writes it all
// or nothing, or, when it is too big for that, in order. Open finds a block that
// is stored but above the height and commits it again, so a crash at any moment
// leaves a ledger whose height, index, state and history agree; Check verifies
// it. This is Fabric's own rule of recovery: the block store leads.
//
// One batch is one durable write, so its parts cannot be timed apart: the write
// itself counts as BlockStore, and StateCommit and HistoryCommit are the time of
// preparing their entries.
//
// The ledger "recorded" is no store: it is the Times that a trace holds, and what a
// Scale makes of them (scale.go).
//
// A Ledger is used from one goroutine at a time. It satisfies the interface of
// replay/driver without importing it.
package ledger

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/blockreel/blockreel/replay/block"
	"github.com/blockreel/blockreel/traces/event"
)

// Limits of one block. Fabric's own bound is the 100 MB of a gRPC message.
const (
	MaxBlockBytes        = 100 << 20
	MaxBlockTransactions = 1 << 20
	MaxBlockWrites       = 1 << 20
)

// A Ledger is one channel's ledger on one peer.
type Ledger struct {
	spec   string
	store  store
	window uint64 // blocks that the backend keeps; 0 means all
	made   generator
	first  event.BlockNum
	height event.Height
	chain  hash // of the last block

	// Of the block between its Validate and its Commit.
	validated bool
	number    event.BlockNum
	payload   []byte
	ids       []hash

	room  []byte // room for a synthesized payload
	batch batch
	key   []byte
	value []byte
}

type hash = [sha256.Size]byte

// A store is a backend. It is used from one goroutine at a time.
type store interface {
	// get appends the value of key to dst; ok is false when there is none.
	get(dst, key []byte) (value []byte, ok bool, err error)
	// write stores the batch for good: all or nothing, or, when it is too big for
	// that, in order.
	write(b *batch) error
	close() error
}

// Name returns the ledger's spec, as Open takes it.
func (l *Ledger) Name() string { return l.spec }

// Height returns the number of the block that the ledger wants next.
func (l *Ledger) Height() event.Height { return l.height }

// Validate checks the next block. It keeps b.Payload until Commit returns.
func (l *Ledger) Validate(ctx context.Context, b *block.Block) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := l.wants(b); err != nil {
		return err
	}
	l.take(b)
	for i := range l.ids {
		l.key = appendIndexKey(l.key[:0], &l.ids[i])
		v, ok, err := l.store.get(l.value[:0], l.key)
		if err != nil {
			return fmt.Errorf("block %d: transaction index: %w", b.Number, err)
		}
		l.value = v
		// An entry of this very block was left by a commit that was broken off.
		if ok && indexedBlock(v) != b.Number {
			return fmt.Errorf("block %d: transaction %d is in block %d already", b.Number, i, indexedBlock(v))
		}
	}
	l.validated = true
	return nil
}

// wants reports whether b is a block that may come next.
func (l *Ledger) wants(b *block.Block) error {
	switch {
	case l.store == nil:
		return errors.New("ledger is closed")
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

// take sets payload and ids to those of b.
func (l *Ledger) take(b *block.Block) {
	l.validated, l.number, l.payload = false, b.Number, b.Payload
	if l.payload == nil {
		l.room = l.made.appendPayload(l.room[:0], b)
		l.payload = l.room
	}
	l.ids = appendIDs(l.ids[:0], b.Number, l.payload, b.Transactions)
}

// Commit stores the block that was validated last and returns how long each part
// took. It does not stop half way when ctx ends.
func (l *Ledger) Commit(ctx context.Context, b *block.Block) (block.Stages, error) {
	if err := ctx.Err(); err != nil {
		return block.Stages{}, err
	}
	if !l.validated || l.number != b.Number {
		return block.Stages{}, fmt.Errorf("block %d: commit without validation", b.Number)
	}
	l.validated = false
	var s block.Stages
	clock := time.Now()
	lap := func() time.Duration {
		now := time.Now()
		d := now.Sub(clock)
		clock = now
		return d
	}

	if err := l.checkVersions(b); err != nil {
		return s, err
	}
	s.StateValidation = lap()
	l.batch.reset()
	l.batch.putBlock(b, &l.chain, l.payload)
	l.batch.putIndex(b.Number, l.ids)
	s.BlockStore = lap()
	l.batch.putState(&l.made, b)
	s.StateCommit = lap()
	l.batch.putHistory(&l.made, b)
	s.HistoryCommit = lap()
	l.batch.putHeight(b.Number.Height())
	if err := l.store.write(&l.batch); err != nil {
		return s, fmt.Errorf("block %d: %w", b.Number, err)
	}
	l.chain = chainHash(&l.chain, l.ids)
	l.height = b.Number.Height()
	s.BlockStore += lap()
	return s, nil
}

// checkVersions reads the version of every key that b writes.
func (l *Ledger) checkVersions(b *block.Block) error {
	for i := range b.Writes {
		l.key = l.made.appendStateKey(l.key[:0], b.Number, i)
		v, ok, err := l.store.get(l.value[:0], l.key)
		if err != nil {
			return fmt.Errorf("block %d: state: %w", b.Number, err)
		}
		l.value = v
		if ok && versionOf(v).block > b.Number {
			return fmt.Errorf("block %d: state is ahead of it, at block %d: the ledger is damaged", b.Number, versionOf(v).block)
		}
	}
	return nil
}

// Close releases the backend. A closed ledger refuses blocks.
func (l *Ledger) Close() error {
	if l.store == nil {
		return nil
	}
	err := l.store.close()
	l.store, l.validated = nil, false
	return err
}
