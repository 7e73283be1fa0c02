package traces

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/blockreel/blockreel/traces/event"
)

func TestCut(t *testing.T) {
	tl := NewTimeline(Stream{Channel: "c"}, 10, 100)
	offered, committed := tl.MakeColumn(event.Offered), tl.MakeColumn(event.Committed)
	for i := range 100 {
		offered[i], committed[i] = int64(i)*10, int64(i)*10+500
	}
	offered[50] = event.Missing // its first instant is its commit at 1000
	tr := &Trace{Header: Header{Streams: []Stream{tl.Stream}}, Timelines: []*Timeline{tl}}
	for _, c := range []struct {
		cfg         CutConfig
		first, last event.BlockNum
	}{
		{CutConfig{}, 10, 109},
		{CutConfig{FromBlock: 20}, 20, 109},
		{CutConfig{FromBlock: 5, ToBlock: 30}, 10, 29},
		{CutConfig{ToBlock: 1000}, 10, 109},
		{CutConfig{From: 200, To: 300}, 30, 39},
		{CutConfig{From: 201, To: 301}, 31, 40},
		{CutConfig{To: 50}, 10, 14},
		{CutConfig{From: 980}, 60, 109}, // from the block whose offer is not known
		{CutConfig{FromBlock: 35, From: 200, To: 300}, 35, 39},
	} {
		got, err := tr.Cut(c.cfg)
		if err != nil {
			t.Errorf("%+v: %v", c.cfg, err)
			continue
		}
		g := got.Timelines[0]
		if last := g.Block(g.Len() - 1); g.First != c.first || last != c.last {
			t.Errorf("%+v: blocks %d to %d, want %d to %d", c.cfg, g.First, last, c.first, c.last)
		}
		for i := range g.Len() {
			if g.Value(event.Committed, i) != tl.Value(event.Committed, int(g.Block(i)-tl.First)) {
				t.Fatalf("%+v: block %d has another value", c.cfg, g.Block(i))
			}
		}
		notes := 0
		if g.Len() < tl.Len() {
			notes++
		}
		if g.First > 10 && g.Value(event.Offered, 0) != event.Missing {
			notes++ // the peer is always 50 blocks behind
		}
		if len(got.Notes) != notes {
			t.Errorf("%+v: notes %v", c.cfg, got.Notes)
		}
	}
	if _, err := tr.Cut(CutConfig{FromBlock: 110}); !errors.Is(err, ErrEmptyCut) || !strings.Contains(err.Error(), "blocks 10 to 109") {
		t.Errorf("nothing left: %v", err)
	}
	for _, cfg := range []CutConfig{{FromBlock: 5, ToBlock: 5}, {From: 9, To: 9}} {
		if _, err := tr.Cut(cfg); err == nil {
			t.Errorf("%+v was taken", cfg)
		}
	}
}

// What notes tell is of the whole trace: a cut marks those of the streams that it shortens, once,
// and leaves alone what only counts. Notes on payloads go with these.
func TestCutMarksNotes(t *testing.T) {
	long, short := NewTimeline(Stream{Channel: "long"}, 10, 100), NewTimeline(Stream{Channel: "short"}, 10, 20)
	for _, tl := range []*Timeline{long, short} {
		for i := range tl.MakeColumn(event.Committed) {
			tl.Column(event.Committed)[i] = int64(i)
		}
	}
	tr := &Trace{
		Header: Header{Streams: []Stream{long.Stream, short.Stream}}, Timelines: []*Timeline{long, short},
		Notes: []Note{
			{0, NoteWarning, "5 of 100 blocks have no commit"}, {1, NoteFact, "20 blocks are from files"}, {-1, NoteFact, "of all"},
			{0, NotePayloads, "those of the blocks before, 0 to 9, are held too"}, {-1, NoteDropped, "3"},
			{0, NoteFact, CutNote + "twice"}, {0, "colour", "red"}, {-1, NoteWarning, strings.Repeat("x", MaxNoteBytes)},
		},
	}
	texts := func(tr *Trace, cfg CutConfig) string {
		t.Helper()
		part, err := tr.Cut(cfg)
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, n := range part.Notes {
			all = append(all, n.Text[:min(len(n.Text), 60)])
		}
		return strings.Join(all, "\n")
	}
	whole, x := "those of the blocks before, 0 to 9, are held too", strings.Repeat("x", 60)
	if got, want := texts(tr, CutConfig{}), "5 of 100 blocks have no commit\n20 blocks are from files\nof all\n"+(CutNote + whole)[:60]+"\n3\n"+CutNote+"twice\nred\n"+x; got != want {
		t.Errorf("nothing was cut off:\n%s\nwant\n%s", got, want)
	}
	got, want := texts(tr, CutConfig{ToBlock: 60}), (CutNote + "5 of 100 blocks have no commit")[:60]+"\n20 blocks are from files\n"+CutNote+"of all\n"+(CutNote + whole)[:60]+
		"\n3\n"+CutNote+"twice\nred\n"+x+"\ncut to blocks 10 to 59 of 10 to 109"
	if got != want {
		t.Errorf("one stream was cut:\n%s\nwant\n%s", got, want)
	}
	if bare := tr.WithoutPayloads(); len(bare.Notes) != len(tr.Notes)-1 || slices.ContainsFunc(bare.Notes, func(n Note) bool { return n.Kind == NotePayloads }) {
		t.Errorf("without payloads there are the notes %v", bare.Notes)
	}
}

