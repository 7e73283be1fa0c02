package replay_test

import (
	"context"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/replay"
	"github.com/blockreel/blockreel/replay/ledger"
	"github.com/blockreel/blockreel/replay/pipeline"
	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// outcome is an Outcome with all results.
type outcome struct {
	*replay.Outcome
	Results []replay.Result
}

// all replays and keeps every result.
func all(tr *traces.Trace, s replay.Scenario) (outcome, error) {
	var o outcome
	if s.Scale == (ledger.Scale{}) {
		s.Scale = ledger.Unscaled()
	}
	out, err := replay.Replay(context.Background(), tr, s, func(r replay.Result) error {
		o.Results = append(o.Results, r)
		return nil
	})
	o.Outcome = out
	return o, err
}

func run(t testing.TB, tr *traces.Trace, s replay.Scenario) outcome {
	t.Helper()
	o, err := all(tr, s)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestOneResultForEachSetting(t *testing.T) {
	tr := sample(t, "fabric-2.5-mvcc-n20-debug")
	out := run(t, tr, replay.Scenario{Buffers: []int{2, 20}, Ledgers: []string{"recorded", "memory"}})
	var names []string
	for _, r := range out.Results {
		names = append(names, r.Name())
		if tl := r.Trace.Timelines[0]; tl.Observed(event.Committed) != 300 {
			t.Errorf("%s: %d of 300 blocks are committed", r.Name(), tl.Observed(event.Committed))
		}
	}
	if want := []string{"n2", "n20", "n2-memory", "n20-memory"}; !reflect.DeepEqual(names, want) {
		t.Errorf("results %v, want %v", names, want)
	}
}

func TestModes(t *testing.T) {
	tr := sample(t, "fabric-2.5-burst-n2")
	makespan := map[string]int64{}
	for _, mode := range []string{replay.ModeFabric, replay.ModeIdeal, replay.ModeUnbounded} {
		out := run(t, tr, replay.Scenario{Mode: mode})
		s := analysis.StatsOf(out.Results[0].Trace.Timelines[0])
		makespan[mode] = s.Makespan.Or(0)
	}
	// Fabric's poll is what makes N = 2 slow; without it two blocks ahead are enough.
	if f, i, u := makespan[replay.ModeFabric], makespan[replay.ModeIdeal], makespan[replay.ModeUnbounded]; f < 2*i || i > u*101/100 {
		t.Errorf("makespans %v: want the poll to cost more than half", makespan)
	}
}

// A trace that an earlier version made with a non-blocking buffer is refused.
func TestNonBlocking(t *testing.T) {
	tr := run(t, sample(t, "fabric-2.5-burst-n20"), replay.Scenario{}).Results[0].Trace
	tr.Timelines[0].Stream.Settings["pipeline_mode"] = "non-blocking"
	_, err := replay.NewModel(tr.Timelines[0], replay.ModelConfig{})
	if err == nil || !strings.Contains(err.Error(), "the buffer was non-blocking, which this version cannot replay") {
		t.Errorf("error %v", err)
	}
}

// TestModesThereAndBack: a replay without the poll, replayed with Fabric's rule, has the
// poll again; a sweep of a buffer without a rule is refused.
func TestModesThereAndBack(t *testing.T) {
	tr := sample(t, "fabric-2.5-burst-n20")
	makespan := func(o outcome) int64 {
		s := analysis.StatsOf(o.Results[0].Trace.Timelines[0])
		return s.Makespan.Or(0)
	}
	want := makespan(run(t, tr, replay.Scenario{Buffers: []int{2}}))
	for _, mode := range []string{replay.ModeIdeal, replay.ModeUnbounded} {
		there := run(t, tr, replay.Scenario{Buffers: []int{2}, Mode: mode}).Results[0].Trace
		back := makespan(run(t, there, replay.Scenario{Buffers: []int{2}, Mode: replay.ModeFabric}))
		if back < want*99/100 || back > want*101/100 {
			t.Errorf("%s and back: makespan %d, not %d", mode, back, want)
		}
		_, err := replay.SweepTrace(context.Background(), there, replay.Scenario{Buffers: []int{2}, Scale: ledger.Unscaled()})
		if err == nil || !strings.Contains(err.Error(), "--mode fabric") {
			t.Errorf("sweep of a buffer that is %s: %v", mode, err)
		}
	}
}

// catchUp is a stream whose peer comes back after an outage, with a block every 5 ms.
func catchUp(outage time.Duration, blocks int) *traces.Trace {
	settings := traces.Settings{traces.SettingBuffer: "20", traces.SettingPreset: pipeline.Fabric2x}
	tl := traces.NewTimeline(traces.Stream{Channel: "c", Peer: "p", Settings: settings}, 1, blocks)
	for i := range blocks {
		popped := int64(outage) + int64(i)*int64(5*time.Millisecond)
		tl.MakeColumn(event.Offered)[i] = int64(i)
		tl.MakeColumn(event.Dequeued)[i] = popped
		tl.MakeColumn(event.Committed)[i] = popped + int64(5*time.Millisecond)
	}
	return &traces.Trace{Header: traces.Header{Streams: []traces.Stream{tl.Stream}}, Timelines: []*traces.Timeline{tl}}
}

// TestLongOutage: a peer that was away for days is as late in the replay.
func TestLongOutage(t *testing.T) {
	out := run(t, catchUp(72*time.Hour, 200), replay.Scenario{})
	for _, d := range out.Identity[0].Differences {
		if e, ok := d.Error.Get(); !ok || math.Abs(e) > 0.001 {
			t.Errorf("%s: %d, not %d", d.Figure, d.Got, d.Want)
		}
	}
}

// TestWildOffer: one offered time that is far too late does not move the others.
func TestWildOffer(t *testing.T) {
	tr := sample(t, "fabric-2.5-burst-n20")
	tr.Timelines[0].MakeColumn(event.Offered)[100] += int64(time.Hour)
	out := run(t, tr, replay.Scenario{})
	s := analysis.StatsOf(out.Results[0].Trace.Timelines[0])
	if got := time.Duration(s.Makespan.Or(0)); got > 15*time.Second {
		t.Errorf("one wild offer makes a makespan of %v", got)
	}
}

// TestWarningsAreInherited: what weakens a trace weakens its replays.
func TestWarningsAreInherited(t *testing.T) {
	tr := sample(t, "fabric-2.5-mvcc-n20-debug")
	tr.Notes = append(tr.Notes, traces.Note{Stream: -1, Kind: traces.NoteWarning, Text: "the clock was struck by lightning"},
		traces.Note{Stream: 0, Kind: traces.NoteDropped, Text: "17"})
	first := run(t, tr, replay.Scenario{})
	second := run(t, first.Results[0].Trace, replay.Scenario{})
	for _, o := range []outcome{first, second} {
		said, kept := strings.Join(o.Warnings, "\n"), notes(o.Results[0].Trace)
		for _, want := range []string{"of the replayed trace: the clock was struck", "dropped 17 events"} {
			if strings.Count(said, want) != 1 || strings.Count(kept, want) != 1 {
				t.Errorf("%q: said %d times, kept %d times", want, strings.Count(said, want), strings.Count(kept, want))
			}
		}
	}
}

func TestScale(t *testing.T) {
	tr := sample(t, "fabric-2.5-burst-n20-debug")
	scale, err := ledger.ParseScale("commit=0.5,validate=2")
	if err != nil {
		t.Fatal(err)
	}
	out := run(t, tr, replay.Scenario{Scale: scale})
	was, is := tr.Timelines[0], out.Results[0].Trace.Timelines[0]
	for i := range was.Len() {
		span := func(tl *traces.Timeline, from, to event.Kind) float64 {
			return float64(tl.Value(to, i) - tl.Value(from, i))
		}
		if w, g := span(was, event.Dequeued, event.Validated), span(is, event.Dequeued, event.Validated); g != 2*w {
			t.Fatalf("block %d: validation took %v, now %v: want twice", was.Block(i), w, g)
		}
		w, g := span(was, event.Validated, event.Committed), span(is, event.Validated, event.Committed)
		if g < w/2-3 || g > w/2+3 {
			t.Fatalf("block %d: commit took %v, now %v: want half", was.Block(i), w, g)
		}
	}
}

// TestRealLedger: with a real ledger commits are measured, validation stays the trace's.
func TestRealLedger(t *testing.T) {
	tr := sample(t, "fabric-2.5-mvcc-n20-debug")
	for _, spec := range []string{"memory", "badger:sync=false"} {
		s := replay.Scenario{Ledgers: []string{spec}, LedgerDir: t.TempDir(), Scale: ledger.Unscaled()}
		out := run(t, tr, s)
		was, is := tr.Timelines[0], out.Results[0].Trace.Timelines[0]
		if is.Settings[traces.SettingLedger] != spec {
			t.Errorf("the result's ledger is %q", is.Settings[traces.SettingLedger])
		}
		for i := range was.Len() {
			if w, g := was.Value(event.Validated, i)-was.Value(event.Dequeued, i), is.Value(event.Validated, i)-is.Value(event.Dequeued, i); w != g {
				t.Fatalf("block %d: validation took %d, now %d", was.Block(i), w, g)
			}
			if is.Value(event.BlockStore, i) <= 0 {
				t.Fatalf("%s, block %d: the time of the block store was not measured", spec, is.Block(i))
			}
		}
		if !strings.Contains(notes(out.Results[0].Trace), "made-up blocks") {
			t.Error("the result does not say that its blocks were made up")
		}
	}
}

func notes(tr *traces.Trace) string {
	var b strings.Builder
	for _, n := range tr.Notes {
		b.WriteString(n.Kind + ": " + n.Text + "\n")
	}
	return b.String()
}

// TestWallIsVirtual: in real time the replay of recorded services is the same.
func TestWallIsVirtual(t *testing.T) {
	tr := sample(t, "fabric-2.5-twochannels-n20")
	part, err := tr.Cut(traces.CutConfig{ToBlock: 150})
	if err != nil {
		t.Fatal(err)
	}
	want := run(t, part, replay.Scenario{Buffers: []int{2}})
	synctest.Test(t, func(t *testing.T) {
		got := run(t, part, replay.PlainTimers(replay.Scenario{Buffers: []int{2}, Clock: replay.Wall}))
		for i, tl := range got.Results[0].Trace.Timelines {
			for k := range event.NumKinds {
				if kind := event.Kind(k); kind.IsTime() && !reflect.DeepEqual(tl.Column(kind), want.Results[0].Trace.Timelines[i].Column(kind)) {
					t.Errorf("%s: %v differs between the clocks", tl.Name(), kind)
				}
			}
		}
	})
}

// TestSweepIsReplay: a point of the curve is what the replay of its setting gives.
func TestSweepIsReplay(t *testing.T) {
	for _, name := range []string{"fabric-2.5-burst-n20", "fabric-2.5-steady-n20", "fabric-1.4-catchup-n100-debug"} {
		tr := sample(t, name)
		ns := []int{1, 2, 3, 20, 55}
		s := replay.Scenario{Buffers: ns, Scale: ledger.Unscaled()}
		sweep, err := replay.SweepTrace(context.Background(), tr, s)
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range run(t, tr, s).Results {
			want, got := analysis.StatsOf(r.Trace.Timelines[0]), sweep.Points[i]
			if got.Buffer != int64(ns[i]) || got.Makespan != want.Makespan.Or(-1) || got.MaxGap != want.MaxGap.Or(-1) ||
				!reflect.DeepEqual(got.Latency, want.Latency) {
				t.Errorf("%s: the sweep has %+v, the replay %+v", name, got, want)
			}
		}
	}
}

func TestSweepOfTwoStreams(t *testing.T) {
	s := replay.Scenario{Buffers: []int{2, 20}, Scale: ledger.Unscaled(), Model: replay.ModelConfig{BlockBytes: 33_000}}
	r, err := replay.SweepTrace(context.Background(), sample(t, "fabric-2.5-twochannels-n20"), s)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Streams) != 2 || len(r.Points) != 2 {
		t.Fatalf("%d streams and %d points", len(r.Streams), len(r.Points))
	}
	for i, p := range r.Points {
		a, b := r.Streams[0].Points[i], r.Streams[1].Points[i]
		if p.Makespan != max(a.Makespan, b.Makespan) || p.Starved != max(a.Starved, b.Starved) || p.Latency.Count != 2600 {
			t.Errorf("N %d: %+v of %+v and %+v", p.Buffer, p, a, b)
		}
		if want := int64(2 * 33_000 * (2*int(p.Buffer) + 2)); p.BufferBytes.Or(0) != want {
			t.Errorf("N %d can hold %d bytes, want %d: 2N+2 blocks of each of two channels", p.Buffer, p.BufferBytes.Or(0), want)
		}
	}
}

func TestDefaultSweepHasTheUsualSizes(t *testing.T) {
	seen := map[int]bool{}
	last := 0
	for _, n := range replay.DefaultSweep() {
		if n <= last {
			t.Fatalf("%d after %d", n, last)
		}
		seen[n], last = true, n
	}
	for _, n := range []int{1, 2, 10, 20, 50, 100, 200, 500} {
		if !seen[n] {
			t.Errorf("N = %d is missing", n)
		}
	}
}

func TestRefusals(t *testing.T) {
	tr := sample(t, "fabric-2.5-burst-n20")
	half, err := ledger.ParseScale("commit=0.5")
	if err != nil {
		t.Fatal(err)
	}
	for want, s := range map[string]replay.Scenario{
		"--block-bytes":       {Link: pipeline.Link{Bandwidth: 1 << 20}},
		"no clock":            {Clock: "sundial"},
		"replay them apart":   {Clock: replay.Wall, Speed: 2, Ledgers: []string{"memory", "recorded"}},
		"choose one of them":  {Clock: replay.Wall, Speed: 2, Unpaced: true},
		"are the same":        {Repeat: 2},
		"choose 1 to 25":      {Clock: replay.Wall, Repeat: 26},
		"wall clock":          {Speed: 2},
		"buffer policy":       {Mode: "magic"},
		"no preset":           {Preset: "fabric-9"},
		"unknown ledger":      {Ledgers: []string{"granite"}},
		"measures its own":    {Ledgers: []string{"memory"}, Scale: half},
		"services are needed": {Services: sample(t, "fabric-2.5-mvcc-n20-debug")},
		"a sweep answers":     {Buffers: make([]int, 1001)},
		"latency is":          {Link: pipeline.Link{Latency: -time.Second}},
	} {
		_, err := all(tr, s)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got error %v", want, err)
		}
	}
	noOffers := traces.NewTimeline(traces.Stream{Channel: "c"}, 0, 3)
	for i := range 3 {
		noOffers.MakeColumn(event.Committed)[i] = int64(i)
	}
	if _, err := replay.NewModel(noOffers, replay.ModelConfig{}); !errors.Is(err, replay.ErrNoOffers) {
		t.Errorf("a trace without offers: %v", err)
	}
}

