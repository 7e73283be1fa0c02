package traces

import (
	"iter"
	"math"
	"sync/atomic"

	"github.com/blockreel/blockreel/traces/event"
)

// A column is the values of one kind of a timeline: a slice, or else packed segments, which
// are never changed, so that timelines can share them.
type column struct {
	plain []int64

	// segments[0] has the block at index 0, at offset values from its start.
	segments []segment
	offset   int
	n        int
	about    summary

	last atomic.Pointer[unpacked] // that value has looked at
}

// An unpacked is the values of one segment.
type unpacked struct {
	segment int
	values  [segmentBlocks]int64
}

// A summary is what is known of the values of a column without a look at each of them.
type summary struct {
	observed        int
	least, greatest int64 // 0 when nothing was observed
	ascends         bool  // no observed value is less than the one before
}

// add adds values that stand after those before.
func (s *summary) add(n int, least, greatest int64, ascends bool) {
	if n == 0 {
		return
	}
	if s.observed == 0 {
		*s = summary{n, least, greatest, ascends}
		return
	}
	// Where both ascend, the greatest stands last and the least first.
	s.ascends = s.ascends && ascends && s.greatest <= least
	s.observed, s.least, s.greatest = s.observed+n, min(s.least, least), max(s.greatest, greatest)
}

// summarize adds the values one by one.
func (s *summary) summarize(values []int64) {
	n, least, greatest, ascends, prev := 0, int64(math.MaxInt64), int64(math.MinInt64), true, int64(math.MinInt64)
	for _, v := range values {
		if v == event.Missing {
			continue
		}
		n++
		least, greatest = min(least, v), max(greatest, v)
		ascends = ascends && v >= prev
		prev = v
	}
	s.add(n, least, greatest, ascends)
}

func (c *column) slice() []int64 {
	if c == nil {
		return nil
	}
	return c.plain
}

// newColumn returns a column of n values, nil when none of them was observed.
func newColumn(segments []segment, offset, n int) *column {
	c := &column{segments: segments, offset: offset, n: n}
	var buf [segmentBlocks]int64
	for i := range segments {
		s := &segments[i]
		from, to := c.within(i)
		if to-from == segmentBlocks {
			c.about.add(int(s.observed), s.least, s.greatest, s.ascends)
			continue
		}
		s.unpack(&buf)
		c.about.summarize(buf[from:to])
	}
	if c.about.observed == 0 {
		return nil
	}
	return c
}

// within returns which values of a segment lie in the column.
func (c *column) within(segment int) (from, to int) {
	end := c.offset + c.n - segment*segmentBlocks
	if segment == 0 {
		from = c.offset
	}
	return from, min(end, segmentBlocks)
}

func (c *column) summary() (s summary) {
	switch {
	case c == nil:
		return s
	case c.plain != nil:
		s.summarize(c.plain)
		return s
	}
	return c.about
}

// part returns the values [from, to), nil when none of them was observed.
func (c *column) part(from, to int) *column {
	if c == nil {
		return nil
	}
	if c.plain != nil {
		p := &column{plain: c.plain[from:to:to]}
		if p.summary().observed == 0 {
			return nil
		}
		return p
	}
	from, to = from+c.offset, to+c.offset
	return newColumn(c.segments[from/segmentBlocks:(to-1)/segmentBlocks+1], from%segmentBlocks, to-from)
}

// value returns the value at index i. It keeps the segment that it has unpacked for the next
// one, and may be called by many at once.
func (c *column) value(i int) int64 {
	i += c.offset
	u := c.last.Load()
	if u == nil || u.segment != i/segmentBlocks {
		u = &unpacked{segment: i / segmentBlocks}
		c.segments[u.segment].unpack(&u.values)
		c.last.Store(u)
	}
	return u.values[i%segmentBlocks]
}

// window returns the values that are at hand at once with the one at index i, and the index of
// the first of them; buf is room for them, which window makes when it is nil.
func (c *column) window(i int, buf *[segmentBlocks]int64) (from int, values []int64, room *[segmentBlocks]int64) {
	if c.plain != nil {
		return 0, c.plain, buf
	}
	if buf == nil {
		buf = new([segmentBlocks]int64)
	}
	s := (i + c.offset) / segmentBlocks
	c.segments[s].unpack(buf)
	lo, hi := c.within(s)
	return s*segmentBlocks + lo - c.offset, buf[lo:hi], buf
}