// TestCutInsideABacklog holds that a cut says with how many earlier blocks the peer was
// still busy, and that a cut of a cut says it of its own.
func TestCutInsideABacklog(t *testing.T) {
	const blocks = 100
	tl := NewTimeline(Stream{Channel: "c"}, 10, blocks)
	offered, committed := tl.MakeColumn(event.Offered), tl.MakeColumn(event.Committed)
	for i := range int64(blocks) { // a burst of 50, and then blocks that find the peer idle
		offered[i], committed[i] = i, 10*(i+1)
		if i >= 50 {
			offered[i] = 10*i + 1
		}
	}
	tr := &Trace{Header: Header{Streams: []Stream{tl.Stream}}, Timelines: []*Timeline{tl}}
	cut := func(tr *Trace, from event.BlockNum) *Trace {
		t.Helper()
		got, err := tr.Cut(CutConfig{FromBlock: from})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	check := func(tr *Trace, want int64) {
		t.Helper()
		warnings := 0
		for _, n := range tr.Notes {
			if n.Kind == NoteWarning && n.Stream == 0 {
				warnings++
			}
		}
		n, known := tr.Streams[0].Settings.Int(SettingCutBacklog)
		if m, _ := tr.Timelines[0].Settings.Int(SettingCutBacklog); n != want || m != want || known != (want > 0) {
			t.Errorf("backlog of %d and %d blocks, want %d", n, m, want)
		}
		if (warnings == 1) != (want > 0) || warnings > 1 {
			t.Errorf("notes %v", tr.Notes)
		}
	}
	check(cut(tr, 0), 0)
	// Block 40 was offered at 30, when 3 blocks were committed.
	inside := cut(tr, 40)
	check(inside, 27)
	if text := inside.Notes[1].Text; !strings.HasPrefix(text, "cut inside a backlog: 27 blocks before the cut were still to be committed when the first block here was offered") {
		t.Error(text)
	}
	check(cut(inside, 0), 27)
	check(cut(inside, 50), 10) // as far as that trace knows
	check(cut(inside, 70), 0)
	if tr.Streams[0].Settings != nil || tr.Notes != nil || len(inside.Notes) != 2 {
		t.Error("the trace that was cut has changed")
	}

	// By the index, without the blocks before.
	file := recorded(t, tr, rand.New(rand.NewPCG(1, 2)))
	for _, from := range []event.BlockNum{0, 40, 70} {
		got, err := ReadRange(bytes.NewReader(file), CutConfig{FromBlock: from})
		if err != nil {
			t.Fatal(err)
		}
		check(got, map[event.BlockNum]int64{40: 27}[from])
	}
}

// TestReadRange holds that reading a part by the index gives what cutting the whole does.
func TestReadRange(t *testing.T) {
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 3))
		whole := randomTrace(seed, 2000)
		for _, tl := range whole.Timelines { // times that lie together, so that cuts hit
			for _, k := range event.Way() {
				values := tl.MakeColumn(k)
				for i, v := range values {
					if v != event.Missing {
						values[i] = int64(i)*1000 + r.Int64N(100_000)
					}
				}
			}
		}
		file := recorded(t, whole, r)
		for range 10 {
			cfg := CutConfig{FromBlock: event.BlockNum(r.IntN(2000)), From: event.Time(r.IntN(1_000_000))}
			cfg.To = cfg.From + event.Time(r.IntN(500_000)+1)
			if r.IntN(2) == 0 {
				cfg.From, cfg.To = 0, 0
				cfg.ToBlock = cfg.FromBlock + event.BlockNum(1+r.IntN(300))
			}
			all, err := Read(bytes.NewReader(file))
			if err != nil {
				t.Fatal(err)
			}
			want, wantErr := all.Cut(cfg)
			c := &counting{r: bytes.NewReader(file)}
			got, err := ReadRange(c, cfg)
			if (err == nil) != (wantErr == nil) {
				t.Fatalf("seed %d, %+v: %v, by the whole %v", seed, cfg, err, wantErr)
			}
			if err != nil {
				continue
			}
			got.Notes, want.Notes = nil, nil // they name the span that was read
			if d := diff(want, got); d != "" {
				t.Fatalf("seed %d, %+v: %s", seed, cfg, d)
			}
		}
	}
}

