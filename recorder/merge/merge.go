// Package merge makes one trace of several that tell of the same run.
//
//  1. Every Input is a trace in memory, and its payloads as they come from the file.
//  2. Traces joins what is in memory. Streams are the same when their channel and peer
//     are. The clocks must agree: clock.go. Of two values for the same block the one of
//     the earlier input counts; numbers of transactions must agree.
//  3. Write does this and passes the payloads on, one at a time. Files does it for the two
//     files of one recording that has ended in order, where nothing needs to be compared.
//
// It joins what a recorder of a live network has left when it was killed (times and
// payloads, of one clock), a trace of logs with one of the wire, or recordings that followed
// each other.
package merge

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize/english"

	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// Config says which traces belong together.
type Config struct {
	// Tolerance is how far the times of a block may be apart in two traces, in the
	// median. 0 means 100 ms.
	Tolerance time.Duration
	// TrustClocks takes the traces' beginnings as told by one clock, where no block shows
	// whether they were.
	TrustClocks bool
	// Tool names the program in the trace's header.
	Tool string
}

// Input is one of the traces.
type Input struct {
	// Name of it in errors and notes.
	Name  string
	Trace *traces.Trace
	// Payloads of the trace. Nil: none.
	Payloads iter.Seq2[traces.Payload, error]
}

// Write writes the joined trace to w, all times before the first payload.
func Write(w io.Writer, inputs []Input, cfg Config) (*traces.Trace, error) {
	t, err := Traces(inputs, cfg)
	if err != nil {
		return nil, err
	}
	out, err := traces.NewWriter(w, t.Header, traces.WriterConfig{})
	if err != nil {
		return nil, err
	}
	if err := out.AppendTrace(t); err != nil {
		return nil, err
	}
	if err := out.Flush(); err != nil {
		return nil, err
	}
	for _, in := range inputs {
		if in.Payloads == nil {
			continue
		}
		for p, err := range in.Payloads {
			if err != nil {
				return nil, fmt.Errorf("payloads of %s: %w", in.Name, err)
			}
			if err := out.Payload(p.Channel, p.Block, p.Bytes); err != nil {
				return nil, fmt.Errorf("payloads of %s: %w", in.Name, err)
			}
		}
	}
	return t, out.Close()
}

// Traces joins the traces without their payloads. The result shares no values with them.
func Traces(inputs []Input, cfg Config) (*traces.Trace, error) {
	if cfg.Tolerance == 0 {
		cfg.Tolerance = 100 * time.Millisecond
	}
	if len(inputs) == 0 {
		return nil, errors.New("no trace to join")
	}
	m := &merger{cfg: cfg, out: &traces.Trace{Header: traces.Header{Tool: cfg.Tool, Base: inputs[0].Trace.Base}}, first: inputs[0].Name}
	var sources []string
	for _, in := range inputs {
		if base := in.Trace.Base; base.IsZero() != m.out.Base.IsZero() {
			return nil, fmt.Errorf("one of %s and %s does not tell when it began: their times cannot be compared", m.first, in.Name)
		} else if base.Before(m.out.Base) {
			m.out.Base = base
		}
		if s := in.Trace.Source; s != "" && !slices.Contains(sources, s) {
			sources = append(sources, s)
		}
	}
	m.out.Source = strings.Join(sources, "+")
	for _, in := range inputs {
		if err := m.add(in); err != nil {
			return nil, err
		}
	}
	return m.out, nil
}

type merger struct {
	cfg   Config
	out   *traces.Trace
	first string
	bases []time.Time // of the traces that were joined
}

// add joins one more trace to those before.
func (m *merger) add(in Input) error {
	shift := in.Trace.Base.Sub(m.out.Base)
	if len(m.bases) > 0 {
		if err := m.agree(in, shift); err != nil {
			return err
		}
	}
	m.bases = append(m.bases, in.Trace.Base)
	place := make([]int, len(in.Trace.Timelines))
	for i, tl := range in.Trace.Timelines {
		at := m.find(tl.Stream)
		if at < 0 {
			at = len(m.out.Timelines)
			empty := traces.NewTimeline(tl.Stream, tl.First, 0)
			empty.Settings = traces.Settings{}
			m.out.Timelines = append(m.out.Timelines, empty)
			m.out.Streams = append(m.out.Streams, empty.Stream)
		}
		place[i] = at
		joined, err := m.join(m.out.Timelines[at], tl, shift, in.Name)
		if err != nil {
			return err
		}
		m.out.Timelines[at], m.out.Streams[at] = joined, joined.Stream
	}
	m.samples(in.Trace.Samples, shift)
	m.notes(in, place)
	return nil
}

// find gives the index of the stream of the same channel and peer, −1 if there is none.
func (m *merger) find(s traces.Stream) int {
	return slices.IndexFunc(m.out.Timelines, func(tl *traces.Timeline) bool { return tl.Channel == s.Channel && tl.Peer == s.Peer })
}

