package traces

import (
	"iter"

	"github.com/blockreel/blockreel/traces/event"
)

// A Cursor reads the values of one kind block by block. Reading them in order costs little
// more than reading a slice; a step back or far ahead unpacks up to 1,024 values.
type Cursor struct {
	column *column
	from   int
	values []int64 // from index from on
	buf    *[segmentBlocks]int64
}

// Cursor returns a cursor over the values of kind k. A copy of it must not be used beside it.
func (t *Timeline) Cursor(k event.Kind) Cursor { return Cursor{column: t.columns[k]} }

// Known reports whether any value was observed.
func (c *Cursor) Known() bool { return c.column != nil }

// At returns the value at index i, event.Missing when not observed.
func (c *Cursor) At(i int) int64 {
	if at := uint(i - c.from); at < uint(len(c.values)) {
		return c.values[at]
	}
	return c.seek(i)
}

func (c *Cursor) seek(i int) int64 {
	if c.column == nil {
		return event.Missing
	}
	c.Window(i)
	return c.values[i-c.from]
}

// Window returns the values around index i that are at hand at once, and the index of the first of
// them. They are good until the next call of a method. The kind must be known.
func (c *Cursor) Window(i int) (from int, values []int64) {
	c.from, c.values, c.buf = c.column.window(i, c.buf)
	return c.from, c.values
}

// noValues stands for a window of a kind that was not observed.
var noValues = func() (v [segmentBlocks]int64) { fillMissing(v[:]); return v }()

// Windows iterates over the blocks in order, up to 1,024 at a time: it yields the index of the
// first of them and the values of each of the kinds, which are good until the next step.
func (t *Timeline) Windows(kinds ...event.Kind) iter.Seq2[int, [][]int64] {
	return t.windows(0, t.n, kinds...)
}

// windows is Windows of the blocks at the indexes [from, end).
func (t *Timeline) windows(from, end int, kinds ...event.Kind) iter.Seq2[int, [][]int64] {
	return func(yield func(int, [][]int64) bool) {
		windows := make([][]int64, len(kinds))
		buf := make([]*[segmentBlocks]int64, len(kinds))
		skip := int(t.First % segmentBlocks)
		for from := from; from < end; {
			to := min(end, from+segmentBlocks-(from+skip)%segmentBlocks)
			for i, k := range kinds {
				windows[i] = noValues[:]
				if c := t.columns[k]; c != nil {
					var at int
					at, windows[i], buf[i] = c.window(from, buf[i])
					windows[i] = windows[i][from-at:]
				}
				to = min(to, from+len(windows[i]))
			}
			for i := range windows {
				windows[i] = windows[i][:to-from]
			}
			if !yield(from, windows) {
				return
			}
			from = to
		}
	}
}
