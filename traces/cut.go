package traces

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/blockreel/blockreel/traces/event"
)

// CutConfig says which blocks to keep. Block numbers and times bound together.
type CutConfig struct {
	// FromBlock is the first block to keep and ToBlock the first one behind
	// them; ToBlock 0 means to the end.
	FromBlock, ToBlock event.BlockNum
	// From and To bound the instant at which a block was offered, or its first
	// observed instant when that is not known: From ≤ instant < To. From 0 means
	// from the beginning (earlier than 0 too), To 0 means to the end.
	From, To event.Time
}

// SettingCutBacklog is the setting of a stream that was cut inside a backlog: how many
// blocks before the cut were committed only after its first block was offered, so that
// the peer was busy with them and not idle.
const SettingCutBacklog = "cut_backlog_blocks"

// BacklogNote begins the warning that goes with SettingCutBacklog.
const BacklogNote = "cut inside a backlog: "

// CutNote begins each note that a trace had before it was cut: what it tells, and counts, is
// of all that there was.
const CutNote = "of the trace this was cut from: "

// ErrEmptyCut is the error for a cut that leaves no block.
var ErrEmptyCut = errors.New("no block lies in the range")

func (c *CutConfig) validate() error {
	if c.ToBlock != 0 && c.ToBlock <= c.FromBlock {
		return fmt.Errorf("cut from block %d to block %d: the end must lie behind the beginning", c.FromBlock, c.ToBlock)
	}
	if c.To != 0 && c.To <= c.From {
		return fmt.Errorf("cut from %v to %v: the end must lie behind the beginning", c.From.Duration(), c.To.Duration())
	}
	return nil
}

// Cut returns the blocks that cfg keeps; their values are shared with t, see
// [Timeline.Part]. In each stream they are the range from the first block that is in
// bounds to the last. Samples are kept from the first
// instant of the kept blocks to the last. Times stay as they are. A note tells of the cut, and
// what other notes said of the whole is marked with [CutNote]; a warning and [SettingCutBacklog] tell when the peer was busy with blocks
// before it. All streams stay, even those that have become empty.
func (t *Trace) Cut(cfg CutConfig) (*Trace, error) {
	out, err := t.cut(cfg)
	if err != nil {
		return nil, err
	}
	for i, tl := range t.Timelines {
		if out.Timelines[i].First > tl.First {
			out.markBacklog(i, tl)
		}
	}
	return out, nil
}

// cut is Cut without a word on the blocks before the cut.
func (t *Trace) cut(cfg CutConfig) (*Trace, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	out := &Trace{Header: t.Header, Loss: t.Loss}
	var parts []*Timeline
	for _, tl := range t.Timelines {
		from, to := cfg.bounds(tl)
		parts = append(parts, tl.Part(from, to))
	}
	out.Notes = t.notesOfWhole(parts)
	blocks := 0
	for i, tl := range t.Timelines {
		kept := parts[i]
		out.Timelines = append(out.Timelines, kept)
		if blocks += kept.Len(); kept.Len() > 0 && kept.Len() < tl.Len() {
			out.Notes = append(out.Notes, Note{i, NoteFact, fmt.Sprintf("cut to blocks %d to %d of %d to %d",
				kept.First, kept.Block(kept.Len()-1), tl.First, tl.Block(tl.Len()-1))})
		}
	}
	if blocks == 0 {
		return nil, fmt.Errorf("%w: %s", ErrEmptyCut, t.reach())
	}
	out.Samples = cfg.samples(t, out)
	return out, nil
}

// notesOfWhole returns the notes, marked where the parts lack blocks of what they are on. Those
// on payloads always are: which of these go with a part is not known here.
func (t *Trace) notesOfWhole(parts []*Timeline) []Note {
	lacks := func(n Note) bool {
		for i, tl := range t.Timelines {
			if parts[i].Len() < tl.Len() && (n.Stream == i || n.Stream < 0) {
				return true
			}
		}
		return n.Kind == NotePayloads
	}
	notes := slices.Clone(t.Notes)
	for i, n := range notes {
		marked := strings.HasPrefix(n.Text, CutNote) || strings.HasPrefix(n.Text, BacklogNote) || len(n.Text) > MaxNoteBytes-len(CutNote)
		if isText := n.Kind == NoteFact || n.Kind == NoteWarning || n.Kind == NotePayloads; isText && !marked && lacks(n) {
			notes[i].Text = CutNote + n.Text
		}
	}
	return notes
}

// WithoutPayloads returns the trace without what its notes tell of payloads, for a file that
// holds none.
func (t *Trace) WithoutPayloads() *Trace {
	out := *t
	out.Notes = slices.DeleteFunc(slices.Clone(t.Notes), func(n Note) bool { return n.Kind == NotePayloads })
	return &out
}

