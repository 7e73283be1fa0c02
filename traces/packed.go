package traces

import (
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

func fillMissing(c []int64) {
	for i := range c {
		c[i] = event.Missing
	}
}
