package fabric

import (
	"bytes"
	"errors"
	"fmt"
)

// Errors of a block's place in its chain, wrapped by a *ChainError.
var (
	ErrHole = errors.New("blocks are missing")
	// ErrOld: the number has been before.
	ErrOld = errors.New("block has been before")
	// ErrFork: the previous hash is not that of the block before.
	ErrFork = errors.New("the chain forks: previous hash differs")
	// ErrDataHash: the transactions do not have the header's data hash.
	ErrDataHash = errors.New("transactions do not match the header's data hash")
)

// ChainError is the error of a block that does not continue its chain.
type ChainError struct {
	// Number is the block's, Want the expected one.
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

// Chain checks the blocks of a channel as they arrive. The zero Chain accepts any first block.
// After a reconnect the stream goes on at Height.
type Chain struct {
	next     uint64
	previous [HashSize]byte
	// numbered: next is binding; linked: previous is.
	numbered, linked bool
}

// ChainAt returns a Chain whose first block must have this number.
func ChainAt(number uint64) Chain { return Chain{next: number, numbered: true} }

// Height is the number of the next block; 0 before the first block of a zero Chain.
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