// read copies the values from index from on to dst.
func (c *column) read(dst []int64, from int) {
	if c == nil {
		fillMissing(dst)
		return
	}
	var buf *[segmentBlocks]int64
	for len(dst) > 0 {
		var at int
		var values []int64
		at, values, buf = c.window(from, buf)
		n := copy(dst, values[from-at:])
		dst, from = dst[n:], from+n
	}
}

// Read copies the values of kind k from index from on to dst.
func (t *Timeline) Read(dst []int64, k event.Kind, from int) { t.columns[k].read(dst, from) }

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

// A ColumnBuilder makes a column of a timeline, see [Timeline.Build]. Values may come in any order of the
// blocks, and of two of one block the later counts; in the order of the blocks they cost
// least. The zero ColumnBuilder is empty.
type ColumnBuilder struct {
	first    uint64 // number of segments[0], in segments
	segments []segment
	at       uint64 // the segment that is open
	open     *[segmentBlocks]int64
}

// Set sets the value of a block.
func (b *ColumnBuilder) Set(block event.BlockNum, v int64) {
	if b.open == nil || b.at != uint64(block)/segmentBlocks {
		b.turn(uint64(block) / segmentBlocks)
	}
	b.open[block%segmentBlocks] = v
}

// SetRun sets the values of neighbouring blocks, and returns how many of them had one before.
func (b *ColumnBuilder) SetRun(block event.BlockNum, values []int64) (replaced int) {
	for len(values) > 0 {
		s, at := uint64(block)/segmentBlocks, int(block%segmentBlocks)
		n := min(segmentBlocks-at, len(values))
		isOpen := b.open != nil && b.at == s
		if n == segmentBlocks && !isOpen {
			if to := b.segment(s); to.observed == 0 {
				*to = packSegment(values[:n])
				block, values = block+event.BlockNum(n), values[n:]
				continue
			}
		}
		if !isOpen {
			b.turn(s)
		}
		to := b.open[at : at+n]
		for i, v := range values[:n] {
			if to[i] != event.Missing {
				replaced++
			}
			to[i] = v
		}
		block, values = block+event.BlockNum(n), values[n:]
	}
	return replaced
}

// segment returns segment s, for which it makes room.
func (b *ColumnBuilder) segment(s uint64) *segment {
	switch {
	case len(b.segments) == 0:
		b.first = s
	case s < b.first:
		b.segments = append(make([]segment, b.first-s), b.segments...)
		b.first = s
	}
	if i := int(s - b.first); i >= len(b.segments) {
		b.segments = append(b.segments, make([]segment, i+1-len(b.segments))...)
	}
	return &b.segments[s-b.first]
}

// turn opens segment s instead of the one that is open.
func (b *ColumnBuilder) turn(s uint64) {
	to := *b.segment(s)
	b.close()
	if b.open == nil {
		b.open = new([segmentBlocks]int64)
	}
	b.at = s
	to.unpack(b.open)
}

// close packs the segment that is open.
func (b *ColumnBuilder) close() {
	if b.open != nil {
		*b.segment(b.at) = packSegment(b.open[:])
	}
}

// take returns the column of n blocks from number first on and leaves the builder empty.
func (b *ColumnBuilder) take(first uint64, n int) *column {
	b.close()
	if len(b.segments) == 0 || n == 0 {
		return nil
	}
	b.segment(first / segmentBlocks)
	b.segment((first + uint64(n) - 1) / segmentBlocks)
	from := first/segmentBlocks - b.first
	to := (first+uint64(n)-1)/segmentBlocks - b.first
	segments := b.segments[from : to+1 : to+1]
	*b = ColumnBuilder{}
	return newColumn(segments, int(first%segmentBlocks), n)
}

func fillMissing(c []int64) {
	for i := range c {
		c[i] = event.Missing
	}
}
