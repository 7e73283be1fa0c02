package traces

import (
	"fmt"

	"github.com/blockreel/blockreel/traces/event"
)

// MaxTimelineBlocks bounds the span of block numbers that one stream may hold in
// memory: 2^26 blocks are more than two years of a block a second.
const MaxTimelineBlocks = 1 << 26

// A Timeline is one stream in memory: for each kind a column with a value for each block.
// The value of block n stands at index n − First; event.Missing marks what was not
// observed. Columns that were read from a file, or made by a ColumnBuilder, are packed
// into one to three bytes a value; those of MakeColumn and SetColumn are slices.
type Timeline struct {
	Stream
	// First is the number of the block at index 0.
	First event.BlockNum

	n       int
	columns [event.NumKinds]*column // nil: nothing was observed
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

// Column returns the values of kind k, one a block, or nil when there are none. A packed
// column is unpacked as a whole: use Windows or a Cursor where a trace may be long. The
// caller must not write to the values.
func (t *Timeline) Column(k event.Kind) []int64 {
	c := t.columns[k]
	if c == nil || c.plain != nil {
		return c.slice()
	}
	values := make([]int64, t.n)
	c.read(values, 0)
	return values
}

// MakeColumn returns the values of kind k as a slice that the caller may write to, made of
// missing values when there are none yet. The column is not packed any more.
func (t *Timeline) MakeColumn(k event.Kind) []int64 {
	c := t.columns[k]
	if c == nil {
		c = &column{plain: make([]int64, t.n)}
		fillMissing(c.plain)
	} else if c.plain == nil {
		c = &column{plain: t.Column(k)}
	}
	t.columns[k] = c
	return c.plain
}

// SetColumn makes c, one value a block, the values of kind k. The timeline keeps c: what
// timelines share must not be written to.
func (t *Timeline) SetColumn(k event.Kind, c []int64) {
	if len(c) != t.n {
		panic(fmt.Sprintf("traces: column of %d values for %d blocks", len(c), t.n))
	}
	t.columns[k] = &column{plain: c}
}

// ShareColumn makes the values of kind k of another timeline, which spans the same blocks,
// those of t too, in the same memory.
func (t *Timeline) ShareColumn(k event.Kind, from *Timeline) {
	if from.First != t.First || from.n != t.n {
		panic(fmt.Sprintf("traces: column of %d blocks from %d on for %d from %d on", from.n, from.First, t.n, t.First))
	}
	t.columns[k] = from.columns[k]
}

// Build makes what was given to b the values of kind k; blocks that the timeline does not
// span are left out. b is empty then.
func (t *Timeline) Build(k event.Kind, b *ColumnBuilder) {
	t.columns[k] = b.take(uint64(t.First), t.n)
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
		out.columns[k] = c.part(from, to)
	}
	return out
}

// Value returns the value of kind k at index i, event.Missing when not observed. For loops
// over many blocks a Cursor is faster.
func (t *Timeline) Value(k event.Kind, i int) int64 {
	switch c := t.columns[k]; {
	case c == nil:
		return event.Missing
	case c.plain != nil:
		return c.plain[i]
	default:
		return c.value(i)
	}
}

// Observed counts the blocks for which kind k was observed.
func (t *Timeline) Observed(k event.Kind) int { return t.columns[k].summary().observed }

// Bounds returns the least and the greatest of the observed values of kind k and their
// number.
func (t *Timeline) Bounds(k event.Kind) (least, greatest int64, n int) {
	s := t.columns[k].summary()
	return s.least, s.greatest, s.observed
}

// Ascends reports whether kind k was observed for every block and no value is less than
// that of the block before.
func (t *Timeline) Ascends(k event.Kind) bool {
	s := t.columns[k].summary()
	return s.ascends && s.observed == t.n && t.n > 0
}
