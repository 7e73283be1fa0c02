package traces

import (
	"bytes"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/blockreel/blockreel/traces/event"
)

var gauge = Series{Name: SeriesBufferSize, Unit: UnitBlocks, Node: "peer0", Channel: "ch1"}

func streamless(t *testing.T) (*bytes.Buffer, *Writer) {
	t.Helper()
	var b bytes.Buffer
	w, err := NewWriter(&b, Header{}, WriterConfig{})
	if err != nil {
		t.Fatal(err)
	}
	return &b, w
}

// TestSamplesAreSorted holds that samples that come late stand where they belong,
// within a chunk and across chunks, and that those of one instant keep their order.
func TestSamplesAreSorted(t *testing.T) {
	b, w := streamless(t)
	for i, at := range []event.Time{30, 10, 20, 20, 5, 40, 20, -7} {
		if err := w.Sample(gauge, at, float64(i)); err != nil {
			t.Fatal(err)
		}
		if i == 3 {
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := Verify(bytes.NewReader(b.Bytes()))
	if err != nil || r.Samples != 8 || r.Series != 1 || r.Chunks[ChunkSamples] != 2 {
		t.Fatalf("%+v, %v", r, err)
	}
	if len(r.Findings) != 1 || r.Findings[0].Count != 3 { // −7, 5 and the last 20 lie before 30
		t.Errorf("findings %+v", r.Findings)
	}
	tr, err := Read(b)
	if err != nil {
		t.Fatal(err)
	}
	s := tr.Sampled(gauge.Name, "peer0", "ch1")
	if s == nil || !slices.Equal(s.At, []event.Time{-7, 5, 10, 20, 20, 20, 30, 40}) || !slices.Equal(s.Value, []float64{7, 4, 1, 2, 3, 6, 0, 5}) {
		t.Fatalf("%+v", s)
	}
	for at, want := range map[event.Time]int{-8: -1, -7: 0, 19: 2, 20: 5, 21: 5, 1000: 7} {
		if got := s.Before(at); got != want {
			t.Errorf("before %d: sample %d, want %d", at, got, want)
		}
	}
	if tr.Sampled(gauge.Name, "peer0", "") != nil {
		t.Error("a series of another channel was found")
	}
}

func TestRefusedSamples(t *testing.T) {
	b, w := streamless(t)
	for _, c := range []struct {
		s    Series
		at   event.Time
		v    float64
		want string
	}{
		{Series{Node: "p"}, 0, 0, "no name"},
		{Series{Name: "n\xff"}, 0, 0, "not UTF-8"},
		{Series{Name: "n", Node: strings.Repeat("x", MaxSeriesBytes)}, 0, 0, "limit"},
		{gauge, event.Missing, 0, "limit"},
		{gauge, 0, math.NaN(), "not a finite number"},
		{gauge, 0, math.Inf(-1), "not a finite number"},
	} {
		if err := w.Sample(c.s, c.at, c.v); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.60v: %v", c, err)
		}
		if c.at == 0 && w.AppendSamples(SampleColumn{c.s, []event.Time{c.at}, []float64{c.v}}) == nil {
			t.Errorf("%.60v was taken", c)
		}
	}
	for i := range MaxSeries {
		if err := w.Sample(Series{Name: strconv.Itoa(i)}, 0, 1); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Sample(Series{Name: "one more"}, 0, 1); err == nil {
		t.Error("one series too many was taken")
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if tr, err := Read(b); err != nil || tr.Loss != nil || len(tr.Samples) != MaxSeries {
		t.Errorf("%v", err)
	}
	if err := WriteText(io.Discard, &Trace{Samples: []SampleColumn{{gauge, make([]event.Time, 2), nil}}}); err == nil {
		t.Error("a column of instants without values was written")
	}
}

// TestLongNames holds that names alone do not make a chunk too large.
func TestLongNames(t *testing.T) {
	b, w := streamless(t)
	for i := range 2000 {
		if err := w.Sample(Series{Name: strconv.Itoa(i), Node: strings.Repeat("x", MaxSeriesBytes-4)}, event.Time(i), 1); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if tr, err := Read(b); err != nil || tr.Loss != nil || len(tr.Samples) != 2000 {
		t.Fatal(err)
	}
}

// TestHostileSamples gives a reader columns that contradict themselves or claim much.
func TestHostileSamples(t *testing.T) {
	names, own := []byte{1, 'n', 0, 0, 0}, []byte{0}
	samples := func(content ...[]byte) func(*Writer) {
		return func(w *Writer) { w.writeChunk(ChunkSamples, slices.Concat(content...), nil) }
	}
	zero := []byte{0, 0, 1, 0} // start, low, unit, width
	for _, c := range []struct {
		name  string
		write func(*Writer)
		want  string
	}{
		{"2^40 series", samples(uvarints(1 << 40)), "series of a chunk"},
		{"no name", samples(uvarints(1), []byte{0, 0, 0, 0, 1}, own, zero, []byte{0}, zero), "no name"},
		{"a name of 2^40 bytes", samples(uvarints(1, 1<<40)), "length of a name"},
		{"2^40 samples", samples(uvarints(1), names, uvarints(1<<40), own, zero, []byte{0}, zero), "values in a chunk"},
		{"no samples", samples(uvarints(1), names, uvarints(0), own, zero, []byte{0}, zero), "no samples"},
		{"too many in two series", samples(uvarints(2), names, uvarints(MaxChunkValues/2), own, zero, []byte{0}, zero, names, uvarints(1)), "values in a chunk"},
		{"times descend", samples(uvarints(1), names, uvarints(2), own, []byte{20, 1, 1, 0, 0}, zero), "descend"},
		{"time over the limit", samples(uvarints(1), names, uvarints(1), own, uvarints(1<<62, 0, 1, 0), []byte{0}, zero), "limit"},
		{"instants of no series", samples(uvarints(1), names, uvarints(1, 1), []byte{0}, zero), "columns before"},
		{"instants of a shorter series", samples(uvarints(2), names, uvarints(1), own, zero, []byte{0}, zero, names, uvarints(2, 1), []byte{0}, zero), "instants of one of 1"},
		{"unknown form", samples(uvarints(1), names, uvarints(1), own, zero, []byte{3}, zero), "unknown form 3"},
		{"a whole number that none is", samples(uvarints(1), names, uvarints(1), own, zero, []byte{0}, uvarints(0, 1<<55, 1, 0)), "whole number"},
		{"not a number", samples(uvarints(1), names, uvarints(1), own, zero, []byte{2, 1, 0, 0, 0, 0, 0, 0xf8, 0x7f}), "not a finite number"},
		{"short doubles", samples(uvarints(1), names, uvarints(2), own, zero, []byte{2, 1, 0, 0, 0, 0, 0, 0, 0, 0}), "middle of a value"},
		{"a byte behind", samples(uvarints(1), names, uvarints(1), own, zero, []byte{0}, zero, []byte{0}), "behind the last series"},
	} {
		file := forge(t, 1, c.write)
		var tr *Trace
		var err error
		if n := allocated(func() { tr, err = Read(bytes.NewReader(file)) }); n > 32<<20 {
			t.Errorf("%s: took %d MB for a file of %d bytes", c.name, n>>20, len(file))
		}
		if err != nil || tr.Loss == nil || !strings.Contains(tr.Loss.Cause.Error(), c.want) {
			t.Errorf("%s: %v, %+v", c.name, err, tr.Loss)
		}
		if _, err := Verify(bytes.NewReader(file)); err == nil {
			t.Errorf("%s: Verify found nothing", c.name)
		}
	}
	many := forge(t, 1, samples(uvarints(1), names, uvarints(1000), own, zero, []byte{0}, zero))
	if _, err := ReadConfig(bytes.NewReader(many), ReaderConfig{MaxCells: 7999}); err == nil || !strings.Contains(err.Error(), "cells") {
		t.Errorf("8,000 cells where 7,999 are allowed: %v", err)
	}
}

// TestSampleExtents holds that the index tells the times of samples, and that it is one
// that a reader of version 1.0 takes: the extent names a stream that there is.
func TestSampleExtents(t *testing.T) {
	for streams, want := range [][]Extent{nil, {{Start: -3, End: 12}}} {
		file := forge(t, streams,
			func(w *Writer) { w.Sample(gauge, 12, 1) },
			func(w *Writer) { w.Sample(Series{Name: "other"}, -3, 1) },
		)
		_, x, err := ReadIndex(bytes.NewReader(file))
		if err != nil || x.Rebuilt || len(x.Chunks) != 1 || x.Chunks[0].Type != ChunkSamples || !slices.Equal(x.Chunks[0].Extents, want) {
			t.Errorf("%d streams: %+v, %v", streams, x, err)
		}
		if _, err := Verify(bytes.NewReader(file)); err != nil {
			t.Error(err)
		}
	}
}

// TestCutSamples cuts a trace of ten blocks, one a second, each committed half a second
// later, with a sample of a gauge every second and a state that changed once.
func TestCutSamples(t *testing.T) {
	const second = 1_000_000_000
	tl := NewTimeline(Stream{Channel: "ch1", Settings: Settings{}}, 0, 10)
	offered, committed := tl.MakeColumn(event.Offered), tl.MakeColumn(event.Committed)
	depth, state := SampleColumn{Series: gauge}, SampleColumn{Series{Name: SeriesObserving}, []event.Time{-second}, []float64{1}}
	for i := range 10 {
		offered[i], committed[i] = int64(i)*second, int64(i)*second+second/2
		depth.At, depth.Value = append(depth.At, event.Time(i)*second+100), append(depth.Value, float64(i))
	}
	tr := &Trace{Header: Header{Streams: []Stream{tl.Stream}}, Timelines: []*Timeline{tl}, Samples: []SampleColumn{state, depth}}
	for _, c := range []struct {
		cfg         CutConfig
		first, last float64 // values of the gauge
	}{
		{CutConfig{}, 0, 9},
		{CutConfig{FromBlock: 3, ToBlock: 6}, 2, 5}, // 2 holds when block 3 is offered
		{CutConfig{ToBlock: 6}, 0, 5},
		{CutConfig{FromBlock: 3}, 2, 9},
		{CutConfig{From: 3 * second, To: 6 * second}, 2, 5},
		{CutConfig{From: 3*second - 10, To: 6*second + 200}, 2, 6}, // what is sampled until To
		{CutConfig{To: 4 * second}, 0, 3},
	} {
		got, err := tr.Cut(c.cfg)
		if err != nil {
			t.Fatal(err)
		}
		s := got.Sampled(gauge.Name, gauge.Node, gauge.Channel)
		if s == nil || s.Value[0] != c.first || s.Value[s.Len()-1] != c.last || s.At[0] != event.Time(c.first)*second+100 {
			t.Errorf("%+v: %+v", c.cfg, s)
		}
		if o := got.Sampled(SeriesObserving, "", ""); o == nil || o.Len() != 1 {
			t.Errorf("%+v: %+v", c.cfg, o)
		}
		read, err := ReadRange(bytes.NewReader(encode(t, tr)), c.cfg)
		if err != nil {
			t.Fatal(err)
		}
		if read.Notes = got.Notes; diff(got, read) != "" {
			t.Errorf("%+v: reading by the index: %s", c.cfg, diff(got, read))
		}
	}
	if len(tr.Samples) != 2 || tr.Samples[1].Len() != 10 {
		t.Error("the trace that was cut has changed")
	}
}

// metrics makes an hour of twenty series every 500 ms as a scrape of two peers gives
// them: gauges, counters and averages, with the jitter of a timer.
func metrics(hours int) []SampleColumn {
	r := rand.New(rand.NewPCG(1, 1))
	names := []string{SeriesBufferSize, SeriesStateHeight, SeriesBlockchainHeight, SeriesTransactionCount, SeriesCommitDuration,
		SeriesPrivdataValidation, SeriesPrivdataCommitBlock, SeriesBlockProcessing, SeriesBlockStorageCommit, SeriesStateDBCommit}
	var out []SampleColumn
	for _, node := range []string{"peer0.org1.example.com", "peer0.org2.example.com"} {
		at := make([]event.Time, hours*7200) // of the scrapes
		for n := range at {
			at[n] = event.Time(n)*500_000_000 + event.Time(r.IntN(800_000))
		}
		for i, name := range names {
			c := SampleColumn{Series: Series{Name: name, Node: node, Channel: "mychannel"}, At: at}
			v := 0.0
			for range at {
				switch {
				case i == 0:
					v = float64(r.IntN(42))
				case i < 3:
					v += float64(r.IntN(20))
				case i == 3:
					v += float64(r.IntN(2000))
				default:
					v = float64(3_000_000 + r.IntN(500_000))
				}
				c.Value = append(c.Value, v)
			}
			out = append(out, c)
		}
	}
	return out
}

// TestSamplesAreSmall holds that an hour of samples takes little of a file.
func TestSamplesAreSmall(t *testing.T) {
	file := encode(t, &Trace{Samples: metrics(1)})
	if n := float64(len(file)) / (20 * 7200); n > 4 {
		t.Errorf("%.1f bytes a sample", n)
	}
}

func BenchmarkWriteSamples(b *testing.B) {
	tr := &Trace{Samples: metrics(1)}
	b.ReportAllocs()
	var c counter
	for b.Loop() {
		c = counter{}
		if err := Write(&c, tr); err != nil {
			b.Fatal(err)
		}
	}
	reportSamples(b, c.n)
}

// BenchmarkReadSamples reads an hour of samples from one writing, and as a recorder
// writes them: a chunk every ten seconds.
func BenchmarkReadSamples(b *testing.B) {
	columns := metrics(1)
	for name, flush := range map[string]int{"whole": 7200, "recorded": 20} {
		var file bytes.Buffer
		w, err := NewWriter(&file, Header{}, WriterConfig{})
		if err != nil {
			b.Fatal(err)
		}
		for i := range 7200 {
			for _, c := range columns {
				if err := w.Sample(c.Series, c.At[i], c.Value[i]); err != nil {
					b.Fatal(err)
				}
			}
			if i%flush == flush-1 {
				if err := w.Flush(); err != nil {
					b.Fatal(err)
				}
			}
		}
		if err := w.Close(); err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Read(bytes.NewReader(file.Bytes())); err != nil {
					b.Fatal(err)
				}
			}
			reportSamples(b, int64(file.Len()))
		})
	}
}

func reportSamples(b *testing.B, fileBytes int64) {
	const samples = 20 * 7200
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/samples, "ns/sample")
	b.ReportMetric(float64(fileBytes)/samples, "bytes/sample")
}
