package serve

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/dustin/go-humanize/english"

	"github.com/blockreel/blockreel/internal/outfile"
	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// ErrNobody: nothing was delivered to a reader that is recorded.
var ErrNobody = errors.New("no peer has read a block: there is nothing to record")

// finish ends the streams' traces.
func (r *recording) finish() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done, r.ended = true, r.clock.now()
	err := r.err
	for _, s := range r.streams {
		if closed := s.rec.Close(); closed != nil {
			err = errors.Join(err, fmt.Errorf("record %s: %w", s.file.Name(), closed))
		}
	}
	return err
}

// close takes the streams' files away, once they are saved.
func (r *recording) close() (err error) {
	for _, s := range r.streams {
		err = errors.Join(err, s.file.Close())
		if r.saved {
			err = errors.Join(err, os.Remove(s.file.Name()))
		}
	}
	return err
}

// SaveRecording writes what Serve has recorded, as one trace, to Recording.Path. Serve must
// have returned. It fails with ErrNobody, and leaves no file, if there is nothing;
// after another error the streams' files stay where they are.
func (s *Server) SaveRecording() error {
	r := s.recording
	if r == nil {
		return errors.New("nothing was recorded")
	}
	tr, err := r.trace()
	if err == nil {
		err = outfile.Write(r.Path, func(w io.Writer) error { return traces.Write(w, tr) })
	}
	r.saved = err == nil || errors.Is(err, ErrNobody)
	if sent := s.sent(); sent > 0 && errors.Is(err, ErrNobody) {
		err = fmt.Errorf("%w (the %d that were sent went to requests that stop at a block, such as those of peer channel fetch, which are not recorded)", err, sent)
	}
	return err
}

// trace puts the streams together.
func (r *recording) trace() (*traces.Trace, error) {
	if !r.origin.running() {
		return nil, ErrNobody
	}
	tr := &traces.Trace{Header: traces.Header{Base: r.origin.start.UTC(), Tool: r.Tool, Source: source}}
	blocks := 0
	for i, st := range r.streams {
		tl, notes, err := st.timeline()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", st.file.Name(), err)
		}
		blocks += tl.Len()
		tr.Streams = append(tr.Streams, tl.Stream)
		tr.Timelines = append(tr.Timelines, tl)
		for _, n := range append(notes, st.notes(tl)...) {
			n.Stream = i
			tr.Notes = append(tr.Notes, n)
		}
	}
	if blocks == 0 {
		return nil, ErrNobody
	}
	if r.left > 0 {
		tr.Notes = append(tr.Notes, traces.Note{Stream: -1, Kind: traces.NoteWarning,
			Text: fmt.Sprintf("not recorded: %s, of more than %d readers, or of readers for whom no file could be made", english.Plural(r.left, "request", ""), maxStreams)})
	}
	return tr, nil
}

// timeline reads what was recorded of the stream, and adds the blocks that were offered
// to its reader and have not reached it.
func (s *stream) timeline() (*traces.Timeline, []traces.Note, error) {
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return nil, nil, err
	}
	part, err := traces.Read(s.file)
	if err != nil {
		return nil, nil, err
	}
	seen := part.Timelines[0]
	first, end := uint64(seen.First), uint64(seen.First)+uint64(seen.Len())
	offered := s.channel.first()
	if s.recording.clock.running() {
		offered = s.channel.height(s.recording.ended)
	}
	switch {
	case s.begun && seen.Len() == 0:
		first, end = s.first, max(s.first, offered)
	case s.begun:
		first, end = min(first, s.first), max(end, offered)
	case seen.Len() > 0:
		end = max(end, offered)
	}
	if end-first > traces.MaxTimelineBlocks {
		return nil, nil, fmt.Errorf("blocks %d to %d are too many for a trace", first, end-1)
	}
	tl := traces.NewTimeline(seen.Stream, event.BlockNum(first), int(end-first))
	for k := range event.Kind(event.NumKinds) {
		if column := seen.Column(k); column != nil {
			copy(tl.MakeColumn(k)[uint64(seen.First)-first:], column)
		}
	}
	for n := max(first, s.channel.first()); n < min(end, offered); n++ {
		for k, v := range s.facts(int(n - s.channel.first())) {
			tl.MakeColumn(k)[n-first] = v
		}
	}
	return tl, part.Notes, nil
}

// notes tell how the times were obtained and what is missing.
func (s *stream) notes(tl *traces.Timeline) (notes []traces.Note) {
	add := func(kind, format string, args ...any) {
		notes = append(notes, traces.Note{Kind: kind, Text: fmt.Sprintf(format, args...)})
	}
	add(traces.NoteFact, "offered is when the block fell due by the schedule of the trace that was served, sent when its Send had returned")
	if c := s.channel; c.early > 0 && uint64(tl.First) < c.recorded() {
		add(traces.NoteFact, "blocks up to %d are from before the recording that was served: all of them count as offered at the start", c.recorded()-1)
	}
	if s.again > 0 {
		add(traces.NoteWarning, "%s sent again to a reader that had been cut off: the first time counts", english.Plural(int(s.again), "block", ""))
	}
	if s.peer < 0 {
		return notes
	}
	if who := s.recording.readers[s.peer]; who == "" {
		add(traces.NoteWarning, "no reader was called %s: nothing is known of what was sent to it", s.name)
	} else if who != s.name && !strings.HasSuffix(who, "/"+s.name) {
		add(traces.NoteFact, "the reader %s is taken for the peer %s", who, s.name)
	}
	if s.took > 0 {
		add(traces.NoteFact, "committed is the arrival of the peer's event, by the clock of the sender; it is late by up to what a request and its answer take, "+
			"which was %v when the peer was first asked, and by more while something waits on the way", s.took.Round(time.Microsecond))
	}
	if missing := s.uncommitted(tl); missing > 0 {
		add(traces.NoteWarning, "no time of %s that the peer has committed: its events were not followed yet, or not for a while", english.Plural(missing, "block", ""))
	}
	return notes
}

// uncommitted counts the blocks without a commit below the peer's height.
func (s *stream) uncommitted(tl *traces.Timeline) (n int) {
	for i := range tl.Len() {
		if uint64(tl.Block(i)) < s.known && tl.Value(event.Committed, i) == event.Missing {
			n++
		}
	}
	return n
}
