package replay

import (
	"fmt"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/replay/block"
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
	var invalid, all int64
	for i := range m.Len() {
		if v := m.Measured.Value(event.InvalidTransactions, i); v > 0 {
			invalid += v
		}
		all += int64(m.block(i).Transactions)
	}
	if invalid == 0 {
		return nil
	}
	return []string{fmt.Sprintf("the transactions of made-up blocks are all valid, while %s of the trace's %s were not: their writes are committed here, and were not there",
		analysis.FormatCount(invalid), analysis.FormatCount(all))}
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
