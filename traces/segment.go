package traces

import (
	"encoding/binary"
	"math"
	"math/bits"
	"slices"

	"github.com/blockreel/blockreel/traces/event"
)

// segmentBlocks is the number of blocks of a segment: 8 KiB when it is unpacked, which a
// processor keeps at hand. Segments begin at multiples of it.
const segmentBlocks = 1024

// A segment is the values of one kind of segmentBlocks neighbouring blocks, packed. It
// is never changed. A zero segment has no values.
//
// The bytes are a bit for each block, set when it has a value, unless all of them have;
// and then, for each value, a number of width bits: the value, or its difference from the
// value before, less low and divided by unit.
type segment struct {
	data            []byte
	low, base       int64
	least, greatest int64
	unit            int64
	observed        int16
	width           uint8
	deltas          bool
	ascends         bool // no value is less than the one before it
}

const maskBytes = segmentBlocks / 8

// packSegment packs the values of a segment.
func packSegment(values []int64) (s segment) {
	var mask [maskBytes]byte
	var dense [segmentBlocks]int64
	v := values
	if slices.Contains(values, event.Missing) {
		n := 0
		for i, x := range values {
			dense[n] = x
			if x != event.Missing {
				mask[i/8] |= 1 << (i % 8)
				n++
			}
		}
		v = dense[:n]
	}
	n := len(v)
	if n == 0 {
		return segment{}
	}
	s.observed = int16(n)
	span := s.measure(v)
	var u [segmentBlocks]uint64
	subtractLow(u[:n], v, &s)
	s.unit = 1
	for _, unit := range []uint64{1_000_000, 1_000} {
		if span >= unit && divideAll(u[:n], unit) {
			s.unit, span = int64(unit), span/unit
			break
		}
	}
	s.width = uint8(bits.Len64(span))
	if s.width > 57 { // more than an unaligned word holds in any case
		s.width = 64
	}
	head := 0
	if n < segmentBlocks {
		head = maskBytes
	}
	s.data = make([]byte, head+n*int(s.width)/8+8)
	copy(s.data[:head], mask[:])
	packBits(s.data[head:], u[:n], uint(s.width))
	return s
}

// measure sets the bounds of the values and chooses between them and their differences.
// It returns the greatest number that is left of these.
func (s *segment) measure(v []int64) (span uint64) {
	s.base = v[0]
	prev, low, high := v[0], int64(math.MaxInt64), int64(math.MinInt64)
	least, greatest, ascends := v[0], v[0], true
	for _, x := range v[1:] {
		d := x - prev
		low, high = min(low, d), max(high, d)
		least, greatest = min(least, x), max(greatest, x)
		if x < prev {
			ascends = false
		}
		prev = x
	}
	if len(v) == 1 {
		low, high = 0, 0
	}
	s.least, s.greatest, s.ascends = least, greatest, ascends
	s.low, span = s.least, uint64(s.greatest)-uint64(s.least)
	if d := uint64(high) - uint64(low); bits.Len64(d)+1 < bits.Len64(span) {
		s.deltas, s.low, span = true, low, d
	}
	return span
}

func subtractLow(u []uint64, v []int64, s *segment) {
	u = u[:len(v)]
	if !s.deltas {
		for i, x := range v {
			u[i] = uint64(x - s.low)
		}
		return
	}
	prev := s.base - s.low // so the first number is 0
	for i, x := range v {
		u[i] = uint64(x - prev - s.low)
		prev = x
	}
}

// divideAll divides the numbers if unit divides each of them.
func divideAll(u []uint64, unit uint64) bool {
	for _, x := range u {
		// Division by a constant is many times faster.
		if unit == 1_000_000 && x%1_000_000 != 0 || unit == 1_000 && x%1_000 != 0 {
			return false
		}
	}
	divide(u, unit)
	return true
}

// packBits writes width bits of each number to b, which has 8 bytes of room beyond them.
func packBits(b []byte, u []uint64, width uint) {
	word, used, at := uint64(0), uint(0), 0
	for _, x := range u {
		word |= x << used
		if used += width; used >= 64 {
			binary.LittleEndian.PutUint64(b[at:at+8], word)
			at += 8
			used -= 64
			word = x >> (width - used) // 0 when nothing of x is left
		}
	}
	binary.LittleEndian.PutUint64(b[at:at+8], word)
}

// unpackBits is the inverse of packBits; every value comes multiplied by unit and with low
// added.
func unpackBits(dst []int64, b []byte, width uint, unit, low int64) {
	if width == 0 {
		for i := range dst {
			dst[i] = low
		}
		return
	}
	mask := uint64(1)<<width - 1
	at := uint(0)
	for i := range dst {
		dst[i] = int64(binary.LittleEndian.Uint64(b[at>>3:at>>3+8])>>(at&7)&mask)*unit + low
		at += width
	}
}

// unpack writes the values of the segment to dst.
func (s *segment) unpack(dst *[segmentBlocks]int64) {
	n := int(s.observed)
	dense, data := dst[segmentBlocks-n:], s.data
	if n == 0 {
		fillMissing(dst[:])
		return
	}
	if n < segmentBlocks {
		data = data[maskBytes:]
	}
	unpackBits(dense, data, uint(s.width), s.unit, s.low)
	if s.deltas {
		addPrevious(dense, s.base-s.low)
	}
	if n == segmentBlocks {
		return
	}
	// The values stand at the end and move to the front, none of them over another.
	for i, m := range s.data[:maskBytes] {
		for j := range 8 {
			if m>>j&1 == 0 {
				dst[8*i+j] = event.Missing
				continue
			}
			v := dense[0]
			dense = dense[1:]
			dst[8*i+j] = v
		}
	}
}
