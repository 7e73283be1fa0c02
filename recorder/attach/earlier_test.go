package attach

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// TestEarlier: blocks before the trace are kept as payloads, with nothing else of them.
func TestEarlier(t *testing.T) {
	m := maker{channel: "ch1", flags: true}
	blocks := m.blocks(30)
	whole := []Source{content("f", blocks...)}
	for name, c := range map[string]struct {
		cfg          Config
		kept, before int64
	}{
		"kept":       {Config{Files: whole}, 10, 0},
		"left out":   {Config{Files: whole, NoEarlier: true}, 0, 10},
		"sizes only": {Config{Files: whole, SizesOnly: true}, 0, 10},
		"two copies": {Config{Files: []Source{content("a", blocks...), content("b", blocks[2:12]...)}}, 10, 0},
	} {
		r := attached(t, recorded(10, 20, 2), c.cfg)
		got := r.report.Channels[0]
		if got.Earlier != c.kept || got.Before != c.before || got.Blocks != 20 || r.Timelines[0].First != 10 || r.Timelines[0].Len() != 20 {
			t.Errorf("%s: %+v", name, got)
		}
		for n, raw := range blocks[:10] {
			p, held := r.payloads[event.BlockNum(n)]
			if held != (c.kept > 0) || held && !bytes.Equal(p, raw) {
				t.Errorf("%s: block %d: %d bytes", name, n, len(p))
			}
		}
		if told := strings.Contains(r.notes(traces.NotePayloads), "before the trace, 0 to 9, "+untimed); told != (c.kept > 0) {
			t.Errorf("%s: notes %s", name, r.notes(traces.NotePayloads))
		}
	}
}

// TestEarlierAgain attaches the earlier blocks to a trace that has its own already, and
// the other way round.
func TestEarlierAgain(t *testing.T) {
	m := maker{channel: "ch1", flags: true}
	blocks := m.blocks(30)
	parts := [][][]byte{blocks[:5], blocks[5:10], blocks[10:]}
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 0, 2}, {1, 2, 0}} {
		r := result{Trace: recorded(10, 20, 2)}
		var cfg Config
		for _, i := range order {
			cfg.Files = []Source{content("f", parts[i]...)}
			r = attached(t, r.Trace, cfg)
			cfg.Stored = payloads(t, r.file)
		}
		notes := strings.Count(r.notes(traces.NotePayloads), untimed)
		if len(r.payloads) != 30 || notes != 1 || r.notes(traces.NoteWarning) != "" {
			t.Errorf("%v: %d payloads, notes: %v", order, len(r.payloads), r.Notes)
		}
	}
}

// TestEarlierContradictions: a hole or a fork before the trace is an error, unless these
// blocks are left out.
func TestEarlierContradictions(t *testing.T) {
	m, foreign := maker{channel: "ch1"}, maker{channel: "ch1", previous: bytes.Repeat([]byte{7}, 32)}
	blocks, others := m.blocks(30), foreign.blocks(12)
	for name, c := range map[string]struct {
		files [][][]byte
		want  error
		text  string
	}{
		"hole before the trace":      {[][][]byte{blocks[:3], blocks[6:]}, ErrHole, "block 3 is in no file"},
		"hole up to the trace":       {[][][]byte{blocks[:3], blocks[10:]}, ErrHole, "block 3 is in no file"},
		"hole at the trace's start":  {[][][]byte{blocks[:10], blocks[12:]}, ErrHole, "block 10 is in no file"},
		"fork before the trace":      {[][][]byte{others[:4], blocks[4:]}, ErrFork, "block 4"},
		"fork at the trace's start":  {[][][]byte{others[:10], blocks[10:]}, ErrFork, "block 10"},
		"fork, the later part first": {[][][]byte{blocks[8:], others[:8]}, ErrFork, "block 8"},
	} {
		var files []Source
		for _, f := range c.files {
			files = append(files, content("f", f...))
		}
		_, err := write(t, recorded(10, 20, 2), Config{Files: files})
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v", name, err)
		}
		if errors.Is(err, ErrHole) && !strings.Contains(err.Error(), "can be left out") {
			t.Errorf("%s: %v", name, err)
		}
	}
	files := []Source{content("a", blocks[:3]...), content("b", blocks[10:]...)}
	if _, err := write(t, recorded(10, 20, 2), Config{Files: files, NoEarlier: true}); err != nil {
		t.Errorf("without earlier blocks: %v", err)
	}
}

// The runs hold what a set would, whatever the order.
func TestEarlierRuns(t *testing.T) {
	var e earlier
	seen := map[event.BlockNum]bool{}
	// 37 is coprime to 100: every number twice, in a scattered order.
	for i := range 200 {
		n := event.BlockNum(i * 37 % 100)
		if fresh := e.add(n, link{hash: uint64(n) + 1, previous: uint64(n)}); fresh == seen[n] {
			t.Fatalf("block %d again: fresh is %v", n, fresh)
		}
		seen[n] = true
		for k, r := range e.runs {
			if r.previous != uint64(r.first) || r.hash != uint64(r.end) || k > 0 && r.first <= e.runs[k-1].end {
				t.Fatalf("after block %d: %+v", n, e.runs)
			}
		}
	}
	if !slices.Equal(e.runs, []run{{0, 100, 0, 100}}) {
		t.Errorf("runs are %+v", e.runs)
	}
}
