package traces

import (
	"bytes"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/blockreel/blockreel/traces/event"
)

// benchTrace makes a million blocks like those of a real run in its way and its
// resolution of a microsecond.
func benchTrace(blocks int) *Trace {
	r := rand.New(rand.NewPCG(1, 1))
	s := Stream{Channel: "ch1", Settings: Settings{}}
	tl := NewTimeline(s, 4, blocks)
	offered, dequeued := tl.MakeColumn(event.Offered), tl.MakeColumn(event.Dequeued)
	validated, committed := tl.MakeColumn(event.Validated), tl.MakeColumn(event.Committed)
	var at, free int64
	for i := range blocks {
		at += 5_000_000 + r.Int64N(600)*1000
		offered[i] = at
		dequeued[i] = max(free, at+600_000) + r.Int64N(40)*1000
		validated[i] = dequeued[i] + 1_900_000 + r.Int64N(400)*1000
		committed[i] = validated[i] + 2_900_000 + r.Int64N(900)*1000
		free = committed[i] + 60_000
	}
	return &Trace{Header: Header{Streams: []Stream{s}}, Timelines: []*Timeline{tl}}
}

const benchBlocks = 1 << 20

func BenchmarkWrite(b *testing.B) {
	tr := benchTrace(benchBlocks)
	b.ReportAllocs()
	n := int64(0)
	for b.Loop() {
		c := counter{}
		if err := Write(&c, tr); err != nil {
			b.Fatal(err)
		}
		n = c.n
	}
	report(b, n)
}

func BenchmarkRead(b *testing.B) {
	file := encode(b, benchTrace(benchBlocks))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Read(bytes.NewReader(file)); err != nil {
			b.Fatal(err)
		}
	}
	report(b, int64(len(file)))
}

// BenchmarkAppend is a recorder's way in: events one by one, in the order of time.
func BenchmarkAppend(b *testing.B) {
	tr := benchTrace(1 << 16)
	tl := tr.Timelines[0]
	w, err := NewWriter(io.Discard, tr.Header, WriterConfig{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	i, k := 0, 0
	kinds := []event.Kind{event.Offered, event.Dequeued, event.Validated, event.Committed}
	for b.Loop() {
		e := event.Event{Kind: kinds[k], Block: tl.Block(i), Value: tl.Value(kinds[k], i&(1<<16-1))}
		if err := w.Append(e); err != nil {
			b.Fatal(err)
		}
		if k++; k == len(kinds) {
			k = 0
			i = (i + 1) & (1<<16 - 1)
		}
	}
}

type counter struct{ n int64 }

func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return len(p), nil
}

// report turns the time of benchBlocks blocks into the usual units; MB are those of
// the four columns in memory.
func report(b *testing.B, fileBytes int64) {
	b.SetBytes(benchBlocks * 4 * 8)
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchBlocks, "ns/block")
	b.ReportMetric(float64(fileBytes)/benchBlocks, "bytes/block")
}

// BenchmarkOpen reads a trace of a few blocks: what a Reader costs by itself.
func BenchmarkOpen(b *testing.B) {
	file := encode(b, smallTrace())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Read(bytes.NewReader(file)); err != nil {
			b.Fatal(err)
		}
	}
}
