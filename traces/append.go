package traces

import (
	"fmt"

	"github.com/blockreel/blockreel/traces/event"
)

// bulkBlocks is how many blocks of a timeline go into one chunk.
const bulkBlocks = 16 << 10

// Append buffers an event. Events may come in any order; of two with the same
// stream, kind and block the later one counts. It allocates nothing but the growth
// of its buffers.
func (t *Writer) Append(e event.Event) error {
	if err := t.usable(); err != nil {
		return err
	}
	if uint(e.Stream) >= uint(len(t.header.Streams)) || !e.Kind.Valid() || e.Block > MaxBlockNum || !valid(e.Value) {
		return t.refuse(e)
	}
	reach := &t.reach[e.Stream]
	if reach.spanned && max(reach.end, uint64(e.Block)+1)-min(reach.first, uint64(e.Block)) > maxGroupBlocks {
		if err := t.flushEvents(); err != nil { // the group would be mostly holes
			return err
		}
	}
	reach.cover(uint64(e.Block), 1)
	t.pending[e.Stream*event.NumKinds+int(e.Kind)].add(uint64(e.Block), e.Value)
	if t.events++; t.events >= t.cfg.ChunkEvents {
		return t.flushEvents()
	}
	return nil
}

func (t *Writer) refuse(e event.Event) error {
	switch {
	case uint(e.Stream) >= uint(len(t.header.Streams)):
		return fmt.Errorf("event on stream %d of %d", e.Stream, len(t.header.Streams))
	case !e.Kind.Valid():
		return fmt.Errorf("event of unknown %v", e.Kind)
	case e.Block > MaxBlockNum:
		return &LimitError{"block number", uint64(e.Block), MaxBlockNum}
	}
	return fmt.Errorf("%v of block %d is %d: over the limit of %d from zero", e.Kind, e.Block, e.Value, int64(MaxValue))
}

// valid reports whether v can be the value of an event.
func valid(v int64) bool { return -MaxValue <= v && v <= MaxValue }

// flushEvents writes the buffered events as one chunk.
func (t *Writer) flushEvents() error {
	if t.events == 0 {
		return nil
	}
	t.beginData()
	groups, room := 0, 0
	for s := range t.reach {
		kinds := t.pending[s*event.NumKinds : (s+1)*event.NumKinds]
		if r := &t.reach[s]; r.spanned {
			groups++
			t.group(s, r.first, r.end-r.first, kinds)
			*r = reach{}
		}
		for k := range kinds {
			kinds[k].reset()
			room += cap(kinds[k].values)
		}
	}
	if room > 8*t.cfg.ChunkEvents { // many streams took turns
		clear(t.pending)
	}
	t.events = 0
	return t.endData(groups)
}

// AppendTimeline writes the timeline, chunk by chunk, as stream's. The stream's
// description comes from the Header, not from the timeline.
func (t *Writer) AppendTimeline(stream int, tl *Timeline) error {
	if err := t.usable(); err != nil {
		return err
	}
	if uint(stream) >= uint(len(t.header.Streams)) {
		return fmt.Errorf("timeline of stream %d of %d", stream, len(t.header.Streams))
	}
	if tl.First > MaxBlockNum || uint64(tl.n) > MaxBlockNum+1-uint64(tl.First) {
		return &LimitError{"block number", uint64(tl.First) + uint64(tl.n) - 1, MaxBlockNum}
	}
	for k := event.Kind(0); k.Valid(); k++ {
		if least, greatest, _ := tl.Bounds(k); valid(least) && valid(greatest) {
			continue
		}
		for i := range tl.n {
			if v := tl.Value(k, i); v != event.Missing && !valid(v) {
				return t.refuse(event.Event{Stream: stream, Kind: k, Block: tl.Block(i), Value: v})
			}
		}
	}
	if err := t.flushEvents(); err != nil { // they came first
		return err
	}
	for from := 0; from < tl.n; from += bulkBlocks {
		to := min(tl.n, from+bulkBlocks)
		for k := range t.bulk {
			if t.bulk[k].reset(); tl.columns[k] == nil {
				continue
			}
			for at, w := range tl.windows(from, to, event.Kind(k)) {
				t.bulk[k].addAll(uint64(tl.Block(at)), w[0])
			}
		}
		t.beginData()
		t.group(stream, uint64(tl.Block(from)), uint64(to-from), t.bulk[:])
		if err := t.endData(1); err != nil {
			return err
		}
	}
	return nil
}

// beginData leaves room for the number of groups, which endData fills in.
func (t *Writer) beginData() {
	t.content = append(t.content[:0], 0, 0)
	t.extents = t.extents[:0]
}

func (t *Writer) endData(groups int) error {
	// A varint of two bytes: MaxStreams is below 2^14.
	t.content[0], t.content[1] = byte(groups)|0x80, byte(groups>>7)
	return t.writeChunk(ChunkData, t.content, t.extents)
}

// group encodes the blocks of one stream, of which kinds has the values.
func (t *Writer) group(stream int, first, count uint64, kinds []pending) {
	t.cols = t.cols[:0]
	ext := Extent{stream, event.BlockNum(first), count, event.Missing, event.Missing}
	for _, k := range columnOrder {
		p := &kinds[k]
		if len(p.values) == 0 {
			continue
		}
		p.settle()
		col := encodedColumn{kind: k, spans: p.spans, values: p.values}
		if k.IsTime() {
			ext.cover(bounds(col.values))
		}
		t.cols = append(t.cols, col)
	}
	t.content = t.columns.appendGroup(t.content, stream, first, count, t.cols)
	t.extents = append(t.extents, ext)
}
