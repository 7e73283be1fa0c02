package traces

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/blockreel/blockreel/traces/event"
)

// A Run is a stretch of neighbouring blocks that all have a value of one kind.
type Run struct {
	Stream int
	Kind   event.Kind
	First  event.BlockNum
	// Values has one entry a block, none of them event.Missing.
	Values []int64
}

// An Extent is a range of blocks that a chunk speaks of, with or without values.
type Extent struct {
	Stream int
	First  event.BlockNum
	Blocks uint64
	// Start and End are the earliest and the latest instant of the range; both
	// are event.Missing when it has none.
	Start, End event.Time
}

// appendGroup appends the blocks of one stream: columns over the count blocks from
// first on. It reorders cols.
func (e *columnEncoder) appendGroup(b []byte, stream int, first, count uint64, cols []encodedColumn) []byte {
	b = binary.AppendUvarint(b, uint64(stream))
	b = binary.AppendUvarint(b, first)
	b = binary.AppendUvarint(b, count)
	b = binary.AppendUvarint(b, uint64(len(cols)))
	for i := range cols {
		b = e.append(b, &cols[i], cols[:i], first)
	}
	return b
}

// decodeData reads the content of a data chunk into chunk.
func (d *columnDecoder) decodeData(content []byte, streams int, chunk *Chunk) error {
	d.values, d.claimed, d.spans = d.values[:0], 0, d.spans[:0]
	c := &parser{b: content}
	for n := c.count("groups of a chunk", maxGroups); n > 0 && c.err == nil; n-- {
		d.group(c, streams, chunk)
	}
	if c.err == nil && len(c.b) != 0 {
		c.fail(fmt.Errorf("%d bytes behind the last column", len(c.b)))
	}
	return c.err
}

func (d *columnDecoder) group(c *parser, streams int, chunk *Chunk) {
	stream, first, count := c.uvarint(), c.uvarint(), c.uvarint()
	columns := c.count("columns of a group", maxColumns)
	switch {
	case c.err != nil:
		return
	case stream >= uint64(streams):
		c.fail(fmt.Errorf("stream %d of %d", stream, streams))
		return
	case first > MaxBlockNum || count > MaxBlockNum+1-first:
		c.fail(errors.New("block numbers above the limit"))
		return
	}
	ext := Extent{int(stream), event.BlockNum(first), count, event.Missing, event.Missing}
	d.columns = d.columns[:0]
	for ; columns > 0 && c.err == nil; columns-- {
		d.columns = append(d.columns, d.column(c, len(d.columns), first, count))
	}
	for i := range d.columns {
		if d.unwanted[d.columns[i].kind] {
			continue
		}
		col := d.decode(c, i)
		if c.err != nil {
			return
		}
		if !col.kind.Valid() {
			continue // of a newer version
		}
		if col.kind.IsTime() && len(col.values) > 0 {
			ext.cover(col.low, col.high)
		}
		at := 0
		for _, s := range col.spans {
			chunk.Runs = append(chunk.Runs, Run{int(stream), col.kind, event.BlockNum(s.first), col.values[at : at+s.n]})
			at += s.n
		}
	}
	if c.err != nil {
		return
	}
	chunk.Extents = append(chunk.Extents, ext)
}

// cover widens the extent's time range to hold the instants from low to high.
func (x *Extent) cover(low, high int64) {
	if x.Start == event.Missing {
		x.Start, x.End = event.Time(low), event.Time(high)
		return
	}
	x.Start, x.End = min(x.Start, event.Time(low)), max(x.End, event.Time(high))
}
