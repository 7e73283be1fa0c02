package ledger

import (
	"fmt"

	"github.com/blockreel/blockreel/traces/event"
)

// Report counts what a ledger has found since it was opened.
type Report struct {
	// Blocks and Transactions that were committed; MadeUp blocks had no payload.
	Blocks, MadeUp, Transactions int64
	// Codes counts the transactions by validation code.
	Codes [256]int64
	// Compared transactions were judged here and by a peer; Different ones have another code here.
	// Differences are the first of them.
	Compared, Different int64
	Differences         []Difference
	// Codes that were taken over from the peer: AdoptedPolicies depend on endorsement policies and
	// membership, AdoptedPast on reads, range queries and ids that are older than the ledger, or
	// that a ledger in memory has dropped.
	AdoptedPolicies, AdoptedPast int64
	// ComparedHashes blocks have a commit hash of a peer and changed no metadata of a missing
	// value. DifferentHashes have another one here, from FirstDifferent on.
	ComparedHashes, DifferentHashes int64
	FirstDifferent                  event.BlockNum
	// Believed reads and range queries were taken as good, though they depend on the state before
	// the ledger's first block.
	Believed int64
}

// Valid is the number of valid transactions.
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

// Report returns what was found since the ledger was opened.
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