// TestWeakTraces: what a trace lacks is filled in, and said.
func TestWeakTraces(t *testing.T) {
	for name, weaken := range map[string]func(*traces.Timeline) string{
		"no dequeued": func(tl *traces.Timeline) string {
			fill(tl.MakeColumn(event.Dequeued), event.Missing)
			return "no dequeued times"
		},
		"holes in offered": func(tl *traces.Timeline) string {
			for i := 100; i < 200; i += 10 {
				fill(tl.MakeColumn(event.Offered)[i:i+5], event.Missing)
			}
			return "no offered time of 50 blocks"
		},
		"a long hole in offered": func(tl *traces.Timeline) string {
			fill(tl.MakeColumn(event.Offered)[100:200], event.Missing)
			return "100 of 2400 blocks lack an offered or a committed time"
		},
		"holes in services": func(tl *traces.Timeline) string {
			fill(tl.MakeColumn(event.Dequeued)[100:150], event.Missing)
			return "50 of 2400 blocks have no recorded service time"
		},
		"uncommitted tail": func(tl *traces.Timeline) string {
			fill(tl.MakeColumn(event.Committed)[2000:], event.Missing)
			return "400 offered blocks lie outside"
		},
		"unknown N": func(tl *traces.Timeline) string {
			delete(tl.Settings, traces.SettingBuffer)
			return "does not tell its buffer size"
		},
	} {
		t.Run(name, func(t *testing.T) {
			tr := sample(t, "fabric-2.5-burst-n20")
			want := weaken(tr.Timelines[0])
			out := run(t, tr, replay.Scenario{})
			if got := strings.Join(out.Warnings, "\n"); !strings.Contains(got, want) {
				t.Errorf("warnings %q lack %q", got, want)
			}
			if got := notes(out.Results[0].Trace); !strings.Contains(got, want) {
				t.Errorf("the result's notes %q lack %q", got, want)
			}
		})
	}
}

