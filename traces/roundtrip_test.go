package traces

import (
	"bytes"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/blockreel/blockreel/traces/event"
)

// randomTrace makes a trace of a few streams with holes, far jumps and values of
// every size.
func randomTrace(seed uint64, blocks int) *Trace {
	r := rand.New(rand.NewPCG(seed, 1))
	t := &Trace{Header: Header{
		Base: time.Unix(1_700_000_000, r.Int64N(1e9)).UTC(), Tool: "blockreel test", Source: "test",
	}}
	for s := range 1 + r.IntN(3) {
		stream := Stream{Channel: "ch1", Peer: strings.Repeat("p", s), Settings: Settings{}}
		if r.IntN(2) == 0 {
			stream.Settings.SetInt(SettingBuffer, r.Int64N(200))
		}
		t.Streams = append(t.Streams, stream)
		tl := NewTimeline(stream, event.BlockNum(r.IntN(1000)), r.IntN(blocks+1))
		if tl.Len() == 0 {
			tl.First = 0
		}
		for k := range event.NumKinds {
			fillColumn(r, tl, event.Kind(k))
		}
		t.Timelines = append(t.Timelines, tl)
		t.Notes = append(t.Notes, Note{s - 1, NoteFact, "seen ✓"})
	}
	for i := range r.IntN(4) {
		s := Series{Name: SeriesBufferSize, Node: strings.Repeat("p", i), Channel: []string{"", "ch1"}[r.IntN(2)]}
		t.Samples = append(t.Samples, randomSamples(r, s, 1+r.IntN(blocks+1)))
	}
	return t
}

// randomSamples makes samples of one of the ways in which values change.
func randomSamples(r *rand.Rand, s Series, n int) SampleColumn {
	c := SampleColumn{Series: s}
	at, way, level := r.Int64N(1e12)-5e11, r.IntN(5), 0.0
	for range n {
		at += r.Int64N(2) * (5e8 + r.Int64N(1e6))
		switch way {
		case 0: // a gauge
			level = float64(r.IntN(42))
		case 1: // a counter
			level += float64(r.IntN(1e6))
		case 2: // averages
			level = r.ExpFloat64() / 300
		case 3: // anything
			level = math.Float64frombits(r.Uint64())
		case 4: // the ends of what is whole
			level = []float64{maxWhole, -maxWhole, 0}[r.IntN(3)]
			if r.IntN(100) == 0 {
				level = []float64{maxWhole * 2, math.Copysign(0, -1), math.MaxFloat64, math.SmallestNonzeroFloat64, 0.5}[r.IntN(5)]
			}
		}
		if math.IsNaN(level) || math.IsInf(level, 0) {
			level = 1.5
		}
		c.At, c.Value = append(c.At, event.Time(at)), append(c.Value, level)
	}
	return c
}

func fillColumn(r *rand.Rand, tl *Timeline, k event.Kind) {
	if tl.Len() == 0 || r.IntN(4) == 0 {
		return
	}
	unit := []int64{1, 1000, 1_000_000, 7}[r.IntN(4)]
	hole := []float64{0, 0, 0.01, 0.5}[r.IntN(4)]
	wide := r.IntN(5) == 0
	col := tl.MakeColumn(k)
	at := r.Int64N(1e12) - 5e11
	for i := range col {
		at += r.Int64N(5000) * unit
		v := at
		if wide && r.IntN(50) == 0 {
			v = int64(r.Uint64()) >> 4
		}
		if r.Float64() >= hole && v != event.Missing {
			col[i] = v
		}
	}
	if tl.Observed(k) == 0 {
		tl.columns[k] = nil
	}
}

func encode(t testing.TB, tr *Trace) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, tr); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// diff describes the first difference between two traces, apart from their Loss.
func diff(a, b *Trace) string {
	switch {
	case !reflect.DeepEqual(a.Header, b.Header):
		return "headers differ"
	case len(a.Notes)+len(b.Notes) > 0 && !reflect.DeepEqual(a.Notes, b.Notes):
		return "notes differ"
	case !slices.EqualFunc(a.Samples, b.Samples, func(x, y SampleColumn) bool {
		return x.Series == y.Series && slices.Equal(x.At, y.At) && slices.EqualFunc(x.Value, y.Value, func(v, w float64) bool {
			return math.Float64bits(v) == math.Float64bits(w)
		})
	}):
		return "samples differ"
	case len(a.Timelines) != len(b.Timelines):
		return "number of timelines differs"
	}
	for s := range a.Timelines {
		x, y := a.Timelines[s], b.Timelines[s]
		if x.First != y.First || x.n != y.n {
			return "spans differ"
		}
		for k := range event.NumKinds {
			for i := range x.n {
				if x.Value(event.Kind(k), i) != y.Value(event.Kind(k), i) {
					return event.Kind(k).String() + " differs"
				}
			}
			if (x.columns[k] == nil) != (y.columns[k] == nil) {
				return event.Kind(k).String() + " is there in one alone"
			}
		}
	}
	return ""
}

