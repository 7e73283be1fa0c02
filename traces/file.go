package traces

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ReadFile reads the trace at path; see Read.
func ReadFile(path string) (*Trace, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	t, err := Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

// Write writes the trace to w. The file is whole, even when t has a Loss; a note then
// tells of it.
func Write(w io.Writer, t *Trace) error {
	tw, err := NewWriter(w, t.Header, WriterConfig{})
	if err != nil {
		return err
	}
	if err := tw.AppendTrace(t); err != nil {
		return err
	}
	return tw.Close()
}

// AppendTrace writes the timelines and the notes of t, whose streams are those of
// the Writer's header.
func (t *Writer) AppendTrace(tr *Trace) error {
	if len(tr.Timelines) != len(t.header.Streams) {
		return fmt.Errorf("trace of %d timelines for a header of %d streams", len(tr.Timelines), len(t.header.Streams))
	}
	for i, tl := range tr.Timelines {
		if err := t.AppendTimeline(i, tl); err != nil {
			return err
		}
	}
	for _, n := range tr.notesToWrite() {
		if err := t.Note(n); err != nil {
			return err
		}
	}
	return nil
}

// notesToWrite returns the notes, and one more for a Loss: it would be forgotten
// otherwise, since the copy is whole.
func (t *Trace) notesToWrite() []Note {
	if t.Loss == nil || len(t.Notes) >= MaxNotes {
		return t.Notes
	}
	text := fmt.Sprintf("the file that this was read from lacks its end: %d bytes from byte %d on could not be used: %v",
		t.Loss.Bytes, t.Loss.Offset, t.Loss.Cause)
	return append(slices.Clone(t.Notes), Note{-1, NoteWarning, strings.ToValidUTF8(text, "?")})
}

// WriteFile writes the trace to a temporary file beside path and renames it: after
// an error there is no file, or still the one that was there before.
func WriteFile(path string, t *Trace) (err error) {
	tmp := filepath.Join(filepath.Dir(path), fmt.Sprintf(".%s.%d.tmp", filepath.Base(path), os.Getpid()))
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if errors.Is(err, os.ErrExist) { // left behind by a killed process of the same number
		if err = os.Remove(tmp); err == nil {
			f, err = os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		}
	}
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(tmp)
		}
	}()
	if err := Write(f, t); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}
