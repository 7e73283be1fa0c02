package traces

import "github.com/blockreel/blockreel/traces/event"

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
