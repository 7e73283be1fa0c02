package traces

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/blockreel/blockreel/traces/finding"
)

// NoteOf returns the note that carries a finding about a stream, or about the whole trace
// if stream is −1.
func NoteOf(stream int, f finding.Finding) Note {
	f.Stream = "" // the note has its index
	text, err := json.Marshal(f)
	if err != nil { // a number that JSON does not have
		panic(fmt.Sprintf("finding %s: %v", f.Code, err))
	}
	return Note{Stream: stream, Kind: NoteFinding, Text: string(text)}
}

// Finding returns the statement of a note, and whether it makes one. A note in words has the
// code "note" and its text as a value.
func (n Note) Finding() (f finding.Finding, ok bool) {
	words := finding.V{"text": n.Text}
	switch n.Kind {
	case NoteFinding:
		if json.Unmarshal([]byte(n.Text), &f) == nil {
			return f, true
		}
		return finding.Warn("note", words), true
	case NoteWarning:
		return finding.Warn("note", words), true
	case NoteFact:
		return finding.Note("note", words), true
	case NotePayloads:
		f = finding.Note("note", words)
		f.Payloads = true
		return f, true
	case NoteDropped, NoteDroppedSamples:
		lost, err := strconv.ParseInt(n.Text, 10, 64)
		if n.Kind == NoteDropped {
			return finding.Warn("dropped_events", finding.V{"dropped_events": lost}), err == nil && lost > 0
		}
		return finding.Warn("dropped_samples", finding.V{"dropped_samples": lost}), err == nil && lost > 0
	}
	return f, false
}

// Findings returns the statements of the notes. They name their stream if the trace has several.
func (t *Trace) Findings() (all []finding.Finding) {
	for _, n := range t.Notes {
		f, ok := n.Finding()
		if !ok {
			continue
		}
		if n.Stream >= 0 && n.Stream < len(t.Streams) && len(t.Streams) > 1 {
			f.Stream = t.Streams[n.Stream].Name()
		}
		all = append(all, f)
	}
	return all
}

// Finding says what is missing.
func (l *Loss) Finding() finding.Finding {
	v := finding.V{"unreadable_bytes": l.Bytes, "offset_bytes": l.Offset}
	switch {
	case !l.EndMissing():
		v["cause"] = strings.ToValidUTF8(l.Cause.Error(), "?")
		return finding.Warn("end_damaged", v)
	case l.Bytes == 0:
		return finding.Warn("end_missing", nil)
	}
	return finding.Warn("end_unfinished", v)
}
