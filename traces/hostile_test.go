package traces

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/blockreel/blockreel/traces/event"
)

// forge returns a trace with chunks of any content, however wrong, that is whole
// from the outside.
func forge(t testing.TB, streams int, chunks ...func(w *Writer)) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := NewWriter(&b, Header{Streams: make([]Stream, streams)}, WriterConfig{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range chunks {
		c(w)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func uvarints(v ...uint64) (b []byte) {
	for _, x := range v {
		b = binary.AppendUvarint(b, x)
	}
	return b
}

func data(content []byte) func(*Writer) {
	return func(w *Writer) { w.writeChunk(ChunkData, content, nil) }
}

// allocated returns how many bytes f takes from the heap in all.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestHostileFiles holds that small files with large claims cost little memory and
// give a clear error or loss.
func TestHostileFiles(t *testing.T) {
	const committed = byte(event.Committed)
	// One group of one stream from block 0 on, count blocks, one column of zero-width values.
	column := func(count, gap, length uint64) []byte {
		b := append(uvarints(1, 0, 0, count, 1), committed)
		b = append(b, uvarints(1, 1, gap, length)...)
		return append(b, 0, 0, 1, 0)
	}
	cases := []struct {
		name string
		file []byte
		want string
	}{
		{"2^60 blocks", forge(t, 1, data(column(1<<60, 0, 1<<60))), "values in a chunk"},
		{"2^60 blocks, one value", forge(t, 1, data(column(1<<60, 1<<59, 1))), "blocks from first to last"},
		{"2^26 blocks, two values", forge(t, 1, data(column(1<<26, 1<<25, 2))), "too far apart"},
		{"block number over 2^63", forge(t, 1, data(uvarints(1, 0, 1<<63, 1, 0))), "block numbers above the limit"},
		{"2^40 groups", forge(t, 1, data(uvarints(1<<40))), "groups of a chunk"},
		{"2^40 columns", forge(t, 1, data(uvarints(1, 0, 0, 1, 1<<40))), "columns of a group"},
		{"span behind the group", forge(t, 1, data(column(10, 5, 6))), "beyond its group"},
		{"no such stream", forge(t, 1, data(uvarints(1, 1, 0, 1, 0))), "stream 1 of 1"},
		{"predicted from itself", forge(t, 1, data(append(append(uvarints(1, 0, 0, 1, 1), committed), uvarints(2, 1, 0, 1, 0, 0, 1, 0)...))), "predicted from column"},
		{"2^40 notes", forge(t, 1, func(w *Writer) { w.writeChunk(ChunkNotes, uvarints(1<<40), nil) }), "notes of a chunk"},
		{"a note of 2^40 bytes", forge(t, 1, func(w *Writer) { w.writeChunk(ChunkNotes, uvarints(1, 0, 0, 1<<40), nil) }), "length of a note"},
		{"zstd bomb", forge(t, 1, bomb), "data chunk"},
	}
	for _, c := range cases {
		var tr *Trace
		var err error
		if n := allocated(func() { tr, err = Read(bytes.NewReader(c.file)) }); n > 64<<20 {
			t.Errorf("%s: took %d MB for a file of %d bytes", c.name, n>>20, len(c.file))
		}
		if err == nil && tr.Loss != nil {
			err = tr.Loss.Cause
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// bomb writes a chunk that claims few bytes and holds a gigabyte of zeros.
func bomb(w *Writer) {
	var frame bytes.Buffer
	z, err := zstd.NewWriter(&frame)
	if err != nil {
		panic(err)
	}
	zeros := make([]byte, 1<<20)
	for range 1024 {
		if _, err := z.Write(zeros); err != nil {
			panic(err)
		}
	}
	if err := z.Close(); err != nil {
		panic(err)
	}
	w.out = append(make([]byte, descriptorBytes), frame.Bytes()...)
	d := descriptor{typ: ChunkData, seq: w.seq, compressed: uint32(frame.Len()), raw: 1000}
	d.put(w.out)
	w.index.add(ChunkData, len(w.out), nil)
	w.seq++
	if err := w.write(w.out); err != nil {
		panic(err)
	}
}

// TestClaimedLengths holds that a length alone takes no memory.
func TestClaimedLengths(t *testing.T) {
	h, err := appendHeader(nil, Header{})
	if err != nil {
		t.Fatal(err)
	}
	d := descriptor{typ: ChunkPayloads, compressed: MaxPayloadChunkBytes, raw: MaxPayloadChunkBytes}
	chunk := make([]byte, descriptorBytes)
	d.put(chunk)
	for name, tail := range map[string][]byte{
		"payloads": chunk,
		"index":    {0x5b, 0x2a, 0x4d, 0x18, 0xff, 0xff, 0xff, 0x00, 'I', 'N', 'D', 'X'},
		"frame":    {0x5b, 0x2a, 0x4d, 0x18, 0xff, 0xff, 0xff, 0xff},
	} {
		file := append(bytes.Clone(h), tail...)
		n := allocated(func() {
			if _, err := Verify(bytes.NewReader(file)); err == nil {
				t.Errorf("%s: no error", name)
			}
		})
		if n > 8<<20 {
			t.Errorf("%s: took %d MB", name, n>>20)
		}
	}
}

// TestUnknownChunk holds that the chunks of a newer minor version are passed over.
func TestUnknownChunk(t *testing.T) {
	file := forge(t, 1,
		func(w *Writer) { w.Append(event.Event{Block: 1, Value: 1}); w.Flush() },
		func(w *Writer) { w.writeChunk(77, []byte("of tomorrow"), nil) },
		func(w *Writer) { w.Append(event.Event{Block: 2, Value: 2}); w.Flush() },
	)
	tr, err := Read(bytes.NewReader(file))
	if err != nil || tr.Loss != nil || tr.Events() != 2 {
		t.Fatalf("%v, %v", tr, err)
	}
	r, err := Verify(bytes.NewReader(file))
	if err != nil || r.Chunks[0] != 1 || r.Chunks[ChunkData] != 2 {
		t.Fatalf("%+v, %v", r, err)
	}
}

// TestUnknownKind holds that a kind of a newer minor version is passed over, even
// when another column is predicted from it.
func TestUnknownKind(t *testing.T) {
	content := uvarints(1, 0, 5, 2, 2)
	content = append(content, 99)                                // kind
	content = append(content, uvarints(1, 1, 0, 2, 20, 0, 1)...) // previous; a span of 2; start 10, low 0, unit 1
	content = append(content, 0)                                 // width: both 10
	content = append(content, byte(event.Committed))             //
	content = append(content, uvarints(2, 1, 0, 2, 0, 6, 1)...)  // from column 0; start 0, low 3, unit 1
	content = append(content, 1, 0, 1)                           // width 1: 3 and 4 more
	tr, err := Read(bytes.NewReader(forge(t, 1, data(content))))
	if err != nil || tr.Loss != nil {
		t.Fatalf("%v, %+v", err, tr.Loss)
	}
	tl := tr.Timelines[0]
	if tl.First != 5 || tl.Len() != 2 || tl.Value(event.Committed, 0) != 13 || tl.Value(event.Committed, 1) != 14 || tr.Events() != 2 {
		t.Fatalf("%+v", tl)
	}
}

func TestFarApartBlocks(t *testing.T) {
	var b bytes.Buffer
	w, err := NewWriter(&b, Header{Streams: []Stream{{Channel: "ch1"}}}, WriterConfig{})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []event.BlockNum{0, 1 << 40} {
		if err := w.Append(event.Event{Block: n, Value: 1}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var limit *LimitError
	if _, err := Read(bytes.NewReader(b.Bytes())); !errors.As(err, &limit) || !strings.Contains(err.Error(), "ch1") {
		t.Fatal(err)
	}
	tr, err := ReadRange(bytes.NewReader(b.Bytes()), CutConfig{FromBlock: 1 << 30})
	if err != nil || tr.Timelines[0].First != 1<<40 || tr.Timelines[0].Len() != 1 {
		t.Fatalf("the upper part: %v, %v", tr, err)
	}
}

// TestScatteredBlocks holds that events far apart on many streams do not make a
// Writer hold the blocks between them.
func TestScatteredBlocks(t *testing.T) {
	h := Header{Streams: make([]Stream, 200)}
	n := allocated(func() {
		w, err := NewWriter(io.Discard, h, WriterConfig{})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 4000 {
			e := event.Event{Stream: i % 200, Block: event.BlockNum(i / 200 * 100_000), Value: 1}
			if err := w.Append(e); err != nil {
				t.Fatal(err)
			}
		}
		held := 0
		for i := range w.pending {
			held += cap(w.pending[i].values)
		}
		if held > 8*w.cfg.ChunkEvents {
			t.Errorf("room for %d values is held", held)
		}
	})
	t.Logf("took %d MB", n>>20)
}

func TestWriterErrorStays(t *testing.T) {
	boom := errors.New("disk full")
	w, err := NewWriter(&failing{after: 1, err: boom}, Header{Streams: []Stream{{}}}, WriterConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Append(event.Event{}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := w.Flush(); !errors.Is(err, boom) {
			t.Fatal(err)
		}
	}
	if err := w.Close(); !errors.Is(err, boom) {
		t.Fatal(err)
	}
}

type failing struct {
	after int
	err   error
}

func (f *failing) Write(p []byte) (int, error) {
	if f.after == 0 {
		return len(p) / 2, f.err
	}
	f.after--
	return len(p), nil
}

var _ io.Writer = (*failing)(nil)
