package traces

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/blockreel/blockreel/traces/event"
)

// A Report is what Verify found.
type Report struct {
	// Major and Minor are the version of the format.
	Major, Minor int
	// Bytes is the length of the file.
	Bytes int64
	// Chunks counts the whole chunks by type; those of types that this program
	// does not know are counted under 0.
	Chunks map[ChunkType]int
	// Values, Notes and Payloads count what the chunks hold.
	Values   uint64
	Notes    int
	Payloads int
	// Samples counts those of all series, Series the series.
	Samples uint64
	Series  int
	// Indexed tells that the file ends with an index that lists its chunks.
	Indexed bool
	// Findings are contradictions between values: they do not make the file
	// damaged, but say what its figures are worth.
	Findings []Finding
	// Loss is nil when the file is whole.
	Loss *Loss
}

// A Finding is one sort of contradiction in one stream.
type Finding struct {
	Stream int
	Text   string
	// Count is the number of blocks concerned, First the lowest of them.
	Count int
	First event.BlockNum
}

// Verify reads all of a trace and checks everything in it: checksums, sequence, every
// value's encoding, the index against the chunks, and the order of the instants of
// each block. Its error is that of Reader.Next, or a *CorruptError for an index that
// contradicts the chunks; the Report is nil only when there is no whole header.
func Verify(r io.Reader) (*Report, error) { return verify(r, ReaderConfig{}) }

func verify(r io.Reader, cfg ReaderConfig) (*Report, error) {
	tr, err := NewReader(r, cfg)
	if err != nil {
		return nil, err
	}
	v := &verifier{
		report:  &Report{Major: FormatMajor, Minor: tr.minor, Chunks: map[ChunkType]int{}},
		builder: newBuilder(tr.header, tr.cfg.MaxCells),
		stored:  make([]blockSet, len(tr.header.Streams)),
	}
	for {
		var c *Chunk
		if c, err = tr.Next(); err != nil {
			break
		}
		if err := v.chunk(c); err != nil {
			return v.report, err
		}
	}
	if errors.Is(err, io.EOF) {
		err = v.checkIndex(tr.index)
	}
	v.report.Bytes = tr.offset
	if err != nil {
		loss, lossErr := tr.loss(err)
		if lossErr != nil {
			return v.report, lossErr
		}
		v.report.Loss, v.report.Bytes = loss, loss.Offset+loss.Bytes
	}
	v.findings()
	return v.report, err
}

type verifier struct {
	report  *Report
	builder *builder
	index   []IndexEntry
	stored  []blockSet // payloads, by the channel's first stream
	again   uint64     // payloads that were there already
}

func (v *verifier) chunk(c *Chunk) error {
	known := c.Type
	if known.String() == unknownChunk {
		known = 0
	}
	v.report.Chunks[known]++
	v.report.Notes += len(c.Notes)
	v.report.Payloads += len(c.Payloads)
	if len(v.index) < MaxIndexChunks {
		v.index = append(v.index, IndexEntry{c.Type, c.Offset, c.Length, slices.Clone(c.Extents)})
	}
	if c.Type == ChunkPayloads {
		for _, x := range c.Extents {
			for b := range x.Blocks {
				if !v.stored[x.Stream].add(uint64(x.First) + b) {
					v.again++
				}
			}
		}
	}
	err := v.builder.chunk(c)
	v.report.Values = v.builder.values
	v.report.Samples, v.report.Series = v.builder.sampled, len(v.builder.samples.columns)
	return err
}

// checkIndex holds the index against the chunks that were read.
func (v *verifier) checkIndex(x *Index) error {
	if x == nil {
		return nil
	}
	v.report.Indexed = true
	for i, want := range v.index {
		got := x.Chunks[i]
		same := got.Type == want.Type && got.Offset == want.Offset && got.Length == want.Length
		if same && want.Type.String() != unknownChunk {
			same = slices.Equal(got.Extents, want.Extents)
		}
		if !same {
			return &CorruptError{want.Offset, "index", fmt.Errorf("it contradicts chunk %d", i)}
		}
	}
	return nil
}

func (v *verifier) findings() {
	r := v.report
	if n := v.builder.repeated; n > 0 {
		r.Findings = append(r.Findings, Finding{-1, "values are recorded more than once; the last one counts", int(n), 0})
	}
	if v.again > 0 {
		r.Findings = append(r.Findings, Finding{-1, "payloads are recorded more than once", int(v.again), 0})
	}
	if n := v.builder.samples.late(); n > 0 {
		r.Findings = append(r.Findings, Finding{-1, "samples lie before earlier recorded ones of their series", n, 0})
	}
	for s, tl := range v.builder.trace().Timelines {
		for _, k := range event.Way() {
			for _, earlier := range k.After() {
				a, b := tl.Cursor(earlier), tl.Cursor(k)
				r.find(s, tl, fmt.Sprintf("%v lies before %v", k, earlier), func(i int) bool {
					a, b := a.At(i), b.At(i)
					return a != event.Missing && b != event.Missing && b < a
				})
			}
		}
		for _, k := range event.Way() {
			if !k.Ascends() || tl.Ascends(k) {
				continue
			}
			last, c := int64(event.Missing), tl.Cursor(k)
			r.find(s, tl, fmt.Sprintf("%v lies before that of an earlier block", k), func(i int) bool {
				at := c.At(i)
				before := at != event.Missing && at < last
				last = max(last, at)
				return before
			})
		}
	}
}

// find counts the blocks of a stream that a contradiction holds for.
func (r *Report) find(stream int, tl *Timeline, text string, holds func(i int) bool) {
	f := Finding{Stream: stream, Text: text}
	for i := range tl.Len() {
		if holds(i) {
			if f.Count == 0 {
				f.First = tl.Block(i)
			}
			f.Count++
		}
	}
	if f.Count > 0 {
		r.Findings = append(r.Findings, f)
	}
}
