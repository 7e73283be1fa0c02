package fabriclog

import (
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
	colTransferring
	colReceived
	colValidated
	colCommitted
	colTransactions
	colStateValidation
	colBlockStore
	colStateCommit
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

// strayPages: pages that stand further than this from all others may be stray.
const strayPages = 1 << 20 / pageBlocks

// span returns the range of the table's blocks. Far-away groups of blocks that
// hold less than a hundredth of the largest group are left out as stray: their
// numbers come from damaged lines.
func (t *table) span() (s span, stray int, ok bool) {
	numbers := make([]uint64, 0, len(t.pages))
	for at := range t.pages {
		numbers = append(numbers, at)
	}
	slices.Sort(numbers)
	type group struct{ from, to, blocks int }
	var groups []group
	for i, at := range numbers {
		n := t.pages[at].observed()
		if g := len(groups) - 1; g >= 0 && at-numbers[groups[g].to] <= strayPages {
			groups[g].to = i
			groups[g].blocks += n
		} else {
			groups = append(groups, group{i, i, n})
		}
	}
	if len(groups) == 0 {
		return span{}, 0, false
	}
	best := 0
	for i, g := range groups {
		if g.blocks > groups[best].blocks {
			best = i
		}
	}
	from, to := best, best
	worth := func(g int) bool {
		return groups[g].blocks*100 >= groups[best].blocks
	}
	fits := func(f, t int) bool {
		return numbers[groups[t].to]-numbers[groups[f].from] < maxPages-1
	}
	for from > 0 && worth(from-1) && fits(from-1, to) {
		from--
	}
	for to+1 < len(groups) && worth(to+1) && fits(from, to+1) {
		to++
	}
	for i, g := range groups {
		if i < from || i > to {
			stray += g.blocks
		}
	}
	first, last := numbers[groups[from].from], numbers[groups[to].to]
	return span{t.pages[first].edge(first, true), t.pages[last].edge(last, false)}, stray, true
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
