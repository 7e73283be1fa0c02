package fabric

import (
	"bytes"
	"errors"
	"fmt"
)

// What can be wrong with a block's place in its chain; a *ChainError wraps one of them.
var (
	// ErrHole: blocks are missing before this one.
	ErrHole = errors.New("blocks are missing")
	// ErrOld: this number has been before.
	ErrOld = errors.New("block has been before")
	// ErrFork: the block's previous hash is not the hash of the block before it.
	ErrFork = errors.New("the chain forks: previous hash differs")
	// ErrDataHash: the block's transactions are not those that its header hashes.
	ErrDataHash = errors.New("transactions do not match the header's data hash")
)

// ChainError says which block does not continue its chain, and why.
type ChainError struct {
	// Number is the block's, Want the one that should have come.
	Number, Want uint64
	// Err is one of ErrHole, ErrOld, ErrFork, ErrDataHash.
	Err error
}

func (e *ChainError) Error() string {
	if e.Number != e.Want {
		return fmt.Sprintf("block %d came where %d should: %v", e.Number, e.Want, e.Err)
	}
	return fmt.Sprintf("block %d: %v", e.Number, e.Err)
}

func (e *ChainError) Unwrap() error { return e.Err }

// Chain checks the blocks of one channel as they arrive. The zero Chain takes its first
// block on trust, whatever its number, and holds all others to it. It outlives
// connections: after a reconnect the stream goes on at Height, against the same Chain.
type Chain struct {
	next     uint64
	previous [HashSize]byte
	// numbered: next is binding; linked: so is previous.
	numbered, linked bool
}

// ChainAt is a Chain whose first block must have this number.
func ChainAt(number uint64) Chain { return Chain{next: number, numbered: true} }

// Height is the number of the block that comes next; 0 before the first block of a zero
// Chain.
func (c *Chain) Height() uint64 { return c.next }

// Next takes b as the chain's next block, or fails with a *ChainError and stays as it is.
func (c *Chain) Next(b *Block) error {
	want := b.Number
	if c.numbered {
		want = c.next
	}
	fail := func(err error) error { return &ChainError{Number: b.Number, Want: want, Err: err} }
	switch {
	case b.Number > want:
		return fail(ErrHole)
	case b.Number < want:
		return fail(ErrOld)
	case c.linked && !bytes.Equal(b.PreviousHash, c.previous[:]):
		return fail(ErrFork)
	}
	if sum := b.SumData(); !bytes.Equal(b.DataHash, sum[:]) {
		return fail(ErrDataHash)
	}
	*c = Chain{next: b.Number + 1, previous: b.HeaderHash(), numbered: true, linked: true}
	return nil
}
