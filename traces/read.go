package traces

import (
	"errors"
	"fmt"
	"io"

	"github.com/blockreel/blockreel/traces/event"
)

// Read reads a whole trace into memory, without payloads. A trace that was cut
// short or is damaged behind its header is read up to its last whole chunk; its Loss
// tells what is missing, and the error is nil.
func Read(r io.Reader) (*Trace, error) { return ReadConfig(r, ReaderConfig{}) }

// ReadConfig is Read with limits and choices of its own. Payloads are always skipped.
func ReadConfig(r io.Reader, cfg ReaderConfig) (*Trace, error) {
	cfg.SkipPayloads = true
	tr, err := NewReader(r, cfg)
	if err != nil {
		return nil, err
	}
	b := newBuilder(tr.header, tr.cfg.MaxCells)
	for {
		c, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return b.trace(), nil
		}
		if err != nil {
			t := b.trace()
			t.Loss, err = tr.loss(err)
			return t, err
		}
		if err := b.chunk(c); err != nil {
			return nil, err
		}
	}
}

// loss describes what lies behind the last whole chunk, or returns err when it is
// not the trace's fault.
func (r *Reader) loss(err error) (*Loss, error) {
	var corrupt *CorruptError
	if !errors.Is(err, ErrTruncated) && !errors.As(err, &corrupt) {
		return nil, err
	}
	rest, readErr := io.Copy(io.Discard, r.r)
	if readErr != nil {
		return nil, fmt.Errorf("read trace: %w", readErr)
	}
	return &Loss{Offset: r.good, Bytes: r.offset + rest - r.good, Cause: err}, nil
}

// A builder assembles a trace from chunks.
type builder struct {
	header   Header
	maxCells uint64
	streams  []streamBuilder
	notes    []Note
	values   uint64
	cells    uint64 // of all streams
	samples  sampleSet
	sampled  uint64 // samples
	repeated uint64 // values that replaced another one of their block
	open     []*ColumnBuilder
}

// maxOpen is how many columns may hold a segment unpacked.
const maxOpen = 256

type streamBuilder struct {
	reach
	has      [event.NumKinds]bool
	columns  int    // that it has
	cells    uint64 // span × columns
	builders [event.NumKinds]ColumnBuilder
}

func newBuilder(h Header, maxCells uint64) *builder {
	return &builder{header: h, maxCells: maxCells, streams: make([]streamBuilder, len(h.Streams))}
}

// chunk adds what a chunk of data, notes or samples holds.
func (b *builder) chunk(c *Chunk) error {
	if c.Type == ChunkNotes {
		if err := checkLimit("notes of the trace", uint64(len(b.notes)+len(c.Notes)), MaxNotes); err != nil {
			return err
		}
		b.notes = append(b.notes, c.Notes...)
	}
	for i := range c.Samples {
		if err := b.addSamples(&c.Samples[i]); err != nil {
			return err
		}
	}
	if c.Type != ChunkData || len(c.Extents) == 0 {
		return nil
	}
	for _, x := range c.Extents {
		b.streams[x.Stream].cover(uint64(x.First), x.Blocks)
	}
	for _, r := range c.Runs {
		b.values += uint64(len(r.Values))
		b.streams[r.Stream].have(r.Kind)
	}
	for _, x := range c.Extents {
		if err := b.account(x.Stream); err != nil {
			return err
		}
	}
	for _, r := range c.Runs {
		b.repeated += uint64(b.column(r.Stream, r.Kind).SetRun(r.First, r.Values))
	}
	return nil
}

// column returns a column for values that come next. Of a trace of many streams it packs
// those that wait for more, or each kind of each stream would take the memory of a segment.
func (b *builder) column(stream int, k event.Kind) *ColumnBuilder {
	c := &b.streams[stream].builders[k]
	if c.open != nil {
		return c
	}
	if len(b.open) == maxOpen {
		for _, o := range b.open {
			o.close()
			o.open = nil
		}
		b.open = b.open[:0]
	}
	b.open = append(b.open, c)
	return c
}

// addSamples adds samples of a series.
func (b *builder) addSamples(s *SampleColumn) error {
	c, err := b.samples.column(s.Series)
	if err != nil {
		return err
	}
	b.sampled += uint64(s.Len())
	if err := b.checkCells(); err != nil {
		return err
	}
	c.At, c.Value = append(c.At, s.At...), append(c.Value, s.Value...)
	return nil
}

func (b *builder) checkCells() error {
	return checkLimit("cells (blocks × columns) of the trace in memory", b.cells+sampleCells*b.sampled, b.maxCells)
}

// have notes that the stream has a column, before its values come.
func (s *streamBuilder) have(k event.Kind) {
	if !s.has[k] {
		s.has[k] = true
		s.columns++
	}
}

// A reach is the range of blocks from the first to the last that was met.
type reach struct {
	spanned    bool
	first, end uint64
}

// cover widens the reach.
func (r *reach) cover(first, blocks uint64) {
	if blocks == 0 {
		return
	}
	if !r.spanned {
		*r = reach{true, first, first + blocks}
		return
	}
	r.first, r.end = min(r.first, first), max(r.end, first+blocks)
}

// account holds the memory that the trace takes against its limits after a stream
// has grown.
func (b *builder) account(stream int) error {
	s := &b.streams[stream]
	span := s.end - s.first
	if span > MaxTimelineBlocks {
		return fmt.Errorf("stream %d (%s) has blocks %d to %d: %w", stream, b.header.Streams[stream].Name(), s.first, s.end-1,
			&LimitError{"blocks from first to last", span, MaxTimelineBlocks})
	}
	b.cells -= s.cells
	s.cells = span * uint64(max(1, s.columns))
	b.cells += s.cells
	if err := b.checkCells(); err != nil {
		return err
	}
	if sparse := freeCells + cellsPerValue*b.values; b.cells > sparse {
		return fmt.Errorf("block numbers are too far apart for the %d values of the trace: %w", b.values,
			&LimitError{"cells (blocks × columns)", b.cells, sparse})
	}
	return nil
}

// trace returns what has been assembled, and leaves nothing to be added to.
func (b *builder) trace() *Trace {
	t := &Trace{Header: b.header, Notes: b.notes, Samples: b.samples.columns}
	for i := range t.Samples {
		t.Samples[i].sort()
	}
	for i := range b.streams {
		s := &b.streams[i]
		tl := NewTimeline(b.header.Streams[i], event.BlockNum(s.first), int(s.end-s.first))
		for k := range s.builders {
			tl.Build(event.Kind(k), &s.builders[k])
		}
		t.Timelines = append(t.Timelines, tl)
	}
	return t
}
