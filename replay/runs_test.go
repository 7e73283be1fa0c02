package replay

import (
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/replay/block"
	"github.com/blockreel/blockreel/replay/cost"
	"github.com/blockreel/blockreel/replay/ledger"
	"github.com/blockreel/blockreel/replay/pipeline"
	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// A run that the replayer held up says so in its figures, and is named by its number.
func TestInvalidRuns(t *testing.T) {
	tr, payloads := sized(t, 130, 5*time.Millisecond, 100)
	for _, unpaced := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			k := known{state: time.Millisecond}
			results, out := replayAll(t, tr, Scenario{
				Ledgers: []string{"badger"}, Clock: Wall, Repeat: 2, Unpaced: unpaced, Payloads: payloads, open: k.opens(nil),
				Progress: func(done, _ int) {
					if done > 130 { // in the second run
						<-time.After(2 * time.Second)
					}
				},
			})
			first, second := results[0].Measured[0], results[1].Measured[0]
			if first.Invalid != "" || !strings.Contains(second.Invalid, "badger, run 2: the replayer or its machine was the bottleneck") {
				t.Errorf("the runs are invalid for %q and %q", first.Invalid, second.Invalid)
			}
			if !reflect.DeepEqual(out.Invalid, []string{second.Invalid}) || !slices.Contains(out.Warnings, second.Invalid) {
				t.Errorf("the outcome is invalid for %q, warnings %q", out.Invalid, out.Warnings)
			}
			if said := strings.Join(out.Facts, "\n"); !strings.Contains(said, "in the worst of 2 runs: handing blocks to the ledger took") {
				t.Errorf("facts %s", said)
			}
		})
	}
}

// A run of recorded services that is late is told to be, but its figures are as valid as ever.
func TestLateRun(t *testing.T) {
	tr, _ := sized(t, 130, 5*time.Millisecond, 100)
	want, _ := replayAll(t, tr, Scenario{})
	synctest.Test(t, func(t *testing.T) {
		got, out := replayAll(t, tr, Scenario{Clock: Wall, Progress: func(int, int) { <-time.After(2 * time.Second) }})
		if len(out.Invalid) > 0 || !strings.Contains(strings.Join(out.Warnings, "\n"), "N = 20: this machine was too slow") {
			t.Errorf("invalid for %q, warnings %q", out.Invalid, out.Warnings)
		}
		a, b := want[0].Trace.Timelines[0], got[0].Trace.Timelines[0]
		if !reflect.DeepEqual(a.Column(event.Committed), b.Column(event.Committed)) {
			t.Error("the commits are not those of simulated time")
		}
	})
}

// twice is tr with a second stream, of another channel and so without payloads.
func twice(tr *traces.Trace) *traces.Trace {
	one := tr.Timelines[0]
	tl := traces.NewTimeline(one.Stream, one.First, one.Len())
	tl.Channel = "other"
	for k := range event.Kind(event.NumKinds) {
		if c := one.Column(k); c != nil {
			copy(tl.MakeColumn(k), c)
		}
	}
	return &traces.Trace{Header: traces.Header{Streams: []traces.Stream{tr.Streams[0], tl.Stream}}, Timelines: []*traces.Timeline{tr.Timelines[0], tl}}
}

