package traces

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"

	"github.com/klauspost/compress/zstd"

	"github.com/blockreel/blockreel/traces/event"
)

// ReaderConfig sets what a Reader decodes and how much memory a trace may take.
type ReaderConfig struct {
	// SkipData, which is of samples too, and SkipPayloads make the Reader check the
	// chunks of that kind without decoding them.
	SkipData, SkipPayloads bool
	// Kinds are those whose values are decoded; nil means all. The instants of an Extent are
	// of these too.
	Kinds []event.Kind
	// MaxCells bounds blocks × columns over all streams of a trace that is read
	// into memory, and eight cells a sample; 0 means the constant MaxCells.
	MaxCells uint64
}

func (c *ReaderConfig) validate() error {
	if c.MaxCells == 0 {
		c.MaxCells = MaxCells
	}
	return checkLimit("cells of a trace in memory", c.MaxCells, MaxCells)
}

// A Chunk is what one chunk of a trace holds. It is good until the next one is read.
type Chunk struct {
	Type ChunkType
	// Offset is the position of the chunk in the file, Length its bytes.
	Offset, Length int64
	// Extents are the ranges of blocks that the chunk speaks of.
	Extents  []Extent
	Runs     []Run          // of a data chunk
	Notes    []Note         // of a notes chunk
	Payloads []Payload      // of a payloads chunk
	Samples  []SampleColumn // of a samples chunk
}

// A Reader reads a trace from its beginning to its end, chunk by chunk. It needs no
// more memory than one chunk.
type Reader struct {
	r      *bufio.Reader
	cfg    ReaderConfig
	header Header
	minor  int
	dec    *zstd.Decoder
	err    error
	offset int64 // of the next byte in r
	good   int64 // of the first byte behind the last whole chunk
	seq    uint32
	start  int64 // of the first chunk
	index  *Index

	chunk      Chunk
	columns    columnDecoder
	frame      []byte
	compressed []byte
	content    []byte
}

// NewReader reads the header. Its error is ErrNotTrace, a *VersionError, a
// *CorruptError or ErrTruncated (wrapped) when there is no whole header.
func NewReader(r io.Reader, cfg ReaderConfig) (*Reader, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	t := &Reader{r: bufio.NewReaderSize(r, 64<<10), cfg: cfg}
	if err := t.readHeader(); err != nil {
		return nil, err
	}
	if cfg.Kinds != nil {
		for k := range t.columns.unwanted {
			t.columns.unwanted[k] = !slices.Contains(cfg.Kinds, event.Kind(k))
		}
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecodeAllCapLimit(true),
		zstd.WithDecoderMaxMemory(MaxPayloadChunkBytes), zstd.WithDecoderMaxWindow(MaxPayloadChunkBytes))
	t.dec = dec
	return t, err
}

// Header returns the header. The caller must not change it.
func (r *Reader) Header() Header { return r.header }

// Index returns the index of the trace, or nil when its end has not been reached
// or it has none.
func (r *Reader) Index() *Index { return r.index }

// Next reads the next chunk. It returns io.EOF at the end of a whole trace, and no
// other error stands for that: a trace that is cut short gives ErrTruncated, a
// damaged one a *CorruptError. Errors stay.
func (r *Reader) Next() (*Chunk, error) {
	if r.err == nil {
		r.err = r.next()
	}
	if r.err != nil {
		return nil, r.err
	}
	return &r.chunk, nil
}

func (r *Reader) next() error {
	p, err := r.readFrame(MaxIndexBytes)
	if err != nil {
		return err
	}
	if len(p) < tagBytes {
		return r.corrupt("frame", errShort)
	}
	switch tag := string(p[:tagBytes]); tag {
	case tagChunk:
	case tagIndex:
		return r.finish(p)
	default:
		return r.corrupt(fmt.Sprintf("frame with unknown tag %q", tag), nil)
	}
	if n := len(p) + frameHead; n < descriptorBytes || n > maxDescriptor {
		return r.corrupt("descriptor of a chunk", fmt.Errorf("%d bytes long", n))
	}
	d := parseDescriptor(p)
	r.chunk = Chunk{
		Type: d.typ, Offset: r.good, Length: int64(len(p)) + frameHead + int64(d.compressed),
		Extents: r.chunk.Extents[:0], Runs: r.chunk.Runs[:0], Notes: r.chunk.Notes[:0], Payloads: r.chunk.Payloads[:0],
		Samples: r.chunk.Samples[:0],
	}
	what := d.typ.String() + " chunk"
	for _, n := range []uint32{d.compressed, d.raw} {
		if err := checkLimit("bytes of a chunk", uint64(n), d.typ.limit()); err != nil {
			return r.corrupt(what, err)
		}
	}
	if d.seq != r.seq {
		return r.corrupt(what, fmt.Errorf("number %d where %d was expected", d.seq, r.seq))
	}
	skip := r.cfg.SkipData && (d.typ == ChunkData || d.typ == ChunkSamples) ||
		r.cfg.SkipPayloads && d.typ == ChunkPayloads || d.typ.String() == unknownChunk
	if err := r.readBody(d, p[:len(p)-hashBytes], skip); err != nil {
		return err
	}
	if !skip {
		if err := r.decode(d); err != nil {
			return r.corrupt(what, err)
		}
	}
	r.seq++
	r.good = r.offset
	return nil
}

// Chunks iterates over the chunks that are left; an error is the last it yields.
func (r *Reader) Chunks() iter.Seq2[*Chunk, error] {
	return func(yield func(*Chunk, error) bool) {
		for {
			c, err := r.Next()
			if errors.Is(err, io.EOF) {
				return
			}
			if !yield(c, err) || err != nil {
				return
			}
		}
	}
}

// Events iterates over the values of the data chunks that are left as events, in the
// order of the file: stream by stream and kind by kind within a chunk.
func (r *Reader) Events() iter.Seq2[event.Event, error] {
	return func(yield func(event.Event, error) bool) {
		for c, err := range r.Chunks() {
			if err != nil {
				yield(event.Event{}, err)
				return
			}
			for _, run := range c.Runs {
				for i, v := range run.Values {
					e := event.Event{Stream: run.Stream, Kind: run.Kind, Block: run.First + event.BlockNum(i), Value: v}
					if !yield(e, nil) {
						return
					}
				}
			}
		}
	}
}