// samples returns what is kept of the samples of t, of whose blocks out has the kept
// ones: the samples from the first instant of these blocks to the last and, of a cut by
// time, those between From and To as well; and of each series the one before them, since
// it holds at the beginning.
func (c *CutConfig) samples(t, out *Trace) (kept []SampleColumn) {
	if *c == (CutConfig{}) {
		return t.Samples
	}
	x := out.instants()
	if x.Start == event.Missing {
		return nil
	}
	if c.From != 0 {
		x.cover(int64(c.From), int64(c.From))
	}
	if c.To != 0 {
		x.cover(int64(c.To)-1, int64(c.To)-1)
	}
	fromStart, toEnd := c.From == 0 && c.FromBlock == 0, c.To == 0 && c.ToBlock == 0
	for i := range t.Samples {
		s := &t.Samples[i]
		from, to := max(0, s.Before(x.Start)), s.Before(x.End)+1
		if fromStart {
			from = 0
		}
		if toEnd {
			to = s.Len()
		}
		if from < to {
			kept = append(kept, SampleColumn{s.Series, slices.Clone(s.At[from:to]), slices.Clone(s.Value[from:to])})
		}
	}
	return kept
}

// instants returns an extent with the earliest and the latest instant of all blocks.
func (t *Trace) instants() Extent {
	x := Extent{Start: event.Missing, End: event.Missing}
	for _, tl := range t.Timelines {
		for _, k := range event.Way() {
			if least, greatest, n := tl.Bounds(k); n > 0 {
				x.cover(least, greatest)
			}
		}
	}
	return x
}

// markBacklog notes how many of the blocks of before were still to be committed when
// the first block of stream i was offered, and drops what an earlier cut said of that.
func (t *Trace) markBacklog(i int, before *Timeline) {
	kept := t.Timelines[i]
	late := committedAfter(before, kept)
	if _, stale := kept.Settings[SettingCutBacklog]; late == 0 && !stale {
		return
	}
	settings := maps.Clone(kept.Settings)
	delete(settings, SettingCutBacklog)
	t.Notes = slices.DeleteFunc(t.Notes, func(n Note) bool {
		return n.Stream == i && n.Kind == NoteWarning && strings.HasPrefix(n.Text, BacklogNote)
	})
	if late > 0 {
		if settings == nil {
			settings = Settings{}
		}
		settings.SetInt(SettingCutBacklog, int64(late))
		blocks := "1 block before the cut was"
		if late > 1 {
			blocks = fmt.Sprintf("%d blocks before the cut were", late)
		}
		t.Notes = append(t.Notes, Note{i, NoteWarning, BacklogNote + blocks +
			" still to be committed when the first block here was offered; its wait for them is left in the latency, and the height gap does not count them"})
	}
	kept.Settings = settings
	t.Streams = slices.Clone(t.Streams)
	t.Streams[i].Settings = settings
}

// committedAfter counts the blocks before the first of kept that were committed after
// that was offered.
func committedAfter(before, kept *Timeline) int {
	if kept.Len() == 0 || kept.Value(event.Offered, 0) == event.Missing {
		return 0
	}
	n, offered := 0, kept.Value(event.Offered, 0)
	committed := before.Cursor(event.Committed)
	for i := range before.Len() {
		if before.Block(i) >= kept.First {
			break
		}
		if committed.At(i) > offered { // which Missing is not
			n++
		}
	}
	return n
}

// bounds returns the indexes [from, to) of the blocks to keep.
func (c *CutConfig) bounds(tl *Timeline) (from, to int) {
	from, to = 0, tl.Len()
	if c.FromBlock > tl.First {
		from = int(min(uint64(c.FromBlock-tl.First), uint64(to)))
	}
	if c.ToBlock != 0 {
		if c.ToBlock <= tl.First {
			return 0, 0
		}
		to = int(min(uint64(c.ToBlock-tl.First), uint64(to)))
	}
	if c.From == 0 && c.To == 0 {
		return from, max(from, to)
	}
	for from < to && !c.inTime(tl, from) {
		from++
	}
	for from < to && !c.inTime(tl, to-1) {
		to--
	}
	return from, max(from, to)
}

func (c *CutConfig) inTime(tl *Timeline, i int) bool {
	at := tl.firstInstant(i)
	return at != event.Missing && (c.From == 0 || at >= int64(c.From)) && (c.To == 0 || at < int64(c.To))
}

// firstInstant returns when the block at index i was offered or, when that is not
// known, its earliest instant; event.Missing when it has none.
func (t *Timeline) firstInstant(i int) int64 {
	if at := t.Value(event.Offered, i); at != event.Missing {
		return at
	}
	first := int64(event.Missing)
	for _, k := range event.Way() {
		if at := t.Value(k, i); at != event.Missing && (first == event.Missing || at < first) {
			first = at
		}
	}
	return first
}

// rounded is a time for people; a trace of less than milliseconds has its own.
func rounded(t event.Time) time.Duration {
	if d := t.Duration(); d.Abs() < time.Millisecond {
		return d
	}
	return t.Duration().Round(time.Millisecond)
}

// reach says which blocks and instants a trace has, for errors.
func (t *Trace) reach() string {
	s := "the trace has no blocks"
	for i, tl := range t.Timelines {
		if tl.Len() == 0 {
			continue
		}
		part := fmt.Sprintf("stream %d (%s) has blocks %d to %d", i, t.Streams[i].Name(), tl.First, tl.Block(tl.Len()-1))
		var x Extent
		x.Start = event.Missing
		for j := range tl.Len() {
			if at := tl.firstInstant(j); at != event.Missing {
				x.cover(at, at)
			}
		}
		if x.Start != event.Missing {
			part += fmt.Sprintf(", offered or first seen from %v to %v", rounded(x.Start), rounded(x.End))
		}
		if s == "the trace has no blocks" {
			s = part
		} else {
			s += "; " + part
		}
	}
	return s
}