func fill(column []int64, v int64) {
	for i := range column {
		column[i] = v
	}
}

// FuzzModel: whatever times a trace holds, it is replayed or refused.
func FuzzModel(f *testing.F) {
	f.Add([]byte("0123456789abcdefghijklmnopqrstuvwxyz"), uint8(0))
	f.Add([]byte{255, 0, 128, 7, 7, 7, 200, 100, 50, 1, 2, 3, 255, 255}, uint8(9))
	f.Fuzz(func(t *testing.T, data []byte, shape uint8) {
		n := min(len(data)/4, 200)
		if n == 0 {
			return
		}
		settings := traces.Settings{traces.SettingBuffer: "2", traces.SettingPreset: pipeline.Fabric2x}
		tl := traces.NewTimeline(traces.Stream{Channel: "c", Peer: "p", Settings: settings}, 7, n)
		kinds := []event.Kind{event.Offered, event.Dequeued, event.Validated, event.Committed}
		if shape&1 != 0 {
			kinds = append(kinds, event.AtDoor, event.Enqueued)
		}
		extreme := []int64{event.Missing, 1 << 62, -1 << 62, 0, 1 << 50}
		clock := int64(0)
		for i := range n {
			for j, k := range kinds {
				v := data[(i*4+j)%len(data)]
				clock += int64(v) << (shape >> 4)
				value := clock * 10_000
				if v > 250 {
					value = extreme[v-251]
				}
				tl.MakeColumn(k)[i] = value
			}
		}
		tr := &traces.Trace{Header: traces.Header{Streams: []traces.Stream{tl.Stream}}, Timelines: []*traces.Timeline{tl}}
		s := replay.Scenario{Buffers: []int{1, 20}, Scale: ledger.Unscaled()}
		if _, err := all(tr, s); err != nil {
			return
		}
		if _, err := replay.SweepTrace(context.Background(), tr, s); err != nil {
			t.Errorf("replayed, but not swept: %v", err)
		}
	})
}

// The settings of a live peer are taken as known although its link is not: nothing that
// the trace does not show comes from a preset, and nothing is claimed to be exact.
func TestSettingsOfALivePeer(t *testing.T) {
	tl := sample(t, "fabric-2.5-steady-n20").Timelines[0]
	set, _ := pipeline.Preset(pipeline.Fabric14)
	set.Policy.N, set.Policy.Retry = 7, 50*time.Millisecond
	tl.Settings = set.PeerSettings()
	m, err := replay.NewModel(tl, replay.ModelConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if m.Exact || m.Config.Policy != set.Policy || m.Config.Hand != set.Hand || m.Config.Intake != set.Intake {
		t.Errorf("%+v, exact %v; want %+v", m.Config, m.Exact, set)
	}
	if facts := strings.Join(m.Facts, "\n"); strings.Count(facts, "as set") != 2 || len(m.Warnings) > 0 {
		t.Errorf("facts %q, warnings %q", m.Facts, m.Warnings)
	}
	if m, err = replay.NewModel(tl, replay.ModelConfig{Buffer: 3}); err != nil || m.Config.Policy.N != 3 {
		t.Errorf("%+v, %v; want N as the user says it", m.Config.Policy, err)
	}
}