// Streams run side by side, each into its own ledger; progress is told by one at a time, and
// what was measured of one at a time is told to be so.
func TestSeveralStreams(t *testing.T) {
	tr, payloads := sized(t, 200, 5*time.Millisecond, 100)
	tr = twice(tr)
	synctest.Test(t, func(t *testing.T) {
		var specs []string
		var inside atomic.Int32
		k := known{state: time.Millisecond}
		s := Scenario{Ledgers: []string{"badger"}, Clock: Wall, Payloads: payloads, open: k.opens(&specs), Progress: func(int, int) {
			if inside.Add(1) > 1 {
				t.Error("progress is told twice at once")
			}
			<-time.After(time.Microsecond)
			inside.Add(-1)
		}}
		results, out := replayAll(t, tr, s)
		if m := results[0].Measured; len(specs) != 2 || len(m) != 2 || m[0].Channel != "ch" || m[1].Channel != "other" {
			t.Errorf("%d ledgers, measured %+v", len(specs), m)
		}
		const apart = "of the 2 streams were measured of one ledger at a time"
		if said := strings.Join(out.Warnings, "\n"); strings.Contains(said, apart) {
			t.Errorf("side by side: %s", said)
		}
		if said := strings.Join(out.Facts, "\n"); !strings.Contains(said, "other: N = 20 on badger: handing blocks") {
			t.Errorf("facts %s", said)
		}
		s.Clock = Virtual
		_, out = replayAll(t, tr, s)
		if said := strings.Join(out.Warnings, "\n"); strings.Count(said, apart) == 0 {
			t.Errorf("one after the other: %s", said)
		}
		s.Scale, s.LedgerDir, s.plainTimers = ledger.Unscaled(), t.TempDir(), true
		c, err := Calibrate(t.Context(), tr, s)
		if err != nil {
			t.Fatal(err)
		}
		s.Ledgers, s.Costs, s.Buffers = nil, []*cost.Model{c.Model}, []int{2}
		sweep, err := SweepTrace(t.Context(), tr, s)
		if err != nil {
			t.Fatal(err)
		}
		if said := strings.Join(sweep.Warnings, "\n"); strings.Count(said, apart) != 1 {
			t.Errorf("a forecast: %s", said)
		}
	})
}

// A stream whose run is not valid is named.
func TestInvalidStream(t *testing.T) {
	tr, _ := sized(t, 200, 5*time.Millisecond, 100)
	tr = twice(tr)
	for i := range 200 { // the second stream is over before the first begins
		for _, k := range []event.Kind{event.Offered, event.Dequeued, event.Validated, event.Committed} {
			tr.Timelines[0].MakeColumn(k)[i] += int64(10 * time.Second)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		k := known{state: time.Millisecond}
		results, out := replayAll(t, tr, Scenario{
			Ledgers: []string{"badger"}, Clock: Wall, open: k.opens(nil),
			Progress: func(done, _ int) {
				if done > 200 {
					<-time.After(2 * time.Second)
				}
			},
		})
		m := results[0].Measured
		if m[0].Invalid == "" || m[1].Invalid != "" {
			t.Errorf("invalid for %q and %q", m[0].Invalid, m[1].Invalid)
		}
		if len(out.Invalid) != 1 || out.Invalid[0] != "ch: "+m[0].Invalid {
			t.Errorf("the outcome is invalid for %q", out.Invalid)
		}
	})
}

// What a setting leaves open is as recorded, and named so.
func TestSettingsAreResolved(t *testing.T) {
	tr, payloads := sized(t, 100, 5*time.Millisecond, 100)
	wall := func(t *testing.T, s Scenario) ([]Result, string) {
		s.Ledgers, s.Clock, s.Payloads, s.open = []string{"badger"}, Wall, payloads, known{}.opens(nil)
		results, out := replayAll(t, tr, s)
		return results, strings.Join(out.Facts, "\n")
	}
	synctest.Test(t, func(t *testing.T) {
		results, said := wall(t, Scenario{})
		if results[0].Name() != "n20-badger" || !strings.Contains(said, "N = 20 on badger: handing") || strings.Contains(said, "N = 0") {
			t.Errorf("%s: %s", results[0].Name(), said)
		}
		results, said = wall(t, Scenario{Mode: ModeUnbounded})
		tr = results[0].Trace
		if results[0].Name() != "unbounded-badger" || !strings.Contains(said, "unbounded on badger: handing") {
			t.Errorf("%s: %s", results[0].Name(), said)
		}
		// What was recorded without a bound is replayed without one.
		results, said = wall(t, Scenario{})
		if results[0].Name() != "unbounded-badger" || !strings.Contains(said, "unbounded on badger: handing") {
			t.Errorf("%s: %s", results[0].Name(), said)
		}
		other := twice(tr)
		other.Timelines[1].Settings = traces.Settings{traces.SettingBuffer: "3", traces.SettingPreset: pipeline.Fabric2x}
		results, _ = replayAll(t, other, Scenario{})
		if results[0].Name() != "as-recorded" || results[0].Label() != "as recorded" {
			t.Errorf("streams of several settings: %s, %s", results[0].Name(), results[0].Label())
		}
	})
	// A size for a buffer that had no rule says nothing, in a replay as in a sweep.
	s := Scenario{Buffers: []int{2}, Scale: ledger.Unscaled()}
	if _, err := Replay(t.Context(), tr, s, func(Result) error { return nil }); err == nil || !strings.Contains(err.Error(), "--mode fabric") {
		t.Errorf("error %v", err)
	}
	s.Mode = ModeFabric
	if _, err := Replay(t.Context(), tr, s, func(Result) error { return nil }); err != nil {
		t.Error(err)
	}
}

