package network

import (
	"fmt"
	"math/rand/v2"

	"github.com/blockreel/blockreel/internal/fabric/mint"
	"github.com/blockreel/blockreel/replay/ledger"
)

// Shapes say what the blocks of a channel hold.
type Shapes struct {
	// Transactions of a block, at least 1.
	Transactions int
	// MaxTransactions, if it is not 0, gives each block a number of transactions of its own,
	// drawn by the load's seed: each from Transactions to this one is as likely.
	MaxTransactions int
	// Writes and Bytes of a block, of all transactions together. Bytes are met to about 4 %;
	// signatures and certificates alone take some 2.5 kB a transaction.
	Writes, Bytes int
	// WritesEach and BytesEach are how many more there are for each transaction of the block.
	WritesEach, BytesEach int
}

// Mixed is blocks of from to to transactions, each with two writes and about as many bytes
// as one of the Default's.
func Mixed(from, to int) Shapes {
	return Shapes{Transactions: from, MaxTransactions: to, WritesEach: 2, Bytes: 900, BytesEach: 3200}
}

// most is the number of transactions of the largest block.
func (s *Shapes) most() int { return max(s.Transactions, s.MaxTransactions) }

// of is the shape of a block of n transactions.
func (s *Shapes) of(n int) mint.Shape {
	return mint.Shape{Transactions: n, Writes: s.Writes + n*s.WritesEach, Bytes: s.Bytes + n*s.BytesEach}
}

// LeastBytes is about what the largest block takes with nothing in it but what must be:
// headers, signatures, certificates, keys. One that shall have fewer bytes has these.
func (s *Shapes) LeastBytes() int {
	const block, transaction, write = 860, 2490, 25
	largest := s.of(s.most())
	return block + transaction*largest.Transactions + write*largest.Writes
}

// draw returns a function that gives the shape of each block of a channel in turn.
func (s Shapes) draw(seed uint64, channel int) func() mint.Shape {
	if s.MaxTransactions == 0 {
		return func() mint.Shape { return s.of(s.Transactions) }
	}
	// Its numbers are not those that the instants of a Poisson load are made of.
	const sizes = 1 << 32
	random := rand.New(rand.NewPCG(seed, sizes+uint64(channel)))
	return func() mint.Shape {
		return s.of(s.Transactions + random.IntN(s.MaxTransactions-s.Transactions+1))
	}
}

func (s *Shapes) validate() error {
	if s.MaxTransactions != 0 && s.MaxTransactions < s.Transactions {
		return fmt.Errorf("%d to %d transactions per block: the range goes upwards", s.Transactions, s.MaxTransactions)
	}
	if err := inRange("transactions per block", s.Transactions, 1, ledger.MaxBlockTransactions); err != nil {
		return err
	}
	if err := inRange("transactions per block", s.most(), 1, ledger.MaxBlockTransactions); err != nil {
		return err
	}
	for _, f := range []struct {
		name             string
		value, each, top int
	}{
		{"writes per block", s.Writes, s.WritesEach, ledger.MaxBlockWrites},
		{"bytes per block", s.Bytes, s.BytesEach, ledger.MaxBlockBytes},
	} {
		if err := inRange(f.name, f.value, 0, f.top); err != nil {
			return err
		}
		if err := inRange(f.name+" for each transaction", f.each, 0, f.top); err != nil {
			return err
		}
		if err := inRange(f.name, f.value+f.each*s.most(), 0, f.top); err != nil {
			return err
		}
	}
	return nil
}

func inRange(name string, value, low, high int) error {
	if value < low || value > high {
		return fmt.Errorf("%d %s: choose %d to %d", value, name, low, high)
	}
	return nil
}
