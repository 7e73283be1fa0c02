package analysis

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/blockreel/blockreel/internal/golden"
	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

func TestStatsJSON(t *testing.T) {
	slow := queue(200, 2_000_000, 5_000_000)
	slow.Settings.SetInt(traces.SettingBuffer, 20)
	peerOnly := timeline(map[event.Kind][]int64{event.Dequeued: {0, 30}, event.Committed: {20, 50}})
	peerOnly.Channel = "ch2"
	tr := &traces.Trace{
		Header:    traces.Header{Streams: []traces.Stream{slow.Stream, peerOnly.Stream}},
		Timelines: []*traces.Timeline{slow, peerOnly},
		Notes: []traces.Note{
			{Stream: 0, Kind: traces.NoteWarning, Text: "two lines of block 7 disagree"},
			{Stream: -1, Kind: traces.NoteDropped, Text: "12"},
			{Stream: -1, Kind: traces.NoteDropped, Text: "0"},
			{Stream: 1, Kind: traces.NoteFact, Text: "not a warning"},
		},
		Loss: &traces.Loss{Offset: 4096, Bytes: 1234, Cause: errors.New("unexpected EOF")},
	}
	got, err := json.MarshalIndent(Stats(tr), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden.Compare(t, filepath.Join("testdata", "stats.json"), append(got, '\n'))

	var back Result
	if err := json.Unmarshal(got, &back); err != nil {
		t.Fatal(err)
	}
	if s := back.Streams[0]; s.Makespan != Known(int64(1_000_000_000)) || s.Latency.P50 == 0 {
		t.Errorf("read back: %+v", s)
	}
	if back.Streams[1].Makespan.Known() {
		t.Error("a null became a number")
	}
}

// The figures of a saturated queue follow from its two numbers.
func TestStatsOfAQueue(t *testing.T) {
	const n, interval, service = 1000, 2_000_000, 5_000_000
	s := StatsOf(queue(n, interval, service))
	if s.Makespan != Known(int64(n*service)) || s.Blocks != n {
		t.Errorf("makespan %v of %d blocks", s.Makespan, s.Blocks)
	}
	// Block i waits i·(service − interval) and takes a service.
	if want := int64(service + 499*(service-interval)); s.Latency.P50 != want {
		t.Errorf("p50 %d, want %d", s.Latency.P50, want)
	}
	if want := int64(service + 999*(service-interval)); s.Latency.Max != want {
		t.Errorf("max %d, want %d", s.Latency.Max, want)
	}
	// At the last offer, (n−1)·interval, ⌊(n−1)·interval/service⌋ blocks are committed.
	if want := int64(n - (n-1)*interval/service); s.MaxGap.Or(0) != want {
		t.Errorf("max gap %v, want %d", s.MaxGap, want)
	}
	if s.Utilization != Known(1.0) || s.Starved != Known(int64(0)) || s.Blocked != Known(int64(0)) {
		t.Errorf("utilization %v, starved %v, blocked %v", s.Utilization, s.Starved, s.Blocked)
	}
	if s.OfferedRate != Known(500.0) || s.ServiceRate != Known(200.0) {
		t.Errorf("rates %v %v", s.OfferedRate, s.ServiceRate)
	}
	if s.FasterCommit != Known(int64(n*service/2)) {
		t.Errorf("commit twice as fast: %v", s.FasterCommit)
	}
	if s.Transactions != Known(int64(10*n)) || s.Bytes != Known(int64(1000*n)) {
		t.Errorf("transactions %v, bytes %v", s.Transactions, s.Bytes)
	}
}

func TestPartsAreMergedWhereNothingWasObserved(t *testing.T) {
	for _, c := range []struct {
		kinds []event.Kind
		want  string
	}{
		{[]event.Kind{event.Offered, event.Dequeued, event.Validated, event.Committed},
			"orderer, link, intake, door and buffer|validate|commit"},
		{[]event.Kind{event.Offered, event.AtDoor, event.Enqueued, event.Dequeued, event.Committed},
			"orderer, link and intake|door|buffer|validate and commit"},
		{[]event.Kind{event.Offered, event.Sent, event.Received, event.Dequeued, event.Committed},
			"orderer|link|intake, door and buffer|validate and commit"},
		{[]event.Kind{event.Dequeued, event.Validated, event.Committed}, "validate|commit"},
		{[]event.Kind{event.Offered}, ""},
	} {
		columns := map[event.Kind][]int64{}
		for _, k := range c.kinds {
			columns[k] = []int64{10 * int64(k), 100 + 10*int64(k)}
		}
		tl := timeline(columns)
		var names []string
		total := int64(0)
		s := StatsOf(tl)
		for _, p := range s.Parts {
			names = append(names, p.Name)
			total += p.Duration.Max
		}
		if got := strings.Join(names, "|"); got != c.want {
			t.Errorf("parts %q, want %q", got, c.want)
		}
		if s.Latency != nil && total != s.Latency.Max {
			t.Errorf("parts add up to %d, the latency is %d", total, s.Latency.Max)
		}
	}
}

// A trace may end before its last blocks are committed: what is told is told of the
// committed ones.
func TestOnlyCommittedBlocksCount(t *testing.T) {
	tl := endsEarly(queue(1000, 2*ms, 5*ms), event.Committed, 500)
	s := StatsOf(tl)
	if s.Blocks != 500 || s.UncommittedBlocks != 500 || s.Transactions != Known(int64(5000)) || s.Bytes != Known(int64(500_000)) {
		t.Errorf("%d blocks, %d uncommitted, %v transactions, %v bytes", s.Blocks, s.UncommittedBlocks, s.Transactions, s.Bytes)
	}
	if len(s.Parts) != 5 {
		t.Fatalf("parts %v", s.Parts)
	}
	for _, p := range s.Parts {
		if p.Duration.Count != 500 || p.Duration.P95 > s.Latency.P95 {
			t.Errorf("%s: p95 %d of %d blocks, of the delivery %d", p.Name, p.Duration.P95, p.Duration.Count, s.Latency.P95)
		}
	}
	if _, columns, err := PartsOverTime(tl, event.Offered, 10); err != nil || len(columns) != 10 {
		t.Errorf("%d columns, %v", len(columns), err)
	}
}

// Without the orderer's log the committer's own work is known.
func TestPeerLogAlone(t *testing.T) {
	for _, enqueued := range []bool{true, false} {
		columns := map[event.Kind][]int64{}
		at := int64(0)
		for i := range int64(100) {
			admitted := at
			if i%10 == 0 {
				admitted += 80 * ms // nothing to do, or a shut door: who knows
			}
			if enqueued {
				columns[event.Enqueued] = append(columns[event.Enqueued], admitted)
			}
			at = admitted + 6*ms
			columns[event.Dequeued] = append(columns[event.Dequeued], admitted+ms)
			columns[event.Committed] = append(columns[event.Committed], at)
		}
		s := StatsOf(timeline(columns))
		// The way to the first pop is not seen; 99 turnarounds are.
		if s.Busy != Known(int64(500*ms)) || s.Turnaround != Known(int64(99*ms)) || s.ServiceRate.Or(0) < 166 || s.ServiceRate.Or(0) > 168 {
			t.Errorf("busy %v, turnaround %v, service rate %v", s.Busy, s.Turnaround, s.ServiceRate)
		}
		if s.Starved.Known() || s.Idle.Known() || s.Late.Known() || s.Utilization.Known() || s.Makespan.Known() || s.IdealBuffer.Known() {
			t.Errorf("what needs the offers is told: %+v", s)
		}
	}
	if _, err := Starved(timeline(map[event.Kind][]int64{event.Dequeued: {0}, event.Committed: {1}})); err == nil {
		t.Error("starved time without offers")
	}
}

// A replay of blocks without sizes cannot tell the orderer's wait from the link's.
func TestSentOfAReplayWithoutSizes(t *testing.T) {
	tl := timeline(map[event.Kind][]int64{event.Offered: {0}, event.Sent: {1}, event.Received: {90}, event.Committed: {95}})
	tl.Settings[traces.SettingLedger] = "recorded"
	if parts := PartsOf(tl); parts[0].Name != "orderer and link" {
		t.Errorf("without sizes: %v", parts)
	}
	tl.MakeColumn(event.Bytes)[0] = 33_000
	if parts := PartsOf(tl); parts[0].Name != "orderer" || parts[1].Name != "link" {
		t.Errorf("with sizes: %v", parts)
	}
}

func TestWarnings(t *testing.T) {
	skewed := timeline(map[event.Kind][]int64{
		event.Offered: {0, 10, gone, gone, 40, 50}, event.Dequeued: {1, 2, 3, gone, 5, gone},
		event.Validated: {1, 2, 3, gone, 5, gone}, event.Committed: {2, 3, 4, gone, 30, gone},
	})
	skewed.Settings.SetInt(traces.SettingResolution, 1_000_000)
	all := strings.Join(Stats(&traces.Trace{Timelines: []*traces.Timeline{skewed}}).Warnings, "\n")
	for _, want := range []string{
		"only 4 blocks committed", "1 of 4 blocks committed lack offered times", "commit before offer in 2 blocks, by up to 10 ns",
		"seen of 1 block", "no commit within the trace of 1 block", "resolution of 1 ms",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("no warning of %q in:\n%s", want, all)
		}
	}
	unclosed := Stats(&traces.Trace{Loss: &traces.Loss{Offset: 99, Cause: traces.ErrTruncated}}).Warnings
	if want := "the trace's end is missing (it was not closed): up to about a second of events before it may be lost"; unclosed[0] != want {
		t.Errorf("a trace without an index: %q", unclosed)
	}
	if w := Stats(&traces.Trace{Timelines: []*traces.Timeline{queue(1000, 20, 10)}}).Warnings; len(w) != 0 {
		t.Errorf("warnings of a good trace: %q", w)
	}
	for _, tl := range []*traces.Timeline{timeline(nil), timeline(map[event.Kind][]int64{event.Committed: {gone}})} {
		r := Stats(&traces.Trace{Timelines: []*traces.Timeline{tl}})
		if len(r.Warnings) == 0 || r.Streams[0].Bottleneck != BottleneckUnknown {
			t.Errorf("nothing to see, but %+v", r)
		}
	}
}

