package network

import (
	"fmt"
	"time"

	"github.com/dustin/go-humanize/english"

	"github.com/blockreel/blockreel/replay/driver"
	"github.com/blockreel/blockreel/replay/ledger"
	"github.com/blockreel/blockreel/traces"
)

// A Summary is what a run says of itself beside its trace.
type Summary struct {
	// Streams has one entry for each stream of the header, in the same order.
	Streams []StreamSummary
	// Channels at the orderer.
	Channels []ChannelSummary
	// Interrupted: the run was ended from outside, with blocks to come or under way.
	Interrupted bool

	cfg Config
}

// StreamSummary is the result of one stream.
type StreamSummary struct {
	Name string
	driver.Result
	// Breaks is the number of times at which the stream from the orderer broke and was
	// taken up again.
	Breaks int
}

// ChannelSummary is what the orderer says of a channel.
type ChannelSummary struct {
	Name string
	Late Lateness
}

// Notes returns the notes of the trace on the run.
func (s Summary) Notes() []traces.Note {
	var notes []traces.Note
	note := func(stream int, kind, format string, args ...any) {
		notes = append(notes, traces.Note{Stream: stream, Kind: kind, Text: fmt.Sprintf(format, args...)})
	}
	note(-1, traces.NoteFact, "blocks went from an orderer to its peers over gRPC and TLS on one machine; validate, commit and its stages were measured on a %s ledger; "+
		"intake, wake-up and door are the pipeline's model in real time", s.cfg.Ledger)
	if s.cfg.Ledger != ledger.Memory && !ledger.Durable(s.cfg.Ledger) {
		note(-1, traces.NoteWarning, "the ledger did not wait for the disk: its commits are faster than durable ones")
	}
	if s.Interrupted {
		note(-1, traces.NoteWarning, "the run was interrupted: blocks that were offered last are not committed")
	}
	for i, r := range s.Streams {
		note(i, traces.NoteFact, "timers were at most %v late, 99 %% of them at most %v", r.Lag.Max.Round(time.Microsecond), r.Lag.P99.Round(time.Microsecond))
		if r.Lag.Overloaded {
			note(i, traces.NoteWarning,
				"the machine was too slow for this run: 99 %% of its events were at most %v late, the others later, so its times are not the pipeline's alone", r.Lag.P99.Round(time.Millisecond))
		}
		if r.Breaks > 0 {
			note(i, traces.NoteWarning, "the stream from the orderer broke %s and was taken up again at the next block", english.Plural(r.Breaks, "time", ""))
		}
		if late := s.Channels[i/s.cfg.Orgs].Late; late.Blocks > 0 {
			note(i, traces.NoteWarning, "the orderer was slower than the load: %d of %d blocks were offered more than %v after their time, at most %v; their offered times are the true ones",
				late.Blocks, r.Offered, lateFrom, late.Max.Round(time.Millisecond))
		}
	}
	return notes
}
