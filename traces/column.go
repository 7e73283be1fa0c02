package traces

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/blockreel/blockreel/traces/event"
)

// An encodedColumn is the values of one kind in one group of a data chunk, its holes left out.
type encodedColumn struct {
	kind      event.Kind
	spans     []span
	values    []int64
	low, high int64 // bounds of the values

	// Of a column that is read:
	predictor predictor
	packed    packedValues
}

// A columnEncoder holds what encoding a column needs again and again.
type columnEncoder struct {
	stretches    []stretch
	res, bestRes []int64
	u            []uint64
}

// append appends column c of a group that begins at block first. earlier are the
// group's columns before it, in order.
func (e *columnEncoder) append(b []byte, c *encodedColumn, earlier []encodedColumn, first uint64) []byte {
	p, start := e.choose(c, earlier)
	b = append(b, byte(c.kind))
	b = binary.AppendUvarint(b, uint64(p))
	b = binary.AppendUvarint(b, uint64(len(c.spans)))
	at := first
	for _, s := range c.spans {
		b = binary.AppendUvarint(b, s.first-at)
		b = binary.AppendUvarint(b, uint64(s.n))
		at = s.first + uint64(s.n)
	}
	return e.appendPacked(b, start)
}

// appendPacked appends the residuals in bestRes, of which start is the first prediction.
func (e *columnEncoder) appendPacked(b []byte, start int64) []byte {
	e.u = resize(e.u, len(e.bestRes))
	low, unit, width := scale(e.u, e.bestRes)
	b = binary.AppendVarint(b, start)
	b = binary.AppendVarint(b, low)
	b = binary.AppendUvarint(b, unit)
	b = append(b, byte(width))
	return pack(b, e.u, width)
}

// choose finds the predictor with the smallest residuals and leaves them in bestRes.
func (e *columnEncoder) choose(c *encodedColumn, earlier []encodedColumn) (p predictor, start int64) {
	n := len(c.values)
	e.res, e.bestRes = resize(e.res, n), resize(e.bestRes, n)
	p, start = predictPrevious, c.values[0]
	subtractPrevious(e.bestRes, c.values, start)
	best := cost(e.bestRes)
	if !c.kind.IsTime() {
		if cost(c.values) <= best {
			copy(e.bestRes, c.values)
			return predictZero, 0
		}
		return p, start
	}
	for _, nb := range neighbours[c.kind] {
		for j := range earlier {
			if earlier[j].kind != nb.kind {
				continue
			}
			e.stretches = stretches(e.stretches[:0], c.spans, earlier[j].spans, nb.shift)
			q := predictColumn + predictor(2*j) + predictor(nb.shift)
			s := int64(0)
			if e.stretches[0].j < 0 {
				s = c.values[0]
			}
			subtract(e.res, c.values, s, q, e.stretches, earlier[j].values)
			if now := cost(e.res); now < best {
				best, p, start = now, q, s
				e.res, e.bestRes = e.bestRes, e.res
			}
		}
	}
	return p, start
}

func resize[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// A columnDecoder holds what decoding columns needs again and again. Its values
// and spans are those of one chunk.
type columnDecoder struct {
	values    []int64
	claimed   int // values of the chunk's columns, decoded or not
	spans     []span
	stretches []stretch
	columns   []encodedColumn // of a group
	unwanted  [1 << 8]bool    // kinds that are decoded only where others refer to them
}

// column reads a column of a group that spans count blocks from first on, but not its values.
func (d *columnDecoder) column(c *parser, earlier int, first, count uint64) encodedColumn {
	col := encodedColumn{kind: event.Kind(c.byte())}
	col.predictor = predictor(c.uvarint())
	if col.predictor >= predictColumn+2*predictor(earlier) {
		c.fail(fmt.Errorf("column is predicted from column %d of %d", (col.predictor-predictColumn)/2, earlier))
	}
	n := d.readSpans(c, &col, first, count)
	col.packed = readPacked(c, n)
	return col
}

// decode decodes the values of a column of the group, and of those that it refers to.
func (d *columnDecoder) decode(c *parser, i int) *encodedColumn {
	col := &d.columns[i]
	if col.values != nil || col.packed.n == 0 || c.err != nil {
		return col
	}
	var ref []int64
	if col.predictor >= predictColumn {
		j, shift := col.predictor.reference()
		ref = d.decode(c, j).values
		d.stretches = stretches(d.stretches[:0], col.spans, d.columns[j].spans, shift)
	}
	col.values = d.unpack(&col.packed)
	add(col.values, col.packed.start, col.predictor, d.stretches, ref)
	if col.low, col.high = bounds(col.values); !valid(col.low) || !valid(col.high) {
		c.fail(fmt.Errorf("column holds a value over the limit of %d", int64(MaxValue)))
	}
	return col
}

// packedValues are residuals as they stand in a file.
type packedValues struct {
	n                int
	start, low, unit int64
	width            int
	planes           []byte
}

// readPacked reads n residuals and their start, but does not unpack them. The caller has held n
// against its limit.
func readPacked(c *parser, n int) packedValues {
	start, low, unit, width := c.varint(), c.varint(), c.uvarint(), c.byte()
	switch {
	case c.err != nil:
	case width > 8:
		c.fail(fmt.Errorf("column of values %d bytes wide", width))
	case unit > math.MaxInt64:
		c.fail(fmt.Errorf("unit %d is too large", unit))
	}
	return packedValues{n, start, low, int64(unit), int(width), c.bytes(uint64(n) * uint64(width))}
}

func (d *columnDecoder) unpack(p *packedValues) []int64 {
	at := len(d.values)
	d.values = append(d.values, make([]int64, p.n)...)
	res := d.values[at:len(d.values):len(d.values)]
	unpack(res, p.planes, p.width, p.unit, p.low)
	return res
}

// readSpans reads the spans of col and returns how many values they have.
func (d *columnDecoder) readSpans(c *parser, col *encodedColumn, first, count uint64) (values int) {
	at, end := first, first+count
	from := len(d.spans)
	for n := c.count("spans of a column", MaxChunkValues); n > 0 && c.err == nil; n-- {
		gap, length := c.uvarint(), c.uvarint()
		if c.err == nil && (gap > end-at || length > end-at-gap || length == 0) {
			c.fail(errors.New("column reaches beyond its group"))
		}
		if c.err == nil && length > MaxChunkValues-uint64(d.claimed) {
			c.fail(&LimitError{"values in a chunk", length + uint64(d.claimed), MaxChunkValues})
		}
		if c.err != nil {
			return 0
		}
		d.spans = append(d.spans, span{at + gap, int(length)})
		at += gap + length
		values += int(length)
		d.claimed += int(length)
	}
	col.spans = d.spans[from:len(d.spans):len(d.spans)]
	return values
}