// join makes one timeline of two; what a has counts.
func (m *merger) join(a, b *traces.Timeline, shift time.Duration, name string) (*traces.Timeline, error) {
	first, end := b.First, b.Block(b.Len())
	if a.Len() > 0 {
		first, end = min(first, a.First), max(end, a.Block(a.Len()))
	}
	if b.Len() == 0 {
		first, end = a.First, a.Block(a.Len())
	}
	if end-first > traces.MaxTimelineBlocks {
		return nil, fmt.Errorf("%s: %s would have %d blocks, more than the limit of %d", name, b.Name(), end-first, traces.MaxTimelineBlocks)
	}
	stream := a.Stream
	if stream.Orderer == "" {
		stream.Orderer = b.Orderer
	}
	stream.Settings = m.settings(a, b, name)
	out := traces.NewTimeline(stream, first, int(end-first))
	for k := range event.Kind(event.NumKinds) {
		for n, from := range []*traces.Timeline{b, a} {
			column := from.Column(k)
			if column == nil {
				continue
			}
			to := out.MakeColumn(k)[from.First-first:]
			for i, v := range column {
				if v == event.Missing {
					continue
				}
				if n == 0 && k.IsTime() {
					v += int64(shift)
				}
				if (k == event.Transactions || k == event.CommitHash) && to[i] != event.Missing && to[i] != v {
					return nil, fmt.Errorf("%s: block %d of %s: %s is %d, and %d in the traces before it: these are not the same blocks",
						name, from.Block(i), b.Name(), k, to[i], v)
				}
				to[i] = v
			}
		}
	}
	return out, nil
}

// atBeginning are the settings that tell of the beginning of a stream.
var atBeginning = []string{traces.SettingCutBacklog, traces.SettingBacklogBefore}

// settings joins those of a stream. Times are as coarse as the coarsest of them.
func (m *merger) settings(a, b *traces.Timeline, name string) traces.Settings {
	all := traces.Settings{}
	for k, v := range a.Settings {
		all[k] = v
	}
	// What was before the first block is here, if a stream begins earlier.
	earlier := a
	if a.Len() == 0 || b.Len() > 0 && b.First < a.First {
		earlier = b
	}
	for _, k := range atBeginning {
		if delete(all, k); earlier.Settings[k] != "" {
			all[k] = earlier.Settings[k]
		}
	}
	for _, k := range b.Settings.Names() {
		v := b.Settings[k]
		have, known := all[k]
		switch {
		case slices.Contains(atBeginning, k):
		case !known:
			all[k] = v
		case k == traces.SettingResolution:
			x, _ := a.Settings.Int(k)
			if y, ok := b.Settings.Int(k); ok {
				all.SetInt(k, max(x, y))
			}
		case have != v:
			m.note(m.find(b.Stream), traces.NoteWarning, "%s tells %s = %s, a trace before it %s: the latter was kept", name, k, v, have)
		}
	}
	return all
}

// samples adds those of series that the traces before do not have, or not at that time.
func (m *merger) samples(all []traces.SampleColumn, shift time.Duration) {
	for _, s := range all {
		moved := traces.SampleColumn{Series: s.Series}
		have := m.out.Sampled(s.Name, s.Node, s.Channel)
		for i, at := range s.At {
			at += event.Time(shift)
			if have != nil && have.Len() > 0 && at >= have.At[0] && at <= have.At[have.Len()-1] {
				continue
			}
			moved.At, moved.Value = append(moved.At, at), append(moved.Value, s.Value[i])
		}
		switch {
		case have == nil:
			m.out.Samples = append(m.out.Samples, moved)
		case moved.Len() > 0:
			*have = inOrder(*have, moved)
		}
	}
}

// inOrder joins two columns of which b has nothing between a's first and last sample.
func inOrder(a, b traces.SampleColumn) traces.SampleColumn {
	cut := 0
	for cut < b.Len() && b.At[cut] < a.At[0] {
		cut++
	}
	return traces.SampleColumn{Series: a.Series,
		At:    slices.Concat(b.At[:cut], a.At, b.At[cut:]),
		Value: slices.Concat(b.Value[:cut], a.Value, b.Value[cut:]),
	}
}

// notes adds those of in; what was said of the same stream already is not said again, but
// drops add up.
func (m *merger) notes(in Input, place []int) {
	for _, n := range in.Trace.Notes {
		if n.Stream >= 0 {
			n.Stream = place[n.Stream]
		}
		if n.Kind == traces.NoteDropped || n.Kind == traces.NoteDroppedSamples || !slices.Contains(m.out.Notes, n) {
			m.out.Notes = append(m.out.Notes, n)
		}
	}
	m.out.Notes = slices.DeleteFunc(m.out.Notes, func(n traces.Note) bool {
		return n.Stream >= 0 && strings.HasPrefix(n.Text, traces.BacklogNote) && m.out.Streams[n.Stream].Settings[traces.SettingCutBacklog] == ""
	})
	if l := in.Trace.Loss; l != nil {
		lost := ""
		if l.Bytes > 0 {
			lost = ", and its last " + english.Plural(int(l.Bytes), "byte", "") + " could not be read"
		}
		m.note(-1, traces.NoteWarning, "%s was cut short: up to about a second of events at its end may be missing%s", in.Name, lost)
	}
}

func (m *merger) note(stream int, kind, format string, args ...any) {
	m.out.Notes = append(m.out.Notes, traces.Note{Stream: stream, Kind: kind, Text: fmt.Sprintf(format, args...)})
}
