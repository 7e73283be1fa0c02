package traces

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cespare/xxhash/v2"

	"github.com/blockreel/blockreel/traces/event"
)

// An Index tells where the chunks of a trace stand and what they speak of.
type Index struct {
	Chunks []IndexEntry
	// Rebuilt tells that the file has no index and that this one comes from
	// reading it.
	Rebuilt bool
}

// An IndexEntry is one chunk of an Index.
type IndexEntry struct {
	Type ChunkType
	// Offset is the position of the chunk in the file, Length its bytes.
	Offset, Length int64
	// Extents are the blocks of each stream in the chunk, with their times.
	Extents []Extent
}

// An indexEncoder builds the index while a trace is written.
type indexEncoder struct {
	entries []byte
	chunks  uint64
	extents uint64
}

func (x *indexEncoder) add(typ ChunkType, length int, extents []Extent) {
	x.chunks++
	x.extents += uint64(len(extents))
	if !x.fits() {
		x.entries = nil
		return
	}
	b := append(x.entries, byte(typ))
	b = binary.AppendUvarint(b, uint64(length))
	b = binary.AppendUvarint(b, uint64(len(extents)))
	for _, e := range extents {
		b = binary.AppendUvarint(b, uint64(e.Stream))
		b = binary.AppendUvarint(b, uint64(e.First))
		b = binary.AppendUvarint(b, e.Blocks)
		if e.Start == event.Missing {
			b = append(b, 0)
			continue
		}
		b = append(b, 1)
		b = binary.AppendVarint(b, int64(e.Start))
		b = binary.AppendUvarint(b, uint64(e.End)-uint64(e.Start))
	}
	x.entries = b
}

// fits reports whether the index is within its limits. Once it is not, it stays so.
func (x *indexEncoder) fits() bool {
	return x.chunks <= MaxIndexChunks && x.extents <= MaxIndexChunks && len(x.entries) <= MaxIndexBytes-64
}

// frame returns the frame that ends the trace.
func (x *indexEncoder) frame() []byte {
	b := beginFrame(nil, tagIndex)
	b = binary.AppendUvarint(b, x.chunks)
	if x.fits() {
		b = append(b, 1)
		b = append(b, x.entries...)
	} else {
		b = append(b, 0)
	}
	b = appendHash(b)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(b)+trailerSize))
	b = append(b, tagEnd...)
	return endFrame(b)
}

// parseIndex reads the payload of an index frame. offset is where the first chunk
// begins. An index without entries has Rebuilt set: that is left to do.
func parseIndex(p []byte, offset int64, streams int) (*Index, uint64, error) {
	if len(p) < tagBytes+2+hashBytes+trailerSize {
		return nil, 0, errShort
	}
	if tail := p[len(p)-trailerSize:]; string(tail[4:]) != tagEnd || binary.LittleEndian.Uint32(tail) != uint32(len(p)+frameHead) {
		return nil, 0, errors.New("its last bytes are not those of an index")
	}
	p = p[:len(p)-trailerSize]
	body := p[:len(p)-hashBytes]
	if xxhash.Sum64(body) != binary.LittleEndian.Uint64(p[len(body):]) {
		return nil, 0, errChecksum
	}
	c := &parser{b: body[tagBytes:]}
	chunks := c.uvarint()
	x := &Index{}
	if c.byte() == 0 {
		x.Rebuilt = true
		return x, chunks, c.err
	}
	if err := checkLimit("chunks in the index", chunks, MaxIndexChunks); err != nil {
		return nil, 0, err
	}
	extents := 0
	for i := uint64(0); i < chunks && c.err == nil; i++ {
		e := IndexEntry{Type: ChunkType(c.byte()), Offset: offset}
		e.Length = int64(c.count("length of a chunk", descriptorBytes+maxDescriptor+MaxPayloadChunkBytes))
		offset += e.Length
		for n := c.count("extents in the index", MaxIndexChunks); n > 0 && c.err == nil; n-- {
			if extents++; extents > MaxIndexChunks {
				c.fail(&LimitError{"extents in the index", uint64(extents), MaxIndexChunks})
				break
			}
			e.Extents = append(e.Extents, c.extent(streams))
		}
		x.Chunks = append(x.Chunks, e)
	}
	if c.err == nil && len(c.b) > 0 {
		c.fail(fmt.Errorf("%d bytes behind its last entry", len(c.b)))
	}
	return x, chunks, c.err
}

func (c *parser) extent(streams int) Extent {
	stream, first, blocks := c.uvarint(), c.uvarint(), c.uvarint()
	x := Extent{int(stream), event.BlockNum(first), blocks, event.Missing, event.Missing}
	if c.byte() != 0 {
		x.Start = event.Time(c.varint())
		x.End = event.Time(uint64(x.Start) + c.uvarint())
	}
	switch {
	case c.err != nil:
		return Extent{}
	case stream >= uint64(streams):
		c.fail(fmt.Errorf("stream %d of %d", stream, streams))
	case first > MaxBlockNum || blocks > MaxBlockNum+1-first:
		c.fail(errors.New("block numbers above the limit"))
	}
	return x
}