func TestRoundTrip(t *testing.T) {
	for seed := range uint64(60) {
		want := randomTrace(seed, 3000)
		file := encode(t, want)
		got, err := Read(bytes.NewReader(file))
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if d := diff(want, got); d != "" || got.Loss != nil {
			t.Fatalf("seed %d: %s, loss %v", seed, d, got.Loss)
		}
		if again := encode(t, got); !bytes.Equal(file, again) {
			t.Fatalf("seed %d: writing what was read gives another file", seed)
		}
	}
}

func TestSeveralChunks(t *testing.T) {
	want := randomTrace(7, 3*bulkBlocks)
	got, err := Read(bytes.NewReader(encode(t, want)))
	if err != nil {
		t.Fatal(err)
	}
	if d := diff(want, got); d != "" {
		t.Fatal(d)
	}
}

// TestAppend writes the values of a trace as events in a scrambled order, as a
// recorder that sees many stages at once would, with flushes in between.
func TestAppend(t *testing.T) {
	for seed := range uint64(20) {
		want := randomTrace(seed, 500)
		r := rand.New(rand.NewPCG(seed, 2))
		var events []event.Event
		for s, tl := range want.Timelines {
			for k := range event.NumKinds {
				for i, v := range tl.Column(event.Kind(k)) {
					if v != event.Missing {
						events = append(events, event.Event{Stream: s, Kind: event.Kind(k), Block: tl.Block(i), Value: v})
					}
				}
			}
		}
		r.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
		var b bytes.Buffer
		w, err := NewWriter(&b, want.Header, WriterConfig{ChunkEvents: 1 + r.IntN(400)})
		if err != nil {
			t.Fatal(err)
		}
		for i, tl := range want.Timelines { // the spans
			if err := w.AppendTimeline(i, NewTimeline(tl.Stream, tl.First, tl.n)); err != nil {
				t.Fatal(err)
			}
		}
		for _, n := range want.Notes {
			if err := w.Note(n); err != nil {
				t.Fatal(err)
			}
		}
		for i := 0; ; i++ { // the samples, series by turns
			more := false
			for _, s := range want.Samples {
				if i < s.Len() {
					more = true
					if err := w.Sample(s.Series, s.At[i], s.Value[i]); err != nil {
						t.Fatal(err)
					}
				}
			}
			if !more {
				break
			}
			if r.IntN(100) == 0 {
				if err := w.Flush(); err != nil {
					t.Fatal(err)
				}
			}
		}
		for _, e := range events {
			if err := w.Append(e); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		got, err := Read(bytes.NewReader(b.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		if d := diff(want, got); d != "" || got.Loss != nil {
			t.Fatalf("seed %d: %s, loss %v", seed, d, got.Loss)
		}
		n := 0
		tr, err := NewReader(bytes.NewReader(b.Bytes()), ReaderConfig{})
		if err != nil {
			t.Fatal(err)
		}
		for e, err := range tr.Events() {
			if err != nil || want.Timelines[e.Stream].Value(e.Kind, int(e.Block-want.Timelines[e.Stream].First)) != e.Value {
				t.Fatalf("event %+v, error %v", e, err)
			}
			n++
		}
		if n != len(events) {
			t.Fatalf("%d events of %d", n, len(events))
		}
	}
}

func TestLaterValueCounts(t *testing.T) {
	var b bytes.Buffer
	w, err := NewWriter(&b, Header{Streams: []Stream{{Channel: "c"}}}, WriterConfig{ChunkEvents: 3})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		if err := w.Append(event.Event{Kind: event.Committed, Block: 5, Value: int64(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	tr, err := Read(&b)
	if err != nil || tr.Events() != 1 || tr.Timelines[0].Value(event.Committed, 0) != 9 {
		t.Fatalf("%v, %v", tr, err)
	}
}

func TestRefusedEvents(t *testing.T) {
	w, err := NewWriter(io.Discard, Header{Streams: []Stream{{}}}, WriterConfig{})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []event.Event{
		{Stream: 1}, {Stream: -1}, {Kind: 200}, {Block: math.MaxUint64}, {Value: event.Missing},
	} {
		if w.Append(e) == nil {
			t.Errorf("%+v was taken", e)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := w.Append(event.Event{}); !errors.Is(err, errClosed) {
		t.Errorf("append after close: %v", err)
	}
}

// TestZstdReadsIt holds that the file is a stream of zstd frames.
func TestZstdReadsIt(t *testing.T) {
	d, err := zstd.NewReader(bytes.NewReader(encode(t, randomTrace(3, 1000))))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if n, err := io.Copy(io.Discard, d); err != nil || n == 0 {
		t.Fatalf("%d bytes, %v", n, err)
	}
}