func BenchmarkStats(b *testing.B) {
	const n = 1_000_000
	tl := queue(n, 2_000_000, 5_000_000)
	b.ResetTimer()
	for b.Loop() {
		StatsOf(tl)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/block")
}

// A damaged or hostile trace may hold any times; the figures are nonsense then, but
// there are some.
func FuzzStats(f *testing.F) {
	f.Add(int64(0), int64(10), int64(20), int64(30), int64(5), uint8(3))
	f.Add(int64(-1<<63+1), int64(1<<63-1), int64(0), int64(-1<<63+1), int64(1<<62), uint8(7))
	f.Fuzz(func(t *testing.T, a, b, c, d, step int64, holes uint8) {
		columns := map[event.Kind][]int64{}
		for j, k := range []event.Kind{event.Offered, event.AtDoor, event.Enqueued, event.Dequeued, event.Committed} {
			for i := range int64(30) {
				v := [...]int64{a, b, c, d, a}[j] + i*step
				if (i+int64(j))%11 == int64(holes)%16 {
					v = gone
				}
				columns[k] = append(columns[k], v)
			}
		}
		tl := timeline(columns)
		if s := StatsOf(tl); s.Verdict == "" {
			t.Error("no verdict")
		}
		if _, _, err := PartsOverTime(tl, event.Offered, 10); err != nil {
			t.Skip()
		}
		if gap, err := Gap(tl); err == nil && gap.Downsample(gap.Shape(), 5).Len() > 20 {
			t.Error("too many steps")
		}
		if _, err := Depth(tl); err != nil {
			t.Skip()
		}
	})
}
