package fabriclog

import (
	"maps"
	"slices"

	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// Columns of a table. Which of them are used depends on whose table it is.
const (
	// An orderer's.
	colWriting = iota
	colWrote
	colCreated
	// A peer's.
	colAtDoor
	colEnqueued
	colGone // by this time the block was not in the buffer any more
	colTransferring
	colReceived
	colValidated
	colCommitted
	colTransactions
	colStateValidation
	colBlockStore
	colStateCommit
	colCommitHash
	// One subscriber's at an orderer.
	colDelivering
	numColumns
)

const missing = event.Missing

const (
	pageBits   = 12
	pageBlocks = 1 << pageBits
	// maxPages bounds a table: as many blocks as a timeline may span.
	maxPages = traces.MaxTimelineBlocks / pageBlocks
)

type page struct {
	columns [numColumns]*[pageBlocks]int64
}

// table holds what was seen of the blocks of one channel at one node. It is
// sparse, so that one line with a wild block number costs one page only.
type table struct {
	pages map[uint64]*page
	last  *page // page of lastAt
	at    uint64
}

func newTable() *table { return &table{pages: make(map[uint64]*page)} }

// cell returns the place of a value, nil when the table is full.
func (t *table) cell(column int, block uint64) *int64 {
	at := block >> pageBits
	p := t.last
	if p == nil || at != t.at {
		if p = t.pages[at]; p == nil {
			if len(t.pages) >= maxPages {
				return nil
			}
			p = new(page)
			t.pages[at] = p
		}
		t.last, t.at = p, at
	}
	c := p.columns[column]
	if c == nil {
		c = new([pageBlocks]int64)
		for i := range c {
			c[i] = missing
		}
		p.columns[column] = c
	}
	return &c[block&(pageBlocks-1)]
}

// value returns what is in the table, event.Missing when nothing is.
func (t *table) value(column int, block uint64) int64 {
	if p := t.pages[block>>pageBits]; p != nil && p.columns[column] != nil {
		return p.columns[column][block&(pageBlocks-1)]
	}
	return missing
}

// has reports whether anything is known of the block.
func (p *page) has(i int) bool {
	for _, c := range p.columns {
		if c != nil && c[i] != missing {
			return true
		}
	}
	return false
}

// observed counts the blocks of a page.
func (p *page) observed() int {
	n := 0
	for i := range pageBlocks {
		if p.has(i) {
			n++
		}
	}
	return n
}

// A span is an unbroken range of block numbers, both ends included.
type span struct{ first, last uint64 }

func (s span) len() uint64 { return s.last - s.first + 1 }

// nearby is the number of missing blocks that one block makes up for: a group of n
// blocks may stand n × nearby away from the others. Wild numbers in damaged lines
// are single, so that they fail this, and memory stays in proportion to the log.
const nearby = 1024

// A group is a run of pages without a gap, from and to included.
type group struct {
	from, to uint64
	blocks   int
}

// groups returns the table's groups in order.
func (t *table) groups() []group {
	var out []group
	for _, at := range slices.Sorted(maps.Keys(t.pages)) {
		n := t.pages[at].observed()
		if n == 0 {
			continue // a restart took back all that was there
		}
		if last := len(out) - 1; last >= 0 && at == out[last].to+1 {
			out[last].to = at
			out[last].blocks += n
		} else {
			out = append(out, group{at, at, n})
		}
	}
	return out
}

// span returns the range of the table's blocks: the largest group and those near
// it. The blocks of others are left out and counted as stray.
func (t *table) span() (s span, stray int, ok bool) {
	groups := t.groups()
	if len(groups) == 0 {
		return span{}, 0, false
	}
	best := 0
	for i, g := range groups {
		stray += g.blocks
		if g.blocks > groups[best].blocks {
			best = i
		}
	}
	whole := groups[best]
	take := func(g group, gap uint64) bool {
		from, to := min(whole.from, g.from), max(whole.to, g.to)
		if gap > uint64(g.blocks)*nearby/pageBlocks+1 || to-from >= maxPages {
			return false
		}
		whole = group{from, to, whole.blocks + g.blocks}
		return true
	}
	before, behind := best-1, best+1
	for before >= 0 && take(groups[before], whole.from-groups[before].to) {
		before--
	}
	for behind < len(groups) && take(groups[behind], groups[behind].from-whole.to) {
		behind++
	}
	s = span{t.pages[whole.from].edge(whole.from, true), t.pages[whole.to].edge(whole.to, false)}
	return s, stray - whole.blocks, true
}

// edge returns the number of the page's first or last block.
func (p *page) edge(at uint64, first bool) uint64 {
	for k := range pageBlocks {
		i := k
		if !first {
			i = pageBlocks - 1 - k
		}
		if p.has(i) {
			return at<<pageBits | uint64(i)
		}
	}
	return at << pageBits
}

// forget drops a column's values for block from and all above.
func (t *table) forget(column int, from uint64) {
	for at, p := range t.pages {
		c := p.columns[column]
		if c == nil || at < from>>pageBits {
			continue
		}
		for i := range c {
			if at<<pageBits|uint64(i) >= from {
				c[i] = missing
			}
		}
	}
}

// knows reports whether anything is known of a block.
func (t *table) knows(block uint64) bool {
	p := t.pages[block>>pageBits]
	return p != nil && p.has(int(block&(pageBlocks-1)))
}