// One ledger gives one answer: driven for a replay in simulated time it does what it does by
// the wall clock, although the recorded peer took its time between two blocks.
func TestDrivenLedgerIsTheWalls(t *testing.T) {
	tr, payloads := sized(t, 100, 0, 100)
	for i := range 100 {
		at := int64(i) * int64(5*time.Millisecond)
		for k, t := range map[event.Kind]time.Duration{event.Dequeued: 0, event.Validated: 2, event.Committed: 4} {
			tr.Timelines[0].MakeColumn(k)[i] = at + int64(t*time.Millisecond)
		}
	}
	m, err := NewModel(tr.Timelines[0], ModelConfig{})
	if err != nil || m.Turnaround[50] != int64(time.Millisecond) {
		t.Fatalf("turnaround %v, %v", m.Turnaround[50], err)
	}
	synctest.Test(t, func(t *testing.T) {
		k := known{validate: time.Millisecond, state: 3 * time.Millisecond}
		var makespans []int64
		for _, clock := range []string{Virtual, Wall} {
			results, _ := replayAll(t, tr, Scenario{Ledgers: []string{"badger"}, Clock: clock, Payloads: payloads, open: k.opens(nil)})
			s := analysis.StatsOf(results[0].Trace.Timelines[0])
			makespans = append(makespans, s.Makespan.Or(0))
		}
		if makespans[0] != makespans[1] || makespans[0] == 0 {
			t.Errorf("makespans %v", makespans)
		}
	})
}

// Bytes are those that the ledger was given, whatever the trace tells of them.
func TestBytesThatTheLedgerWasGiven(t *testing.T) {
	tr, payloads := sized(t, 100, 5*time.Millisecond, 1000)
	for i := range 40 {
		tr.Timelines[0].MakeColumn(event.Bytes)[i] = event.Missing
	}
	synctest.Test(t, func(t *testing.T) {
		for _, p := range []*traces.PayloadFile{payloads, nil} {
			results, _ := replayAll(t, tr, Scenario{Ledgers: []string{"badger"}, Clock: Wall, Payloads: p, open: known{}.opens(nil)})
			if m := results[0].Measured[0]; m.Payload.Or(0) != 100_000 {
				t.Errorf("%v bytes of payload, want those of all blocks", m.Payload)
			}
		}
	})
}

