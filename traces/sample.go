package traces

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/blockreel/blockreel/traces/event"
)

// A form says how the values of a samples column are written.
type form uint8

const (
	formWhole  form = 0 // whole numbers, as they are
	formSteps  form = 1 // whole numbers, each less the one before it
	formDouble form = 2 // the bits of float64, each xor the ones before it
)

// maxWhole bounds whole numbers: up to there every one is a float64.
const maxWhole = 1 << 53

// chunkSamples and chunkSampleBytes are how many samples and bytes of names Sample
// buffers before it writes a chunk of its own accord.
const (
	chunkSamples     = 1 << 15
	chunkSampleBytes = MaxChunkBytes / 4
)

// Sample buffers a sample. Those of a series should come in the order of their times;
// a reader sorts them, and keeps the order of those of one instant. A value that is
// infinite or not a number is refused: it tells nothing that was observed.
func (t *Writer) Sample(s Series, at event.Time, v float64) error {
	if err := t.usable(); err != nil {
		return err
	}
	if err := checkSample(at, v); err != nil {
		return fmt.Errorf("sample of %v: %w", s, err)
	}
	c, err := t.series.column(s)
	if err != nil {
		return err
	}
	return t.sample(c, at, v)
}

// AppendSamples writes the samples of a series.
func (t *Writer) AppendSamples(samples SampleColumn) error {
	if err := t.usable(); err != nil {
		return err
	}
	if err := samples.validate(); err != nil {
		return err
	}
	c, err := t.series.column(samples.Series)
	if err != nil {
		return err
	}
	for i, at := range samples.At {
		if err := t.sample(c, at, samples.Value[i]); err != nil {
			return err
		}
	}
	return nil
}

func (t *Writer) sample(c *SampleColumn, at event.Time, v float64) error {
	if c.Len() == 0 {
		t.nameBytes += c.bytes()
	}
	c.At, c.Value = append(c.At, at), append(c.Value, v)
	t.samples++
	if t.samples >= chunkSamples || t.nameBytes >= chunkSampleBytes {
		return t.flushSamples()
	}
	return nil
}

// flushSamples writes the buffered samples as one chunk.
func (t *Writer) flushSamples() error {
	if t.samples == 0 {
		return nil
	}
	n := 0
	for i := range t.series.columns {
		if t.series.columns[i].Len() > 0 {
			n++
		}
	}
	b := binary.AppendUvarint(t.content[:0], uint64(n))
	ext := Extent{Start: event.Missing, End: event.Missing}
	t.scraped = t.scraped[:0]
	for i := range t.series.columns {
		c := &t.series.columns[i]
		if c.Len() == 0 {
			continue
		}
		c.sort()
		ext.cover(int64(c.At[0]), int64(c.At[c.Len()-1]))
		b = t.columns.appendSamples(b, c, t.scraped)
		t.scraped = append(t.scraped, c.At)
		c.At, c.Value = c.At[:0], c.Value[:0]
	}
	t.content, t.samples, t.nameBytes = b, 0, 0
	return t.writeChunk(ChunkSamples, t.content, appendSampleExtent(t.extents[:0], ext, len(t.header.Streams)))
}

// appendSampleExtent adds the extent of a chunk of samples, which speaks of instants but
// not of blocks. Readers of version 1.0 hold its stream against the header's.
func appendSampleExtent(x []Extent, ext Extent, streams int) []Extent {
	if streams == 0 || ext.Start == event.Missing {
		return x
	}
	return append(x, ext)
}

// sharedWithin is how many columns before it may have the instants of a column.
const sharedWithin = 64

// shared returns how many columns before this one has the same instants, 0 for none:
// what one scrape gives has one time.
func shared(at []event.Time, earlier [][]event.Time) uint64 {
	for back := 1; back <= min(sharedWithin, len(earlier)); back++ {
		if slices.Equal(at, earlier[len(earlier)-back]) {
			return uint64(back)
		}
	}
	return 0
}

// appendSamples appends a column of samples. earlier are the instants of the chunk's
// columns before it.
func (e *columnEncoder) appendSamples(b []byte, c *SampleColumn, earlier [][]event.Time) []byte {
	for _, s := range []string{c.Name, c.Unit, c.Node, c.Channel} {
		b = appendString(b, s)
	}
	n := c.Len()
	b = binary.AppendUvarint(b, uint64(n))
	e.res, e.bestRes = resize(e.res, n), resize(e.bestRes, n)
	back := shared(c.At, earlier)
	b = binary.AppendUvarint(b, back)
	if back == 0 {
		for i, at := range c.At {
			e.res[i] = int64(at)
		}
		subtractPrevious(e.bestRes, e.res, e.res[0])
		b = e.appendPacked(b, e.res[0])
	}
	if !wholeNumbers(e.res, c.Value) {
		e.u = resize(e.u, n)
		before := uint64(0)
		for i, v := range c.Value {
			e.u[i] = math.Float64bits(v) ^ before
			before = math.Float64bits(v)
		}
		return pack(append(b, byte(formDouble)), e.u, 8)
	}
	subtractPrevious(e.bestRes, e.res, e.res[0])
	f, start := formSteps, e.res[0]
	if cost(e.res) <= cost(e.bestRes) {
		f, start = formWhole, 0
		copy(e.bestRes, e.res)
	}
	return e.appendPacked(append(b, byte(f)), start)
}