// recorded writes the trace as a recorder does: in pieces by block, kinds apart.
func recorded(t *testing.T, tr *Trace, r *rand.Rand) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := NewWriter(&b, tr.Header, WriterConfig{ChunkEvents: 100})
	if err != nil {
		t.Fatal(err)
	}
	for from := 0; from < 2100; from += 50 {
		for s, tl := range tr.Timelines {
			for k := range event.NumKinds {
				at := from - 10*k // a lag of the later kinds
				for i := max(0, at); i < min(tl.Len(), at+50); i++ {
					if v := tl.Value(event.Kind(k), i); v != event.Missing {
						if err := w.Append(event.Event{Stream: s, Kind: event.Kind(k), Block: tl.Block(i), Value: v}); err != nil {
							t.Fatal(err)
						}
					}
				}
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestIndexTooLarge holds that a trace with more than an index can list is whole
// without one.
func TestIndexTooLarge(t *testing.T) {
	file := forge(t, 1,
		func(w *Writer) { w.Append(event.Event{Block: 1, Value: 1}); w.Flush() },
		func(w *Writer) { w.index.extents = MaxIndexChunks },
		func(w *Writer) { w.Append(event.Event{Block: 2, Value: 2}); w.Flush() },
	)
	r, err := Verify(bytes.NewReader(file))
	if err != nil || r.Indexed || r.Values != 2 {
		t.Fatalf("%+v, %v", r, err)
	}
	_, x, err := ReadIndex(bytes.NewReader(file))
	if err != nil || !x.Rebuilt || len(x.Chunks) != 2 {
		t.Fatalf("%+v, %v", x, err)
	}
}

type counting struct {
	r *bytes.Reader
	n int64
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

func (c *counting) Seek(offset int64, whence int) (int64, error) { return c.r.Seek(offset, whence) }

// TestReadRangeReadsLittle holds that a cut of a large file reads a small part of it.
func TestReadRangeReadsLittle(t *testing.T) {
	file := encode(t, benchTrace(32*bulkBlocks))
	c := &counting{r: bytes.NewReader(file)}
	tr, err := ReadRange(c, CutConfig{FromBlock: 300_000, ToBlock: 300_100})
	if err != nil || tr.Timelines[0].Len() != 100 {
		t.Fatalf("%v, %v", tr, err)
	}
	if c.n > int64(len(file))/4 {
		t.Errorf("read %d bytes of %d", c.n, len(file))
	}
}

// TestIndexRebuilt holds that the index of a file without one is that which it had.
func TestIndexRebuilt(t *testing.T) {
	file, ends := chunkedTrace(t)
	_, stored, err := ReadIndex(bytes.NewReader(file))
	if err != nil || stored.Rebuilt || len(stored.Chunks) != len(ends)-1 {
		t.Fatalf("%+v, %v", stored, err)
	}
	_, rebuilt, err := ReadIndex(bytes.NewReader(file[:ends[len(ends)-1]]))
	if err != nil || !rebuilt.Rebuilt {
		t.Fatalf("%+v, %v", rebuilt, err)
	}
	for i, c := range stored.Chunks {
		if c.Offset+c.Length != int64(ends[i+1]) {
			t.Errorf("chunk %d ends at %d, want %d", i, c.Offset+c.Length, ends[i+1])
		}
		r := rebuilt.Chunks[i]
		if r.Type != c.Type || r.Offset != c.Offset || r.Length != c.Length || len(r.Extents) != len(c.Extents) {
			t.Errorf("chunk %d: stored %+v, rebuilt %+v", i, c, r)
		}
		for j := range c.Extents {
			if c.Extents[j] != r.Extents[j] {
				t.Errorf("chunk %d: stored %+v, rebuilt %+v", i, c.Extents[j], r.Extents[j])
			}
		}
	}
}

var _ io.ReadSeeker = (*counting)(nil)

// The error of a range without a block tells times that can be read.
func TestCutTellsRoundedTimes(t *testing.T) {
	tl := NewTimeline(Stream{Channel: "c"}, 10, 2)
	offered := tl.MakeColumn(event.Offered)
	offered[0], offered[1] = 40_239_916, 9_790_173_129
	tr := &Trace{Header: Header{Streams: []Stream{tl.Stream}}, Timelines: []*Timeline{tl}}
	_, err := tr.Cut(CutConfig{FromBlock: 5000})
	if err == nil || !strings.Contains(err.Error(), "blocks 10 to 11, offered or first seen from 40ms to 9.79s") {
		t.Error(err)
	}
}
