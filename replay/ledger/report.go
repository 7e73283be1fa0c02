package ledger

import (
	"fmt"

	"github.com/blockreel/blockreel/traces/event"
)

// Report is what a ledger has found in the blocks that it committed since it was opened.
type Report struct {
	// Blocks and Transactions that were committed; MadeUp of the blocks had no payload.
	Blocks, MadeUp, Transactions int64
	// Codes counts the transactions by validation code.
	Codes [256]int64
	// Compared transactions were judged here, and had a code that a peer recorded; Different is
	// how many of these codes are not the peer's. The first of them are in Differences.
	Compared, Different int64
	Differences         []Difference
	// Not compared, but taken over from the peer: AdoptedPolicies follow from endorsement
	// policies and membership, which are not evaluated; AdoptedPast from reads, range queries
	// and ids that are older than the ledger's first block (or, ids, than what a ledger in
	// memory keeps).
	AdoptedPolicies, AdoptedPast int64
	// ComparedHashes blocks had a commit hash that a peer recorded, and changed no metadata of a
	// value that is not here: one older than the ledger, or that a ledger in memory has forgotten.
	// Of DifferentHashes what was written, or a validation code, is not the same here.
	// FirstDifferent is the first of these.
	ComparedHashes, DifferentHashes int64
	FirstDifferent                  event.BlockNum
	// Believed reads and range queries count as good, though they hang on what was in the state
	// before the ledger's first block.
	Believed int64
}

// Valid is the number of transactions that were found valid.
func (r *Report) Valid() int64 { return r.Codes[valid] }

// A Difference is a transaction whose validation code is not the peer's.
type Difference struct {
	Block       event.BlockNum
	Transaction int
	TxID        string
	Here, Peer  Code
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
	if c.hasCommit && !m.unknown && (c.previousCommit != (hash{}) || c.number() == 1) {
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
		peer := Code(c.recorded[i])
		switch {
		case t.Code != peer:
			r.Compared++
			r.Different++
			if len(r.Differences) < maxDifferences {
				r.Differences = append(r.Differences, Difference{c.number(), i, t.TxID, t.Code, peer})
			}
		case c.adopted[i] == adoptedPolicy:
			r.AdoptedPolicies++
		case c.adopted[i] == adoptedPast:
			r.AdoptedPast++
		default:
			r.Compared++
		}
	}
}
