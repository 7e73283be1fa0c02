// Package merge makes one trace of several traces of the same run.
//
//  1. An Input is a trace in memory, and its payloads as they are read from the file.
//  2. Traces merges the traces in memory. Streams are the same if their channel and peer are.
//     The clocks must agree: clock.go. A block's times at one node come from one input:
//     pick.go. Of two other values for a block the one of the earlier input counts; numbers
//     of transactions must agree.
//  3. Write also copies the payloads, one at a time.
//
// Typical inputs are a trace of logs and one of the wire, consecutive recordings, and the files
// of a recorder of several streams that was killed.
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

// Config configures a merge.
type Config struct {
	// Tolerance bounds the median difference between the times of a block in two traces.
	// 0 means 100 ms.
	Tolerance time.Duration
	// TrustClocks merges traces without common blocks, as if one clock had timed both.
	TrustClocks bool
	// Tool is the name of the program for the trace's header.
	Tool string
}

// Input is one of the traces.
type Input struct {
	// Name identifies the trace in errors and notes.
	Name  string
	Trace *traces.Trace
	// Payloads are the trace's blocks; nil if it has none.
	Payloads iter.Seq2[traces.Payload, error]
}

// Write writes the merged trace to w, all times before the first payload.
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

// Traces merges the traces without their payloads. The result shares no memory with them.
func Traces(inputs []Input, cfg Config) (*traces.Trace, error) {
	if cfg.Tolerance == 0 {
		cfg.Tolerance = 100 * time.Millisecond
	}
	if len(inputs) == 0 {
		return nil, errors.New("no traces to merge")
	}
	m := &merger{cfg: cfg, out: &traces.Trace{Header: traces.Header{Tool: cfg.Tool, Base: inputs[0].Trace.Base}}, first: inputs[0].Name}
	var sources []string
	for _, in := range inputs {
		if base := in.Trace.Base; base.IsZero() != m.out.Base.IsZero() {
			return nil, fmt.Errorf("%s: only one of %s and %s contains the time of its start: their times cannot be compared", in.Name, m.first, in.Name)
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
	bases []time.Time // beginnings of the traces that were joined
}

// add merges one more trace into those before.
func (m *merger) add(in Input) error {
	shift := in.Trace.Base.Sub(m.out.Base)
	if len(m.bases) > 0 {
		if err := m.checkClock(in, shift); err != nil {
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

// find returns the index of the stream with the same channel and peer, or −1.
func (m *merger) find(s traces.Stream) int {
	return slices.IndexFunc(m.out.Timelines, func(tl *traces.Timeline) bool { return tl.Channel == s.Channel && tl.Peer == s.Peer })
}

// join makes one timeline of two; values of a take precedence over those of b, except for
// times, see pick.
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
	fromB := m.pickTimes(a, b, out, name)
	for k := range event.Kind(event.NumKinds) {
		for n, from := range []*traces.Timeline{b, a} {
			column := from.Column(k)
			if column == nil {
				continue
			}
			to := out.MakeColumn(k)[from.First-first:]
			for i, v := range column {
				if v == event.Missing || k.IsTime() && fromB != nil && fromB[nodeOf(k)][int(from.First-first)+i] != (n == 0) {
					continue
				}
				if n == 0 && k.IsTime() {
					v += int64(shift)
				}
				if (k == event.Transactions || k == event.CommitHash) && to[i] != event.Missing && to[i] != v {
					return nil, fmt.Errorf("%s: block %d of %s: %s is %d, and %d in an earlier trace: these are different blocks",
						name, from.Block(i), b.Name(), k, to[i], v)
				}
				to[i] = v
			}
		}
	}
	return out, nil
}

// atBeginning are the settings that describe the beginning of a stream.
var atBeginning = []string{traces.SettingCutBacklog, traces.SettingBacklogBefore}

// settings merges the settings of a stream. The resolution is the coarsest of both.
func (m *merger) settings(a, b *traces.Timeline, name string) traces.Settings {
	all := traces.Settings{}
	for k, v := range a.Settings {
		all[k] = v
	}
	// The trace whose stream begins earlier knows what was before its first block.
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
			m.note(m.find(b.Stream), traces.NoteWarning, "%s is %s in %s and %s in an earlier trace, which is kept", k, v, name, have)
		}
	}
	return all
}

// samples adds the samples of series that the traces before do not have, or not at that time.
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

// inOrder merges two columns; b has no sample between the first and the last of a.
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

// notes adds the notes of in without repeating those of the same stream; the numbers of
// dropped events add up.
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
			lost = ", and the last " + english.Plural(int(l.Bytes), "byte", "") + " are not readable"
		}
		m.note(-1, traces.NoteWarning, "%s was cut short: about a second of events at its end may be missing%s", in.Name, lost)
	}
}

func (m *merger) note(stream int, kind, format string, args ...any) {
	m.out.Notes = append(m.out.Notes, traces.Note{Stream: stream, Kind: kind, Text: fmt.Sprintf(format, args...)})
}
