package traces

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "run.reel")
	want := smallTrace()
	for range 2 { // anew, and over what is there
		if err := WriteFile(path, want); err != nil {
			t.Fatal(err)
		}
		got, err := ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if d := diff(want, got); d != "" {
			t.Fatal(d)
		}
	}
	bad := smallTrace()
	bad.Notes[0].Stream = 9
	if err := WriteFile(path, bad); err == nil {
		t.Error("a note on a stream that is not there was written")
	}
	if err := WriteFile(filepath.Join(dir, "other.reel"), bad); err == nil {
		t.Error("a note on a stream that is not there was written")
	}
	if got, err := ReadFile(path); err != nil || diff(want, got) != "" {
		t.Errorf("a failed write harmed the file that was there: %v", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 {
		t.Errorf("failed writes left files: %v", entries)
	}
	if err := WriteFile(filepath.Join(dir, "nowhere", "x.reel"), want); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

func TestReadFileNamesIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "peer.log")
	if err := os.WriteFile(path, []byte("2026-11-22 09:56:40.661 UTC INFO"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadFile(path); !errors.Is(err, ErrNotTrace) || !strings.Contains(err.Error(), "peer.log") || !strings.Contains(err.Error(), "log") {
		t.Error(err)
	}
}

// TestLossIsRemembered holds that a copy of what is left of a trace says so.
func TestLossIsRemembered(t *testing.T) {
	file, ends := chunkedTrace(t)
	cut, err := Read(bytes.NewReader(file[:ends[4]+7]))
	if err != nil {
		t.Fatal(err)
	}
	whole, err := Read(bytes.NewReader(encode(t, cut)))
	if err != nil || whole.Loss != nil {
		t.Fatalf("%v, %v", whole, err)
	}
	if n := whole.Notes[len(whole.Notes)-1]; n.Kind != NoteWarning || !strings.Contains(n.Text, fmt.Sprintf("last 7 bytes, from byte %d on", ends[4])) {
		t.Errorf("%+v", whole.Notes)
	}
}

func TestHeaderThatCannotBeWritten(t *testing.T) {
	long := strings.Repeat("x", MaxStringBytes+1)
	for _, h := range []Header{
		{Tool: "\xff"}, {Source: long}, {Streams: make([]Stream, MaxStreams+1)},
		{Streams: []Stream{{Channel: "\xff"}}},
		{Streams: []Stream{{Settings: Settings{"a": "\xff"}}}},
		{Base: exampleBase.AddDate(1000, 0, 0)},
	} {
		if _, err := NewWriter(io.Discard, h, WriterConfig{}); err == nil {
			t.Errorf("%.60v was written", h)
		}
	}
}
