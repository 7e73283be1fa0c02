package network

import (
	"fmt"

	"github.com/blockreel/blockreel/replay/driver"
	"github.com/blockreel/blockreel/replay/ledger"
	"github.com/blockreel/blockreel/traces"
)

// A Summary is what a run says of itself beside its trace.
type Summary struct {
	// Streams has one entry for each stream of the header, in the same order.
	Streams []StreamSummary
	// Interrupted: the run was ended from outside, with blocks under way.
	Interrupted bool

	ledger string
}

// StreamSummary is the result of one stream.
type StreamSummary struct {
	Name string
	driver.Result
}

// Notes returns what the trace should tell of the run.
func (s Summary) Notes() []traces.Note {
	note := func(stream int, kind, format string, args ...any) traces.Note {
		return traces.Note{Stream: stream, Kind: kind, Text: fmt.Sprintf(format, args...)}
	}
	notes := []traces.Note{note(-1, traces.NoteFact,
		"validate, commit and its stages were measured on a %s ledger with made-up blocks; intake, wake-up and door are the pipeline's model", s.ledger)}
	if s.ledger == ledger.BadgerNoSync {
		notes = append(notes, note(-1, traces.NoteWarning, "the ledger did not wait for the disk: its commits are faster than durable ones"))
	}
	if s.Interrupted {
		notes = append(notes, note(-1, traces.NoteWarning, "the run was interrupted: blocks that were offered last are not committed"))
	}
	for i, r := range s.Streams {
		notes = append(notes, note(i, traces.NoteFact, "events were at most %v late, 99 %% of them at most %v", r.Lag.Max, r.Lag.P99))
		if r.Lag.Overloaded {
			notes = append(notes, note(i, traces.NoteWarning,
				"the machine was too slow for this run: 1 %% of its events were more than %v late, so its times are not the pipeline's alone", r.Lag.P99))
		}
	}
	return notes
}
