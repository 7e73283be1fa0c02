package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/internal/golden"
	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

const ms = 1_000_000

// run returns a stream of n blocks that all were offered at once and are committed
// one every 8 ms, in batches of six with 60 ms between them.
func run(n int) *traces.Timeline {
	tl := traces.NewTimeline(traces.Stream{Channel: "ch1", Peer: "peer0", Settings: traces.Settings{
		traces.SettingBuffer: "2", traces.SettingLedger: "goleveldb"}}, 4, n)
	at := int64(0)
	for i := range n {
		enqueued := int64(0)
		if i%6 == 0 && i > 0 {
			enqueued = at + 60*ms
		}
		popped := max(at, enqueued)
		at = popped + 8*ms
		for k, v := range map[event.Kind]int64{event.Offered: 0, event.AtDoor: max(enqueued-100*ms, 0), event.Enqueued: enqueued,
			event.Dequeued: popped, event.Validated: popped + 5*ms, event.Committed: at, event.Transactions: 10, event.Bytes: 33_000} {
			tl.MakeColumn(k)[i] = v
		}
	}
	return tl
}

func TestContents(t *testing.T) {
	for want, s := range map[string]analysis.StreamStats{
		"492 (0 invalid transactions)":                        {Blocks: 492, InvalidTransactions: analysis.Known[int64](0)},
		"492 (1 invalid transaction)":                         {Blocks: 492, InvalidTransactions: analysis.Known[int64](1)},
		"492 (4,920 transactions, 3 of them invalid, 1.0 kB)": {Blocks: 492, Transactions: analysis.Known[int64](4920), InvalidTransactions: analysis.Known[int64](3), Bytes: analysis.Known[int64](1000)},
	} {
		if got := contents(&s); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// peerOnly returns a stream without offered times.
func peerOnly() *traces.Timeline {
	tl := traces.NewTimeline(traces.Stream{Channel: "ch2", Peer: "peer0"}, 0, 2)
	copy(tl.MakeColumn(event.Dequeued), []int64{0, 9 * ms})
	copy(tl.MakeColumn(event.Committed), []int64{7 * ms, 15 * ms})
	return tl
}

func sweep() *analysis.Sweep {
	s := &analysis.Sweep{Channel: "ch1", Peer: "peer0", Warnings: []string{}}
	for n := int64(1); n <= 300; n++ {
		starved := max(30_000-1_000*n, 0) * ms
		s.Points = append(s.Points, analysis.SweepPoint{
			Buffer: n, Makespan: 28_000*ms + starved, MaxGap: 1200 + starved/ms/20, Starved: starved,
			Latency:     &analysis.Quantiles{P50: 4_680 * ms, P95: 5_132 * ms, P99: 5_182 * ms, Max: 5_197 * ms},
			BufferBytes: analysis.Known((2*n + 2) * 33_000)})
	}
	s.Knee, s.RecommendedBuffer = analysis.Knee(s.Points), analysis.Recommend(s.Points)
	s.IdentityError = analysis.Differences{
		{Figure: "makespan", Unit: "ns", Want: 1000, Got: 1004, Error: analysis.Known(0.004)},
		{Figure: "max_gap", Unit: "blocks", Want: 0, Got: 1},
		{Figure: "p99_9", Unit: "ns", Want: 1000, Got: 990, Error: analysis.Known(-0.01)}}
	return s
}

// sampled is a run as it is seen from outside of the peer, which was lost for a while.
func sampled() *traces.Trace {
	whole := run(600)
	tl := traces.NewTimeline(whole.Stream, whole.First, whole.Len())
	for _, k := range []event.Kind{event.Offered, event.Committed} {
		copy(tl.MakeColumn(k), whole.Column(k))
	}
	depth := traces.SampleColumn{Series: traces.Series{Name: traces.SeriesBufferSize, Unit: traces.UnitBlocks, Node: tl.Peer, Channel: tl.Channel}}
	stage := traces.SampleColumn{Series: traces.Series{Name: traces.SeriesStateDBCommit, Unit: traces.UnitNS, Node: tl.Peer, Channel: tl.Channel}}
	for i := range 40 {
		at := event.Time(i) * 100 * ms
		depth.At, depth.Value = append(depth.At, at), append(depth.Value, float64(max(41-i, 1)))
		stage.At, stage.Value = append(stage.At, at), append(stage.Value, float64(i%7+5)*ms/10)
	}
	lost := traces.SampleColumn{Series: traces.Series{Name: traces.SeriesObserving, Node: tl.Peer},
		At: []event.Time{0, 500 * ms, 900 * ms}, Value: []float64{1, 0, 1}}
	return &traces.Trace{Header: traces.Header{Streams: []traces.Stream{tl.Stream}}, Timelines: []*traces.Timeline{tl},
		Samples: []traces.SampleColumn{lost, depth, stage}}
}

func TestGoldens(t *testing.T) {
	stats := analysis.Stats(&traces.Trace{Timelines: []*traces.Timeline{run(600), peerOnly()}})
	short := sweep()
	short.Points, short.RecommendedBuffer, short.Knee, short.IdentityError = short.Points[:3], analysis.Optional[int64]{}, analysis.Optional[int64]{}, nil
	// A recorder that stopped when 40 blocks were offered and not committed, logs of
	// which the clocks differ, and a cut that begins inside a backlog.
	stopped, skewed, inside := run(600), run(600), run(600)
	for i := range stopped.Len() {
		if i >= 560 {
			stopped.MakeColumn(event.Committed)[i] = event.Missing
		}
		skewed.MakeColumn(event.Offered)[i] += 1000 * ms
	}
	inside.Settings.SetInt(traces.SettingCutBacklog, 12)
	for _, k := range []event.Kind{event.Enqueued, event.Dequeued, event.Validated, event.Committed} {
		for i := range inside.Len() {
			inside.MakeColumn(k)[i] += 2000 * ms
		}
	}
	partial := analysis.Stats(&traces.Trace{Timelines: []*traces.Timeline{stopped, skewed, inside}})
	live := analysis.Stats(sampled())
	idle, narrow := sweep(), sweep()
	for i := range idle.Points {
		idle.Points[i].Makespan, idle.Points[i].Starved, idle.Points[i].Latency.Count = 28_000*ms, 0, 12
	}
	idle.Knee, idle.RecommendedBuffer = analysis.Knee(idle.Points), analysis.Recommend(idle.Points)
	narrow.Points = narrow.Points[49:52]
	narrow.Knee, narrow.RecommendedBuffer = analysis.Knee(narrow.Points), analysis.Recommend(narrow.Points)
	for name, f := range map[string]func(io.Writer) error{
		"partial_stats.txt": func(w io.Writer) error { return errors.Join(Stats(w, partial), Warnings(w, partial.Warnings)) },
		"sampled_stats.txt": func(w io.Writer) error { return errors.Join(Stats(w, live), Warnings(w, live.Warnings)) },
		"idle_sweep.txt":    func(w io.Writer) error { return Sweep(w, idle) },
		"narrow_sweep.txt":  func(w io.Writer) error { return Sweep(w, narrow) },
		"stats.txt":         func(w io.Writer) error { return Stats(w, stats) },
		"warnings.txt":      func(w io.Writer) error { return Warnings(w, stats.Warnings) },
		"settings.txt":      func(w io.Writer) error { return Settings(w, once(stats.Streams)) },
		"settings_repeated.txt": func(w io.Writer) error {
			slower, refused, unknown := stats.Streams[0], stats.Streams[0], stats.Streams[1]
			slower.Makespan, slower.MaxGap = analysis.Known(slower.Makespan.Or(0)*2), analysis.Known(int64(900))
			refused.Makespan, refused.Invalid = analysis.Known(int64(1)), "too slow"
			unknown.Invalid = "too slow"
			return Settings(w, []analysis.StreamRuns{{stats.Streams[0], refused, slower}, {refused}, {unknown, unknown}})
		},
		"sweep.txt":       func(w io.Writer) error { return Sweep(w, sweep()) },
		"short_sweep.txt": func(w io.Writer) error { return Sweep(w, short) },
		"short_sweep.json": func(w io.Writer) error {
			return JSON(w, short)
		},
		"identity.txt": func(w io.Writer) error {
			return errors.Join(Identity(w, "ch1@peer0", sweep().IdentityError.String()), Identity(w, "ch2@peer0", analysis.Differences(nil).String()))
		},
		"forecasts.txt": func(w io.Writer) error {
			return Forecasts(w, []analysis.Forecast{
				{Name: "N = 2 → N = 20", Differences: sweep().IdentityError}, {Name: "N = 20 → N = 2", Differences: sweep().IdentityError[:1]}})
		},
	} {
		var b bytes.Buffer
		if err := f(&b); err != nil {
			t.Fatal(err)
		}
		golden.Compare(t, filepath.Join("testdata", name), b.Bytes())
	}
}

// once are settings that ran once.
func once(streams []analysis.StreamStats) (settings []analysis.StreamRuns) {
	for _, s := range streams {
		settings = append(settings, analysis.StreamRuns{s})
	}
	return settings
}

// The names that programs rely on.
func TestJSONNames(t *testing.T) {
	var b bytes.Buffer
	if err := JSON(&b, analysis.Stats(&traces.Trace{Timelines: []*traces.Timeline{run(600), peerOnly()}})); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Streams  []map[string]any
		Warnings []string
	}
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	for _, name := range strings.Fields("channel peer blocks makespan_ns max_gap_blocks latency_ns blocked_ns starved_ns utilization buffer ledger") {
		if v, ok := got.Streams[0][name]; !ok || v == nil {
			t.Errorf("the stream has no %s", name)
		}
	}
	for _, name := range strings.Fields("makespan_ns max_gap_blocks latency_ns blocked_ns starved_ns utilization") {
		if v := got.Streams[1][name]; v != nil {
			t.Errorf("%s was not observed and is %v", name, v)
		}
	}
	for _, name := range strings.Fields("p50 p90 p95 p99 p99_9 max") {
		if _, ok := got.Streams[0]["latency_ns"].(map[string]any)[name]; !ok {
			t.Errorf("the latency has no %s", name)
		}
	}
	if len(got.Warnings) == 0 {
		t.Error("no warnings")
	}
}

type broken struct{}

var errBroken = errors.New("broken pipe")

func (broken) Write([]byte) (int, error) { return 0, errBroken }

func TestErrorsOfTheWriterAreHandedOn(t *testing.T) {
	stats := analysis.Stats(&traces.Trace{Timelines: []*traces.Timeline{run(20)}})
	for i, err := range []error{
		Stats(broken{}, stats), Warnings(broken{}, []string{"it"}), Settings(broken{}, once(stats.Streams)), Sweep(broken{}, sweep()),
		Identity(broken{}, "ch1", "exact"), Forecasts(broken{}, nil), JSON(broken{}, stats),
	} {
		if !errors.Is(err, errBroken) {
			t.Errorf("writer %d: %v", i, err)
		}
	}
}
