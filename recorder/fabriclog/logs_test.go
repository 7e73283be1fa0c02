package fabriclog

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"

	"github.com/blockreel/blockreel/traces"
)

// text is a source that reads log from memory.
func text[T string | []byte](path string, log T) Source {
	return Source{Path: path, Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader([]byte(log))), nil }}
}

// unpack returns the unpacked file of a folder.
func unpack(t testing.TB, dir, name string) []byte {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var r io.Reader = f
	if strings.HasSuffix(name, ".gz") {
		if r, err = gzip.NewReader(f); err != nil {
			t.Fatal(err)
		}
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func read(t testing.TB, c Config) (*traces.Trace, Report) {
	t.Helper()
	tr, report, err := Read(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	return tr, report
}

// noted returns the texts of the trace's notes of a kind, one a line.
func noted(tr *traces.Trace, kind string) string {
	var b strings.Builder
	for _, n := range tr.Notes {
		if n.Kind == kind {
			b.WriteString(n.Text + "\n")
		}
	}
	return b.String()
}