// wholeNumbers writes the values to dst and reports whether they all are whole numbers
// that fit. A negative zero is none: its sign would be lost.
func wholeNumbers(dst []int64, values []float64) bool {
	for i, v := range values {
		if v != math.Trunc(v) || v < -maxWhole || v > maxWhole || v == 0 && math.Signbit(v) {
			return false
		}
		dst[i] = int64(v)
	}
	return true
}

// decodeSamples reads the content of a chunk of samples into chunk.
func (d *columnDecoder) decodeSamples(content []byte, streams int, chunk *Chunk) error {
	d.values = d.values[:0]
	c := &parser{b: content}
	ext := Extent{Start: event.Missing, End: event.Missing}
	left := uint64(MaxChunkValues)
	for n := c.count("series of a chunk", MaxSeries); n > 0 && c.err == nil; n-- {
		col := d.samples(c, &left, chunk.Samples)
		if c.err != nil {
			return c.err
		}
		ext.cover(int64(col.At[0]), int64(col.At[col.Len()-1]))
		chunk.Samples = append(chunk.Samples, col)
	}
	if c.err == nil && len(c.b) != 0 {
		c.fail(fmt.Errorf("%d bytes behind the last series", len(c.b)))
	}
	chunk.Extents = appendSampleExtent(chunk.Extents, ext, streams)
	return c.err
}

// samples reads a column of samples. left is how many values the chunk may still have.
func (d *columnDecoder) samples(c *parser, left *uint64, earlier []SampleColumn) (col SampleColumn) {
	for _, s := range []*string{&col.Name, &col.Unit, &col.Node, &col.Channel} {
		*s = c.string("a name of a series", MaxSeriesBytes)
	}
	n := c.count("values in a chunk", *left/2)
	if c.err == nil {
		c.check(col.Series.validate())
	}
	if c.err == nil && n == 0 {
		c.fail(errors.New("series has no samples"))
	}
	*left -= 2 * n
	back := c.count("columns before one with its instants", uint64(len(earlier)))
	switch {
	case c.err != nil:
	case back == 0:
		col.At = d.instants(c, int(n))
	default:
		col.At = earlier[len(earlier)-int(back)].At
		if uint64(len(col.At)) != n {
			c.fail(fmt.Errorf("series of %d samples has the instants of one of %d", n, len(col.At)))
		}
	}
	if c.err == nil {
		col.Value = d.sampleValues(c, int(n))
	}
	return col
}

func (d *columnDecoder) instants(c *parser, n int) []event.Time {
	p := readPacked(c, n)
	if c.err != nil {
		return nil
	}
	at := d.unpack(&p)
	addPrevious(at, p.start)
	out := make([]event.Time, n)
	for i, v := range at {
		if out[i] = event.Time(v); !valid(v) || i > 0 && v < at[i-1] {
			c.fail(fmt.Errorf("instants descend or are over the limit of %d", int64(MaxValue)))
			return nil
		}
	}
	return out
}

func (d *columnDecoder) sampleValues(c *parser, n int) []float64 {
	f := form(c.byte())
	if c.err == nil && f > formDouble {
		c.fail(fmt.Errorf("values of unknown form %d", f))
	}
	if f == formDouble {
		return d.doubles(c, n)
	}
	p := readPacked(c, n)
	if c.err != nil {
		return nil
	}
	whole := d.unpack(&p)
	if f == formSteps {
		addPrevious(whole, p.start)
	}
	values := make([]float64, n)
	for i, v := range whole {
		if v < -maxWhole || v > maxWhole {
			c.fail(fmt.Errorf("whole number %d is over the limit of %d", v, int64(maxWhole)))
			return nil
		}
		values[i] = float64(v)
	}
	return values
}

func (d *columnDecoder) doubles(c *parser, n int) []float64 {
	planes := c.bytes(uint64(n) * 8)
	if c.err != nil {
		return nil
	}
	at := len(d.values)
	d.values = append(d.values, make([]int64, n)...)
	bits := d.values[at:]
	unpack(bits, planes, 8, 1, 0)
	values := make([]float64, n)
	before := uint64(0)
	for i, x := range bits {
		before ^= uint64(x)
		values[i] = math.Float64frombits(before)
		if math.IsNaN(values[i]) || math.IsInf(values[i], 0) {
			c.fail(fmt.Errorf("value %v %w", values[i], errNotFinite))
			return nil
		}
	}
	return values
}