// A trace without validated times does not tell validation from commit: where that matters it
// is said, and where only some are missing they are taken from the others.
func TestValidationThatIsNotTold(t *testing.T) {
	tr, _ := sized(t, 100, 5*time.Millisecond, 100)
	tl := tr.Timelines[0]
	validated := tl.MakeColumn(event.Validated)
	const own, none = "validation takes the trace's own time", "validation takes no time here"
	made := func() (facts, warnings string) {
		synctest.Test(t, func(t *testing.T) {
			_, out := replayAll(t, tr, Scenario{Ledgers: []string{"badger"}, Clock: Wall, open: known{}.opens(nil)})
			facts, warnings = strings.Join(out.Facts, "\n"), strings.Join(out.Warnings, "\n")
		})
		return facts, warnings
	}
	for i := range 10 {
		validated[5*i] = event.Missing
	}
	facts, warnings := made()
	if !strings.Contains(facts, own) || strings.Contains(warnings, none) || !strings.Contains(warnings, "10 of 100 blocks have no validated time") {
		t.Errorf("facts %s, warnings %s", facts, warnings)
	}
	m, err := NewModel(tl, ModelConfig{})
	if want := (ledger.Times{Validate: time.Millisecond, Commit: 2 * time.Millisecond}); err != nil || m.Times[5] != want || m.Times[6] != want {
		t.Errorf("services %v and %v, want %v: %v", m.Times[5], m.Times[6], want, err)
	}
	for i := range validated {
		validated[i] = event.Missing
	}
	if facts, warnings = made(); strings.Contains(facts, own) || !strings.Contains(warnings, none) {
		t.Errorf("facts %s, warnings %s", facts, warnings)
	}
	for _, text := range []string{"validate=2", "commit=0.5", "state_commit=1"} {
		s := Scenario{}
		if s.Scale, err = ledger.ParseScale(text); err != nil {
			t.Fatal(err)
		}
		out, err := Replay(t.Context(), tr, s, func(Result) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		said := strings.Contains(strings.Join(out.Warnings, "\n"), "does not tell validation from commit")
		if want := text != "state_commit=1"; said != want {
			t.Errorf("%s: warnings %q", text, out.Warnings)
		}
	}
	if m, err = NewModel(tl, ModelConfig{}); err != nil {
		t.Fatal(err)
	}
	s := Scenario{Costs: []*cost.Model{{Ledger: "badger", MadeUp: true}}}
	if _, warnings := s.tellCosts([]*Model{m}); !strings.Contains(strings.Join(warnings, "\n"), none) {
		t.Errorf("warnings %q", warnings)
	}
}

// A part of a commit that the trace does not tell stays untold in its replays.
func TestStagesThatAreNotTold(t *testing.T) {
	tr, _ := sized(t, 100, 5*time.Millisecond, 100)
	tl := tr.Timelines[0]
	for i := 50; i < 100; i++ {
		tl.MakeColumn(event.StateCommit)[i] = int64(i%2) * int64(time.Millisecond)
	}
	tl.MakeColumn(event.Dequeued)[80] = event.Missing // its service is the median one, of no known parts
	results, _ := replayAll(t, tr, Scenario{})
	got := results[0].Trace.Timelines[0]
	for i := range 100 {
		want := tl.Value(event.StateCommit, i)
		if i == 80 {
			want = event.Missing
		}
		if v := got.Value(event.StateCommit, i); v != want {
			t.Errorf("block %d: state commit of %d, want %d", i, v, want)
		}
	}
	if n := got.Observed(event.HistoryCommit); n != 0 {
		t.Errorf("%d history commits", n)
	}
}

// A cost model is fitted to the blocks that were committed, and what nobody knows of them is said.
func TestCalibrateByWhatWasCommitted(t *testing.T) {
	tr, payloads := sized(t, 100, 5*time.Millisecond, 1000)
	tl := tr.Timelines[0]
	for i := range 50 {
		tl.MakeColumn(event.Bytes)[i] = 77
	}
	synctest.Test(t, func(t *testing.T) {
		s := Scenario{Ledgers: []string{"badger"}, Scale: ledger.Unscaled(), Payloads: payloads, LedgerDir: t.TempDir(), plainTimers: true, open: known{state: time.Millisecond}.opens(nil)}
		c, err := Calibrate(t.Context(), tr, s)
		if err != nil {
			t.Fatal(err)
		}
		if c.Bytes.Min != 1000 || c.Bytes.Max != 1000 {
			t.Errorf("fitted to blocks of %v bytes", c.Bytes)
		}
		if said := strings.Join(c.Warnings, "\n"); strings.Contains(said, "does not know what its blocks held") {
			t.Errorf("warnings %s", said)
		}
		for i := range 10 {
			tl.MakeColumn(event.Writes)[i] = event.Missing
		}
		if c, err = Calibrate(t.Context(), tr, s); err != nil {
			t.Fatal(err)
		}
		if said := strings.Join(c.Warnings, "\n"); !strings.Contains(said, "does not tell the writes of 10 of its 100 blocks") {
			t.Errorf("warnings %s", said)
		}
	})
}

// Progress is told while a ledger is driven, too.
func TestProgressOfADrive(t *testing.T) {
	tr, payloads := sized(t, 200, 5*time.Millisecond, 100)
	driven, during, last, all := 0, 0, 0, 0
	k := known{check: func(*block.Block) error { driven++; return nil }}
	s := Scenario{Ledgers: []string{"badger"}, Buffers: []int{2, 20}, Payloads: payloads, open: k.opens(nil), Progress: func(done, n int) {
		if driven < 200 {
			during++
		}
		last, all = done, n
	}}
	replayAll(t, tr, s)
	if during == 0 || last != 600 || all != 600 {
		t.Errorf("%d reports during the drive, the last of %d of %d", during, last, all)
	}
}

// What is asked is checked, and not changed.
func TestValidateChangesNothing(t *testing.T) {
	s := Scenario{Scale: ledger.Unscaled()}
	if err := s.Validate(); err != nil || s.Clock != "" || s.Ledgers != nil {
		t.Errorf("%+v, %v", s, err)
	}
}
