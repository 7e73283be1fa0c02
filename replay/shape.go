package replay

import (
	"fmt"
	"math"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/replay/block"
	"github.com/blockreel/blockreel/replay/cost"
	"github.com/blockreel/blockreel/replay/ledger"
	"github.com/blockreel/blockreel/traces/event"
)

// What stands in for facts that a trace does not hold when blocks are made up for a
// real ledger: the shapes of the 2.5 runs with small transactions.
const (
	assumedBlockOverhead       = 900
	assumedBytesPerTransaction = 3200
	assumedWritesPerTx         = 1
)

// block returns block i for a ledger.
func (m *Model) block(i int) block.Block {
	tl := m.Measured
	b := block.Block{Number: m.First + event.BlockNum(i), Transactions: 1}
	if v := tl.Value(event.Transactions, i); v >= 0 {
		b.Transactions = int(min(v, ledger.MaxBlockTransactions))
	}
	b.Bytes = int(m.bytes(i))
	if v := tl.Value(event.Writes, i); v >= 0 {
		b.Writes = int(min(v, ledger.MaxBlockWrites))
	} else {
		b.Writes = assumedWritesPerTx * b.Transactions
	}
	return b
}

// forLedger returns block i with a size, since a ledger stores what has one.
func (m *Model) forLedger(i int) block.Block {
	b := m.block(i)
	if b.Bytes == 0 {
		b.Bytes = min(assumedBlockOverhead+assumedBytesPerTransaction*b.Transactions, ledger.MaxBlockBytes)
	}
	return b
}

// allValid warns of made-up blocks that stand for blocks with transactions that were refused,
// whose writes a ledger does not take.
func (m *Model) allValid() []string {
	invalid, all := m.invalid()
	if invalid == 0 {
		return nil
	}
	return []string{fmt.Sprintf("the transactions of made-up blocks are all valid, while %s of the trace's %s were not: their writes are committed here, and were not there",
		analysis.FormatCount(invalid), analysis.FormatCount(all))}
}

// invalid counts the transactions that the trace tells were refused, and all.
func (m *Model) invalid() (invalid, all int64) {
	for i := range m.Len() {
		if v := m.Measured.Value(event.InvalidTransactions, i); v > 0 {
			invalid += v
		}
		all += int64(m.block(i).Transactions)
	}
	return invalid, all
}

// refusedShare is what is left of all beside those that are valid, as a share; nil of none.
func refusedShare(all, valid int64) *float64 {
	if all == 0 {
		return nil
	}
	share := float64(all-valid) / float64(all)
	return &share
}

// otherRefusals warns of a cost model of blocks in which another share of the transactions was
// refused than in the trace: what is refused is not written, and what else is left of its cost
// the model does not know.
func (m *Model) otherRefusals(c *cost.Model) []string {
	if m.Measured.Observed(event.InvalidTransactions) == 0 {
		return nil
	}
	invalid, all := m.invalid()
	share := float64(invalid) / float64(max(all, 1))
	switch {
	case c.Refused == nil && share > weakRefused:
		return []string{fmt.Sprintf("%s of the trace's transactions were refused, and so not written: in the calibration nobody knows how many were (calibrate again)", analysis.FormatShare(share))}
	case c.Refused == nil || math.Abs(share-*c.Refused) <= weakRefused:
		return nil
	}
	return []string{fmt.Sprintf("%s of the trace's transactions were refused, and so not written, and %s of the calibration's: the cost model does not know the difference (calibrate with blocks like these)",
		analysis.FormatShare(share), analysis.FormatShare(*c.Refused))}
}

// assumptions says what of the blocks' shapes the trace does not tell.
func (m *Model) assumptions() (warnings []string) {
	if !m.sized {
		warnings = append(warnings, "the trace does not tell the sizes of its blocks: 3200 bytes a transaction are assumed (--block-bytes)")
	}
	return append(warnings, m.assumedCounts()...)
}

// assumedCounts says of how many blocks the trace does not tell what they hold.
func (m *Model) assumedCounts() (warnings []string) {
	for _, x := range []struct {
		kind    event.Kind
		assumed string
	}{{event.Transactions, "one a block is assumed"}, {event.Writes, "one a transaction is assumed"}} {
		switch n, all := m.Measured.Observed(x.kind), m.Len(); {
		case n == 0:
			warnings = append(warnings, fmt.Sprintf("the trace does not tell the %v of its blocks: %s", x.kind, x.assumed))
		case n < all:
			warnings = append(warnings, fmt.Sprintf("the trace does not tell the %v of %d of its %d blocks: %s", x.kind, all-n, all, x.assumed))
		}
	}
	return warnings
}
