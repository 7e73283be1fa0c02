package traces

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/blockreel/blockreel/internal/outfile"
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

// AppendTrace writes the timelines, the samples and the notes of t, whose streams are those of
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
	for _, s := range tr.Samples {
		if err := t.AppendSamples(s); err != nil {
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
	text := "of the file that this was read from: " + t.Loss.String()
	return append(slices.Clone(t.Notes), Note{-1, NoteWarning, strings.ToValidUTF8(text, "?")})
}

// WriteFile writes the trace to the file at path: whole or, after an error, not at all.
func WriteFile(path string, t *Trace) error {
	return outfile.Write(path, func(w io.Writer) error { return Write(w, t) })
}
