package traces

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/blockreel/blockreel/traces/event"
)

// chunkedTrace writes a trace of several chunks of every type and returns it with
// the offsets at which its chunks end; the first is the end of the header.
func chunkedTrace(t testing.TB) (file []byte, ends []int) {
	t.Helper()
	var b bytes.Buffer
	h := Header{Tool: "test", Streams: []Stream{{Channel: "ch1", Peer: "a"}, {Channel: "ch1", Peer: "b"}, {Channel: "ch2"}}}
	w, err := NewWriter(&b, h, WriterConfig{})
	ends = append(ends, b.Len())
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(err)
	flush := func() {
		check(w.Flush())
		ends = append(ends, b.Len())
	}
	for i := range 5 {
		for n := range 20 {
			block := event.BlockNum(20*i + n)
			check(w.Append(event.Event{Stream: i % 3, Kind: event.Offered, Block: block, Value: int64(block) * 1000}))
			check(w.Append(event.Event{Stream: i % 3, Kind: event.Committed, Block: block, Value: int64(block)*1000 + 77}))
		}
		flush()
		check(w.Note(Note{-1, NoteFact, "after chunk"}))
		flush()
		check(w.Payload("ch1", event.BlockNum(i), bytes.Repeat([]byte{byte(i)}, 40)))
		flush()
		check(w.Sample(Series{Name: SeriesObserving, Node: "a"}, event.Time(i), float64(i%2)))
		check(w.Sample(Series{Name: SeriesCommitDuration, Unit: UnitNS, Node: "a", Channel: "ch1"}, event.Time(i), 1.5))
		flush()
	}
	check(w.Close())
	return b.Bytes(), ends
}

// TestCutAtEveryByte holds that of a file cut short anywhere all whole chunks are
// read, that the loss is told, and that Verify does not take it for whole.
func TestCutAtEveryByte(t *testing.T) {
	file, ends := chunkedTrace(t)
	for n := range len(file) {
		prefix := file[:n]
		got, err := Read(bytes.NewReader(prefix))
		_, verifyErr := Verify(bytes.NewReader(prefix))
		if verifyErr == nil {
			t.Fatalf("%d bytes: Verify found nothing", n)
		}
		if n < ends[0] {
			if err == nil || n >= 4 && !errors.Is(err, ErrTruncated) {
				t.Fatalf("%d bytes, inside the header: %v", n, err)
			}
			continue
		}
		if err != nil || got.Loss == nil {
			t.Fatalf("%d bytes: error %v, loss %v", n, err, got.Loss)
		}
		whole, chunks := ends[0], 0
		for i, e := range ends {
			if e <= n {
				whole, chunks = e, i
			}
		}
		if l := got.Loss; l.Offset != int64(whole) || l.Bytes != int64(n-whole) || !l.EndMissing() || !strings.HasPrefix(l.String(), "the end of the trace is missing") || !errors.Is(verifyErr, ErrTruncated) {
			t.Fatalf("%d bytes: loss %+v (verify: %v); %d bytes are whole", n, l, verifyErr, whole)
		}
		if want := (chunks + 3) / 4 * 40; got.Events() != want {
			t.Fatalf("%d bytes, %d chunks: %d events, want %d", n, chunks, got.Events(), want)
		}
	}
}

// TestEveryBitCounts flips a bit in every byte: nothing is taken for whole.
func TestEveryBitCounts(t *testing.T) {
	file, ends := chunkedTrace(t)
	for i := range file {
		bad := bytes.Clone(file)
		bad[i] ^= 1 << (i % 8)
		if _, err := Verify(bytes.NewReader(bad)); err == nil {
			t.Fatalf("byte %d: Verify found nothing", i)
		}
		got, err := Read(bytes.NewReader(bad))
		if i < ends[0] {
			if err == nil {
				t.Fatalf("byte %d, in the header: no error", i)
			}
			continue
		}
		if err != nil || got.Loss == nil || got.Loss.Offset > int64(i) || got.Loss.Offset+got.Loss.Bytes != int64(len(file)) {
			t.Fatalf("byte %d: error %v, loss %+v", i, err, got.Loss)
		}
	}
}

func TestCorruptErrorTellsWhere(t *testing.T) {
	file, ends := chunkedTrace(t)
	bad := bytes.Clone(file)
	bad[ends[3]+descriptorBytes+10]++
	_, err := Verify(bytes.NewReader(bad))
	var corrupt *CorruptError
	if !errors.As(err, &corrupt) || corrupt.Offset != int64(ends[3]) || !errors.Is(err, errChecksum) {
		t.Fatal(err)
	}
	if want := "trace is damaged at byte"; !strings.Contains(err.Error(), want) {
		t.Fatal(err)
	}
	removed := append(bytes.Clone(file[:ends[2]]), file[ends[3]:]...)
	if _, err := Verify(bytes.NewReader(removed)); !errors.As(err, &corrupt) {
		t.Fatalf("a chunk taken out: %v", err)
	}
	tail := append(bytes.Clone(file), 'x')
	if tr, err := Read(bytes.NewReader(tail)); err != nil || tr.Loss == nil || tr.Loss.Bytes != 1 {
		t.Fatalf("a byte behind the end: %v", err)
	}
}

// TestReadErrorIsNotLoss holds that a failing disk is not taken for a short file.
func TestReadErrorIsNotLoss(t *testing.T) {
	file, ends := chunkedTrace(t)
	boom := errors.New("boom")
	for _, n := range []int{0, 5, ends[0], ends[1] + 3, len(file)} {
		r := io.MultiReader(bytes.NewReader(file[:n]), iotest.ErrReader(boom))
		if _, err := Read(r); !errors.Is(err, boom) {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
}

func TestNotTrace(t *testing.T) {
	file, _ := chunkedTrace(t)
	for in, want := range map[string]string{
		"":                                                 "empty",
		"\x1f\x8b\x08\x00 and so on":                       "gzip",
		"\x28\xb5\x2f\xfd and so on":                       "zstd data without",
		"\x5b\x2a\x4d\x18\x04\x00\x00\x00OT":               "cut short",
		"\x50\x2a\x4d\x18\x04\x00\x00\x00OTHER":            "another program",
		"2026-11-22 09:56:40 INFO":                         "text that begins with",
		`{"reel":1,"streams":[]}`:                          "text form",
		"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b": "unknown bytes",
	} {
		_, err := Read(strings.NewReader(in))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", in, err)
		}
		if want != "cut short" && !errors.Is(err, ErrNotTrace) {
			t.Errorf("%q: %v is not ErrNotTrace", in, err)
		}
	}
	newer := bytes.Clone(file)
	newer[frameHead+tagBytes] = 2
	var version *VersionError
	if _, err := Read(bytes.NewReader(newer)); !errors.As(err, &version) || version.Major != 2 {
		t.Errorf("format 2: %v", err)
	}
}
