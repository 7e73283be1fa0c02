package replay

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/blockreel/blockreel/replay/ledger"
	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// What does not act in a run is not said of it: without pace a real ledger has its blocks from
// the start, and what was assumed of their way and found of their services bears on nothing.
func TestOnlyWhatBearsIsSaid(t *testing.T) {
	const intake, poll, identity, services, sizes = "intake and wake-up", "poll assumed", "identity error of the replay", "have no recorded service time", "have no recorded size"
	for _, tc := range []struct {
		name           string
		s              Scenario
		measured       bool
		without        bool // payloads
		said, unspoken []string
	}{
		{"the committer alone", Scenario{Ledgers: []string{"badger"}, Clock: Wall, Unpaced: true}, true, false, nil, []string{intake, poll, identity, services, sizes}},
		{"a catch-up", Scenario{Ledgers: []string{"badger"}, Buffers: []int{20}, Clock: Wall, Unpaced: true}, true, false, []string{poll}, []string{intake, identity, services, sizes}},
		{"an ideal buffer", Scenario{Ledgers: []string{"badger"}, Buffers: []int{20}, Mode: ModeIdeal, Clock: Wall, Unpaced: true}, true, false, nil, []string{intake, poll, identity}},
		{"made-up blocks", Scenario{Ledgers: []string{"badger"}, Clock: Wall, Unpaced: true}, true, true, []string{services, sizes}, []string{intake, poll, identity}},
		{"paced", Scenario{Ledgers: []string{"badger"}, Clock: Wall, Speed: 100}, false, false, []string{intake, poll, identity, services}, nil},
		{"recorded services", Scenario{Ledgers: []string{RecordedLedger, "badger"}, Clock: Wall, Unpaced: true}, false, false, []string{intake, poll, identity, services}, nil},
		{"simulated", Scenario{Ledgers: []string{"badger"}, Unpaced: true}, false, false, []string{intake, poll, identity, services}, nil},
	} {
		tr, payloads := sized(t, 30, 0, 100)
		tr.Timelines[0].MakeColumn(event.Dequeued)[3] = event.Missing
		tr.Timelines[0].MakeColumn(event.Bytes)[3] = event.Missing
		if tc.s.Payloads = payloads; tc.without {
			tc.s.Payloads = nil
		}
		tc.s.open = known{}.opens(nil)
		results, out := replayAll(t, tr, tc.s)
		if out.Measured != tc.measured {
			t.Errorf("%s: measured: %v", tc.name, out.Measured)
		}
		var notes []string
		for _, n := range results[0].Trace.Notes {
			if n.Kind == traces.NoteFact || n.Kind == traces.NoteWarning {
				notes = append(notes, n.Text)
			}
		}
		all := strings.Join(notes, "\n")
		printed := strings.Join(append(out.Facts, out.Warnings...), "\n")
		for _, want := range tc.said {
			if !strings.Contains(all, want) || want != identity && !strings.Contains(printed, want) {
				t.Errorf("%s: %q and %q lack %q", tc.name, all, printed, want)
			}
		}
		for _, not := range tc.unspoken {
			if strings.Contains(all, not) || strings.Contains(printed, not) {
				t.Errorf("%s: %q and %q have %q", tc.name, all, printed, not)
			}
		}
	}
}

// Where there are several ledgers, each thing is said once, and of each ledger what is its own.
func TestLedgersAreDescribed(t *testing.T) {
	_, payloads := sizedFrom(t, 0, 60, 0, 100)
	tr, _ := sizedFrom(t, 20, 40, 0, 100)
	for clock, counted := range map[string][]string{
		Virtual: {"were committed before the run: no figure counts them"},
		Wall:    {"of all figures only the bytes on disk and of payload count them", "of all figures only the bytes of payload count them"},
	} {
		_, out := replayAll(t, tr, Scenario{
			Ledgers: []string{"badger", "badger:sync=false", "pebble", "memory"}, Clock: clock, Unpaced: true, Payloads: payloads, open: known{}.opens(nil),
		})
		said := strings.Join(append(out.Facts, out.Warnings...), "\n")
		for _, once := range append(counted, "with the trace's own blocks", "durability of badger: a block is on the disk", "durability of pebble: ", "badger:sync=false does not wait for the disk") {
			if n := strings.Count(said, once); n != 1 {
				t.Errorf("%s: %q is said %d times in\n%s", clock, once, n, said)
			}
		}
		if n := strings.Count(said, "was driven once"); n > 1 || (n == 1) != (clock == Virtual) {
			t.Errorf("%s: how often a ledger was driven is said %d times", clock, n)
		}
		for _, not := range []string{"durability of badger:sync=false", "durability of memory", "sync=false;", "only the bytes on disk and of payload count them"} {
			if strings.Contains(said, not) && (clock == Virtual || !strings.HasPrefix(not, "only")) {
				t.Errorf("%s: %q is said in\n%s", clock, not, said)
			}
		}
	}
}

// What holds for the ledgers of all streams is said without their names, and what does not with
// that of its own.
func TestStreamsShareTheirLedgers(t *testing.T) {
	tr, payloads := sized(t, 60, 0, 100)
	for _, n := range []int{60, 40} {
		second := *tr.Timelines[0].Part(60-n, 60)
		second.Peer = "other"
		two := &traces.Trace{Header: tr.Header, Timelines: []*traces.Timeline{tr.Timelines[0], &second}}
		two.Streams = []traces.Stream{tr.Streams[0], second.Stream}
		for _, clock := range []string{Virtual, Wall} {
			_, out := replayAll(t, two, Scenario{
				Ledgers: []string{"badger"}, Clock: clock, Unpaced: true, Payloads: payloads,
				open: func(_ context.Context, _ string, cfg ledger.Config) (committer, error) {
					return &judging{known: known{dir: cfg.Dir}}, nil
				},
			})
			said := append(out.Facts, out.Warnings...)
			for _, once := range []string{"durability of badger: a block is on the disk when its commit returns", "stages of badger: "} {
				i := slices.IndexFunc(said, func(s string) bool { return strings.HasPrefix(s, once) })
				if n := strings.Count(strings.Join(said, "\n"), once); i < 0 || n != 1 {
					t.Errorf("%s: %q is said %d times in %q", clock, once, n, said)
				}
			}
			for _, f := range out.Facts {
				if strings.Contains(f, "handing blocks to the ledger") && !strings.HasPrefix(f, "ch: ") && !strings.HasPrefix(f, "ch@other: ") {
					t.Errorf("%q is of one stream", f)
				}
			}
		}
	}
}

// Without pace no stream has a backlog from before its cut.
func TestUnpacedHasNoBacklog(t *testing.T) {
	tr, payloads := sized(t, 60, 0, 100)
	tr.Streams[0].Settings[traces.SettingCutBacklog] = "7"
	for unpaced, want := range map[bool]string{true: "", false: "7"} {
		results, _ := replayAll(t, tr, Scenario{Ledgers: []string{"badger"}, Buffers: []int{2}, Unpaced: unpaced, Payloads: payloads, open: known{}.opens(nil)})
		if got := results[0].Trace.Streams[0].Settings[traces.SettingCutBacklog]; got != want {
			t.Errorf("unpaced %v: a backlog of %q blocks, want %q", unpaced, got, want)
		}
	}
}
