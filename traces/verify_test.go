package traces

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/blockreel/blockreel/traces/event"
)

func TestVerifyWhole(t *testing.T) {
	file, ends := chunkedTrace(t)
	r, err := Verify(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	if r.Chunks[ChunkData] != 5 || r.Chunks[ChunkNotes] != 5 || r.Chunks[ChunkPayloads] != 5 || len(ends) != 21 ||
		r.Chunks[ChunkSamples] != 5 || r.Samples != 10 || r.Series != 2 || r.Values != 200 || r.Notes != 5 || r.Payloads != 5 || !r.Indexed || r.Bytes != int64(len(file)) ||
		len(r.Findings) != 0 || r.Loss != nil || r.Major != 1 || r.Minor != 1 {
		t.Fatalf("%+v", r)
	}
}

// TestVerifyFindsSkew holds that contradicting instants are findings and no damage.
func TestVerifyFindsSkew(t *testing.T) {
	tl := NewTimeline(Stream{Channel: "c"}, 4, 10)
	offered, committed := tl.MakeColumn(event.Offered), tl.MakeColumn(event.Committed)
	for i := range 10 {
		offered[i], committed[i] = int64(i)*100, int64(i)*100+50
	}
	committed[3] = 299 // before its offer, and after the commit before
	committed[4] = 298 // before its offer too, and before the commit before
	var b bytes.Buffer
	w, err := NewWriter(&b, Header{Streams: []Stream{tl.Stream}}, WriterConfig{})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := w.AppendTimeline(0, tl); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := Verify(&b)
	if err != nil {
		t.Fatal(err)
	}
	want := []Finding{
		{-1, "values are recorded more than once; the last one counts", 20, 0},
		{0, "committed lies before offered", 2, 7},
		{0, "committed lies before that of an earlier block", 1, 8},
	}
	if len(r.Findings) != len(want) {
		t.Fatalf("%+v", r.Findings)
	}
	for i := range want {
		if r.Findings[i] != want[i] {
			t.Errorf("%+v, want %+v", r.Findings[i], want[i])
		}
	}
}

// TestVerifyHoldsIndexAgainstChunks gives a file an index that is whole and wrong.
func TestVerifyHoldsIndexAgainstChunks(t *testing.T) {
	file, ends := chunkedTrace(t)
	bad := bytes.Clone(file)
	end := ends[len(ends)-1]
	index := bad[end:]
	body := index[frameHead : len(index)-trailerSize-hashBytes]
	i := bytes.Index(body, []byte{byte(ChunkPayloads)})
	if i < 0 {
		t.Fatal("no payloads in the index")
	}
	body[tagBytes+2] = byte(ChunkNotes) // the type of the first chunk
	binary.LittleEndian.PutUint64(index[len(index)-trailerSize-hashBytes:], xxhash.Sum64(body))
	var corrupt *CorruptError
	if _, err := Verify(bytes.NewReader(bad)); !errors.As(err, &corrupt) || !strings.Contains(err.Error(), "contradicts chunk 0") {
		t.Fatal(err)
	}
}
