package ledger

import (
	"fmt"

	"github.com/blockreel/blockreel/internal/fabric/validate"
	"github.com/blockreel/blockreel/traces/event"
)

// Report is what a ledger has found in the blocks that it committed since it was opened.
type Report struct {
	// Blocks and Transactions that were committed; MadeUp of the blocks had no payload.
	Blocks, MadeUp, Transactions int64
	// Codes counts the transactions by validation code.
	Codes [256]int64
	// Compared transactions had a code that a peer recorded. Adopted codes were taken over
	// from it, since they follow from what this ledger does not hold (policies and the
	// like). Different is how many of the others are not the peer's; the first of them are
	// in Differences.
	Compared, Adopted, Different int64
	Differences                  []Difference
	// ComparedHashes blocks had a commit hash that a peer recorded; of DifferentHashes what
	// was written, or a validation code, is not the same here. FirstDifferent is the first of
	// these.
	ComparedHashes, DifferentHashes int64
	FirstDifferent                  event.BlockNum
	// Believed reads saw a key as it may have been before the ledger's first block. Merkle range
	// queries were not executed again, as only hashes of their results are recorded. Both
	// count as good.
	Believed, Merkle int64
}

// A Difference is a transaction whose validation code is not the peer's.
type Difference struct {
	Block       event.BlockNum
	Transaction int
	TxID        string
	Here, Peer  validate.Code
}

func (d Difference) String() string {
	return fmt.Sprintf("block %d, transaction %d: %s here, %s at the peer", d.Block, d.Transaction, d.Here, d.Peer)
}

// maxDifferences bounds a report.
const maxDifferences = 100

// Report tells what was found since the ledger was opened.
func (l *Ledger) Report() Report {
	r := l.report
	r.Differences = append([]Difference(nil), r.Differences...)
	return r
}

func (r *Report) add(c *candidate, m *mvcc) {
	r.Blocks++
	if c.madeUp {
		r.MadeUp++
	}
	r.Transactions += int64(len(c.transactions))
	r.Believed += m.believed
	r.Merkle += m.merkle
	if c.hasCommit && (c.previousCommit != (hash{}) || c.number() == 1) {
		r.ComparedHashes++
		if c.peerCommit != c.commitHash {
			if r.DifferentHashes++; r.DifferentHashes == 1 {
				r.FirstDifferent = c.number()
			}
		}
	}
	for i := range c.transactions {
		t := &c.transactions[i]
		r.Codes[byte(t.Code)]++
		if c.recorded == nil {
			continue
		}
		r.Compared++
		peer := validate.Code(c.recorded[i])
		switch {
		case t.Code != peer:
			r.Different++
			if len(r.Differences) < maxDifferences {
				r.Differences = append(r.Differences, Difference{c.number(), i, t.TxID, t.Code, peer})
			}
		case c.adopted[i]:
			r.Adopted++
		}
	}
}
