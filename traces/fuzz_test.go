package traces

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"testing"

	"github.com/blockreel/blockreel/traces/event"
)

// FuzzReader gives any bytes to everything that reads a file. What is read can be
// written again, and then is whole and the same.
func FuzzReader(f *testing.F) {
	chunks, ends := chunkedTrace(f)
	f.Add(chunks)
	f.Add(chunks[:ends[4]+9])
	f.Add(encode(f, randomTrace(3, 50)))
	for _, name := range []string{"v1", "v1.1"} {
		fixture, err := os.ReadFile("testdata/" + name + ".reel")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(fixture)
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		const cells = 1 << 20
		_, verified := verify(bytes.NewReader(file), ReaderConfig{MaxCells: cells})
		tr, err := ReadConfig(bytes.NewReader(file), ReaderConfig{MaxCells: cells})
		if err != nil {
			return
		}
		if tr.Loss != nil && verified == nil { // Verify sees more: payloads, the index
			t.Fatalf("Read tells a loss and Verify does not: %v", tr.Loss.Cause)
		}
		if l := tr.Loss; l != nil && (l.Offset < 0 || l.Bytes < 0 || l.Offset+l.Bytes != int64(len(file)) || l.Cause == nil) {
			t.Fatalf("loss %+v in a file of %d bytes", l, len(file))
		}
		writeAgain(t, tr, cells)
		if tr, err = ReadRange(bytes.NewReader(file), CutConfig{FromBlock: 3, From: 5}); err == nil {
			writeAgain(t, tr, MaxCells)
		}
	})
}

func writeAgain(t *testing.T, tr *Trace, cells uint64) {
	tr.Loss = nil // or a note would tell of it
	again, err := ReadConfig(bytes.NewReader(encode(t, tr)), ReaderConfig{MaxCells: cells})
	if err != nil {
		t.Fatal(err)
	}
	if d := diff(tr, again); d != "" || again.Loss != nil {
		t.Fatalf("what was read and written again differs: %s, loss %v", d, again.Loss)
	}
}

// FuzzChunk gives any bytes to the decoders of the contents of chunks, which a
// fuzzer does not get at through checksums and compression.
func FuzzChunk(f *testing.F) {
	file, _ := chunkedTrace(f)
	r, err := NewReader(bytes.NewReader(file), ReaderConfig{})
	if err != nil {
		f.Fatal(err)
	}
	for range 4 {
		c, err := r.Next()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(byte(c.Type), bytes.Clone(r.content[:cap(r.content)]))
	}
	var tw Writer
	random := randomTrace(5, 60)
	tw.beginData()
	for s, tl := range random.Timelines {
		var kinds [event.NumKinds]pending
		for k := range kinds {
			kinds[k].addAll(uint64(tl.First), tl.Column(event.Kind(k)))
		}
		tw.group(s, uint64(tl.First), uint64(tl.n), kinds[:])
	}
	tw.content[0], tw.content[1] = byte(len(random.Timelines))|0x80, 0
	f.Add(byte(ChunkData), tw.content)
	f.Fuzz(func(t *testing.T, typ byte, content []byte) {
		if len(content) > 1<<16 {
			return
		}
		file := forge(t, 3, func(w *Writer) { w.writeChunk(ChunkType(typ), content, nil) })
		tr, err := ReadConfig(bytes.NewReader(file), ReaderConfig{MaxCells: 1 << 20})
		var limit *LimitError
		if err != nil && !errors.As(err, &limit) {
			t.Fatalf("error behind the header that is neither loss nor limit: %v", err)
		}
		if err != nil {
			return
		}
		_, err = verify(bytes.NewReader(file), ReaderConfig{MaxCells: 1 << 20})
		if tr.Loss != nil && err == nil {
			t.Fatalf("Read tells a loss and Verify does not: %v", tr.Loss.Cause)
		}
		writeAgain(t, tr, 1<<20)
		pr, err := NewReader(bytes.NewReader(file), ReaderConfig{SkipData: true})
		if err != nil {
			t.Fatal(err)
		}
		for p, err := range pr.Payloads() {
			if err == nil && len(p.Bytes) > len(content) {
				t.Fatal("payload is longer than its chunk")
			}
		}
	})
}

// FuzzRoundTrip writes random timelines, with values of the fuzzer's choice among
// them, and reads them back.
func FuzzRoundTrip(f *testing.F) {
	f.Add(uint64(1), uint16(10), []byte("abcdefgh12345678"))
	f.Add(uint64(2), uint16(3000), []byte{})
	f.Fuzz(func(t *testing.T, seed uint64, blocks uint16, raw []byte) {
		tr := randomTrace(seed, int(blocks))
		tl := NewTimeline(Stream{Channel: "raw", Settings: Settings{}}, event.BlockNum(seed%1000), len(raw)/8)
		for i := range tl.Len() {
			v := binary.LittleEndian.Uint64(raw[8*i:])
			tl.MakeColumn(event.Kind(v % uint64(event.NumKinds)))[i] = int64(v) >> 4
		}
		s := SampleColumn{Series: Series{Name: "raw"}}
		for i := range tl.Len() {
			v := math.Float64frombits(binary.LittleEndian.Uint64(raw[8*i:]))
			if !math.IsNaN(v) && !math.IsInf(v, 0) {
				s.At, s.Value = append(s.At, event.Time(i*i)), append(s.Value, v)
			}
		}
		if s.Len() > 0 {
			tr.Samples = append(tr.Samples, s)
		}
		if tl.Len() > 0 {
			tr.Streams, tr.Timelines = append(tr.Streams, tl.Stream), append(tr.Timelines, tl)
		}
		for k := range event.NumKinds {
			if tl.Observed(event.Kind(k)) == 0 {
				tl.columns[k] = nil
			}
		}
		writeAgain(t, tr, MaxCells)
	})
}

// FuzzReadText gives any bytes to the reader of the text form.
func FuzzReadText(f *testing.F) {
	var text bytes.Buffer
	if err := WriteText(&text, smallTrace()); err != nil {
		f.Fatal(err)
	}
	f.Add(text.Bytes())
	f.Add([]byte(`{"reel":1,"streams":[]}` + "\n" + `{"series":"s","node":"p","at_ns":3,"value":-0.1e-7}`))
	f.Add([]byte(`{"reel":1,"streams":[{"channel":"c"}]}` + "\n" + `{"channel":"c","block":3,"payload":"aGVsbG8="}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		for range ReadTextPayloads(bytes.NewReader(in)) {
		}
		tr, err := readText(bytes.NewReader(in), 1<<20)
		if err != nil {
			return
		}
		var out bytes.Buffer
		if err := WriteText(&out, tr); err != nil {
			t.Fatal(err)
		}
		again, err := ReadText(&out)
		if err != nil {
			t.Fatal(err)
		}
		if d := diff(tr, again); d != "" {
			t.Fatal(d)
		}
		writeAgain(t, tr, 1<<20)
	})
}
