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
	i := e.Stream*event.NumKinds + int(e.Kind)
	w := &t.windows[i]
	grows := w.reach(uint64(e.Block)) - uint64(w.len())
	if grows > maxBufferedCells-t.cells { // so far from what is buffered that it would be mostly holes
		if err := t.flushEvents(); err != nil {
			return err
		}
		grows = 1
	}
	if w.len() == 0 {
		t.used = append(t.used, i)
	}
	w.set(uint64(e.Block), e.Value)
	t.cells += grows
	t.events++
	if t.events >= t.cfg.ChunkEvents {
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
	groups := 0
	for s := range t.header.Streams {
		windows := t.windows[s*event.NumKinds : (s+1)*event.NumKinds]
		first, end := uint64(0), uint64(0)
		for i := range windows {
			if w := &windows[i]; w.len() > 0 {
				if end == 0 {
					first, end = w.first, w.end()
				}
				first, end = min(first, w.first), max(end, w.end())
			}
		}
		if end == 0 {
			continue
		}
		groups++
		t.group(s, first, end-first, func(k event.Kind) ([]int64, uint64) { return windows[k].vals(), windows[k].first })
	}
	t.resetWindows()
	return t.endData(groups)
}

// resetWindows empties the windows. They keep their memory, unless far-apart blocks
// have made it large.
func (t *Writer) resetWindows() {
	for _, i := range t.used {
		t.windows[i].reset()
	}
	held := 0
	for i := range t.windows {
		held += len(t.windows[i].buf)
	}
	if held > 4*maxBufferedCells {
		clear(t.windows)
	}
	t.used, t.events, t.cells = t.used[:0], 0, 0
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
		first := uint64(tl.First) + uint64(from)
		t.beginData()
		t.group(stream, first, uint64(to-from), func(k event.Kind) ([]int64, uint64) {
			return t.bulkOf(tl.columns[k], k, from, to), first
		})
		if err := t.endData(1); err != nil {
			return err
		}
	}
	return nil
}

// bulkOf returns values of a column, and keeps those of each kind apart.
func (t *Writer) bulkOf(c *column, k event.Kind, from, to int) []int64 {
	switch {
	case c == nil:
		return nil
	case c.plain != nil:
		return c.plain[from:to]
	}
	t.bulk[k] = resize(t.bulk[k], to-from)
	c.read(t.bulk[k], from)
	return t.bulk[k]
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

// group encodes the blocks of one stream; values returns a kind's values and the
// block that they begin with.
func (t *Writer) group(stream int, first, count uint64, values func(event.Kind) ([]int64, uint64)) {
	t.cols, t.spans, t.holed = t.cols[:0], t.spans[:0], t.holed[:0]
	ext := Extent{stream, event.BlockNum(first), count, event.Missing, event.Missing}
	for _, k := range columnOrder {
		v, from := values(k)
		at := len(t.spans)
		t.spans = findSpans(t.spans, v, from)
		if len(t.spans) == at {
			continue
		}
		col := encodedColumn{kind: k, spans: t.spans[at:len(t.spans):len(t.spans)]}
		col.values = t.closeUp(v, from, col.spans)
		if k.IsTime() {
			ext.cover(bounds(col.values))
		}
		t.cols = append(t.cols, col)
	}
	t.content = t.columns.appendGroup(t.content, stream, first, count, t.cols)
	t.extents = append(t.extents, ext)
}

// closeUp returns the values of the spans without the holes between them.
func (t *Writer) closeUp(v []int64, from uint64, spans []span) []int64 {
	if len(spans) == 1 {
		i := int(spans[0].first - from)
		return v[i : i+spans[0].n]
	}
	at := len(t.holed)
	for _, s := range spans {
		i := int(s.first - from)
		t.holed = append(t.holed, v[i:i+s.n]...)
	}
	return t.holed[at:len(t.holed):len(t.holed)]
}
