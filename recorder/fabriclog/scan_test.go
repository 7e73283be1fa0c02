package fabriclog

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/zstd"
)

// TestScanner reads lines around the limits in pieces of any size and compares them
// with a plain split.
func TestScanner(t *testing.T) {
	long := strings.Repeat("x", maxLine-1)
	for name, log := range map[string]string{
		"empty":           "",
		"no end":          "a\nb",
		"blank lines":     "\n\na\r\n\n",
		"at the limit":    "a\n" + long + "\nb\n",
		"over the limit":  "a\n" + long + long + long + "\nb\n",
		"over at the end": "a\n" + long + long + long,
	} {
		var want []string
		for _, l := range strings.Split(strings.TrimSuffix(log, "\n"), "\n") {
			want = append(want, strings.TrimSuffix(l, "\r"))
		}
		if log == "" {
			want = nil
		}
		for reader, r := range map[string]io.Reader{
			"whole": strings.NewReader(log),
			"half":  iotest.HalfReader(strings.NewReader(log)),
			"end":   iotest.DataErrReader(strings.NewReader(log)),
		} {
			s := newScanner(r)
			var got []string
			lastWhole := true
			err := s.scan(func([]byte) bool { return true }, func(b []byte, whole bool) {
				got = append(got, string(b))
				lastWhole = whole
			})
			if err != nil {
				t.Fatal(err)
			}
			if s.lines != int64(len(want)) || s.bytes != int64(len(log)) || len(got) != len(want) {
				t.Fatalf("%s, %s: %d lines of %d bytes, want %d of %d", name, reader, s.lines, s.bytes, len(want), len(log))
			}
			for i := range want {
				// A longer line may be given whole when it was read at once.
				if len(want[i]) < maxLine && got[i] != want[i] || len(got[i]) < maxLine && got[i] != want[i] || !strings.HasPrefix(want[i], got[i]) {
					t.Errorf("%s, %s: line %d has %d bytes, want %d", name, reader, i, len(got[i]), len(want[i]))
				}
			}
			if ended := strings.HasSuffix(log, "\n") || log == "" || len(want[len(want)-1]) >= maxLine; lastWhole != ended {
				t.Errorf("%s, %s: last line whole %v", name, reader, lastWhole)
			}
		}
	}
}

func TestProgressAndSources(t *testing.T) {
	var packed bytes.Buffer
	w, err := zstd.NewWriter(&packed)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(peerLog(4, 1000))
	w.Close()
	// zstd files may begin with a frame that decoders skip.
	log := slices.Concat([]byte("\x50\x2a\x4d\x18\x03\x00\x00\x00abc"), packed.Bytes())
	closed, told := false, int64(0)
	source := Source{Path: "p.log.zst", Open: func() (io.ReadCloser, error) {
		return struct {
			io.Reader
			io.Closer
		}{bytes.NewReader(log), closer(func() { closed = true })}, nil
	}}
	tr, report := read(t, Config{Peers: []Source{source}, Progress: func(n int64) {
		if n < told {
			t.Errorf("progress went from %d back to %d", told, n)
		}
		told = n
	}})
	if told != int64(len(log)) || !closed || tr.Timelines[0].Len() != 1000 || report.Files[0].Compression != "zstd" {
		t.Errorf("%d of %d bytes told, closed %v, report %+v", told, len(log), closed, report.Files[0])
	}

	broken := Source{Path: "p.log", Open: func() (io.ReadCloser, error) {
		return io.NopCloser(io.MultiReader(bytes.NewReader(peerLog(4, 10)), iotest.ErrReader(io.ErrClosedPipe))), nil
	}}
	if _, _, err := Read(context.Background(), Config{Peers: []Source{broken}}); err == nil || !strings.Contains(err.Error(), "p.log: ") {
		t.Errorf("a source that fails: %v", err)
	}
	for name, c := range map[string]Config{
		"no Open":   {Peers: []Source{{Path: "p.log"}}},
		"two stdin": {Peers: []Source{text("-", "")}, Orderers: []Source{text("-", "")}},
		"too many":  {Peers: make([]Source, maxSources+1)},
	} {
		if _, _, err := Read(context.Background(), c); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

type closer func()

func (c closer) Close() error { c(); return nil }
