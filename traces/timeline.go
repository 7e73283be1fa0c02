package traces

import (
	"fmt"
	"slices"

	"github.com/blockreel/blockreel/internal/offheap"
	"github.com/blockreel/blockreel/traces/event"
)

// MaxTimelineBlocks bounds the span of block numbers that one stream may hold in
// memory: 2^26 blocks are more than two years of a block a second.
const MaxTimelineBlocks = 1 << 26

// A Timeline is one stream in memory, a column of int64 per kind. The value of
// block n stands at index n − First; event.Missing marks what was not observed.
// A nil column means that nothing of its kind was observed.
type Timeline struct {
	Stream
	// First is the number of the block at index 0.
	First event.BlockNum

	n       int
	columns [event.NumKinds][]int64
	own     [event.NumKinds]bool // columns that it does not share
}

// NewTimeline returns a timeline of n blocks from first on, all values missing.
// It panics when n is negative or above MaxTimelineBlocks: lengths that come from
// outside must be checked before.
func NewTimeline(s Stream, first event.BlockNum, n int) *Timeline {
	if n < 0 || n > MaxTimelineBlocks {
		panic(fmt.Sprintf("traces: timeline of %d blocks", n))
	}
	return &Timeline{Stream: s, First: first, n: n}
}

// Len is the number of blocks that the timeline spans.
func (t *Timeline) Len() int { return t.n }

// Block returns the number of the block at index i.
func (t *Timeline) Block(i int) event.BlockNum { return t.First + event.BlockNum(i) }

// Column returns the values of kind k, one a block, or nil when there are none.
// The caller may read it for as long as nothing is set, and must not append to it.
func (t *Timeline) Column(k event.Kind) []int64 { return t.columns[k] }

// MakeColumn returns the values of kind k, made of missing values when there are
// none yet. The caller may write to it.
func (t *Timeline) MakeColumn(k event.Kind) []int64 {
	if t.columns[k] == nil {
		t.columns[k], t.own[k] = missing(t.n), true
	}
	return t.columns[k]
}

// SetColumn makes c, one value a block, the values of kind k. The timeline keeps c: what
// timelines share must not be written to.
func (t *Timeline) SetColumn(k event.Kind, c []int64) {
	if len(c) != t.n {
		panic(fmt.Sprintf("traces: column of %d values for %d blocks", len(c), t.n))
	}
	t.columns[k], t.own[k] = c, false
}

// Free gives back the memory of the columns that the timeline does not share, which the
// collector may not do of long ones. Neither it nor any part of it may be used after that.
func (t *Timeline) Free() {
	for k := range t.columns {
		if t.own[k] {
			offheap.Free(t.columns[k])
		}
		t.columns[k], t.own[k] = nil, false
	}
}

// Part returns the blocks at the indexes [from, to), without columns that have no value
// among them. It shares the values with t, and keeps all of them in memory: neither of the
// two may be written to.
func (t *Timeline) Part(from, to int) *Timeline {
	if from >= to {
		return NewTimeline(t.Stream, 0, 0)
	}
	out := NewTimeline(t.Stream, t.Block(from), to-from)
	for k, c := range t.columns {
		if c == nil {
			continue
		}
		part := c[from:to:to]
		if slices.ContainsFunc(part, func(v int64) bool { return v != event.Missing }) {
			out.columns[k] = part
		}
	}
	return out
}

// Value returns the value of kind k at index i, event.Missing when not observed.
func (t *Timeline) Value(k event.Kind, i int) int64 {
	if c := t.columns[k]; c != nil {
		return c[i]
	}
	return event.Missing
}

// Observed counts the blocks for which kind k was observed.
func (t *Timeline) Observed(k event.Kind) int {
	n := 0
	for piece := range offheap.Pieces(t.columns[k]) {
		for _, v := range piece {
			if v != event.Missing {
				n++
			}
		}
	}
	return n
}

func missing(n int) []int64 {
	c := offheap.Make[int64](n)
	fillMissing(c)
	return c
}
