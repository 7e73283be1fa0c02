package analysis

import (
	"math"
	"strings"
	"testing"

	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// outside returns what is seen of a stream from outside of the peer: offers and commits,
// and samples of the buffer's depth, the true one, every so many ns.
func outside(t *testing.T, whole *traces.Timeline, interval int64) (*traces.Timeline, traces.SampleColumn) {
	t.Helper()
	depth, err := inMemory(Depth(whole))
	if err != nil {
		t.Fatal(err)
	}
	tl := traces.NewTimeline(whole.Stream, whole.First, whole.Len())
	for _, k := range []event.Kind{event.Offered, event.Committed} {
		copy(tl.MakeColumn(k), whole.Column(k))
	}
	c := traces.SampleColumn{Series: traces.Series{Name: traces.SeriesBufferSize, Unit: traces.UnitBlocks, Node: whole.Peer, Channel: whole.Channel}}
	from, _, _ := whole.Bounds(event.Offered)
	_, to, _ := whole.Bounds(event.Committed)
	i := -1
	for at := from + interval/3; at < to; at += interval {
		for i+1 < depth.Len() && depth.T[i+1] <= at {
			i++
		}
		v := 0.0
		if i >= 0 {
			v = float64(depth.V[i])
		}
		c.At, c.Value = append(c.At, event.Time(at)), append(c.Value, v)
	}
	return tl, c
}

// TestSampledVerdicts samples the depth of runs of which more is known: the verdict from
// samples is that of the whole trace or none.
func TestSampledVerdicts(t *testing.T) {
	for name, c := range map[string]struct {
		tl       *traces.Timeline
		interval int64
		want     Bottleneck
		text     []string
	}{
		"burst": {sample(t, "fabric-2.5-burst-n20-debug").Timelines[0], 500 * ms, BottleneckCommitter, []string{
			"validation and commit set the pace", "at its limit of 2N + 1 or one below in", "one every 500 ms", "what a larger buffer would win"}},
		"mvcc":       {sample(t, "fabric-2.5-mvcc-n20-debug").Timelines[0], 100 * ms, BottleneckCommitter, nil},
		"Fabric 1.4": {sample(t, "fabric-1.4-catchup-n100-debug").Timelines[0], 500 * ms, BottleneckCommitter, nil},
		// The buffer fills and runs dry between two samples: it is no delivery's fault, and
		// these do not tell.
		"N = 2":     {sample(t, "fabric-2.5-burst-n2-debug").Timelines[0], 500 * ms, BottleneckUnknown, []string{"unknown: ", "look alike in samples (55.8 blocks/s were committed meanwhile; a buffer of N = 2 that runs dry between two polls of its door lets through about 50)"}},
		"slow link": {polled(600, false), 100 * ms, BottleneckUnknown, nil},
		"starved":   {trickle(600), 100 * ms, BottleneckDelivery, []string{"33.4 blocks/s were committed", "blocks did not reach the peer fast enough"}},
		"steady":    {queue(1000, 50*ms, 5*ms), 500 * ms, BottleneckOrderer, []string{"kept up"}},
		"few":       {queue(1000, 2*ms, 5*ms), 900 * ms, BottleneckUnknown, []string{"too few to tell"}},
	} {
		tl, samples := outside(t, c.tl, c.interval)
		s := StatsOf(tl, samples)
		t.Logf("%s: %s", name, s.Verdict)
		if s.Bottleneck != c.want || s.FromSamples != (c.want != BottleneckUnknown) {
			t.Errorf("%s: %q, want %q: %s", name, s.Bottleneck, c.want, s.Verdict)
		}
		if whole := StatsOf(c.tl).Bottleneck; c.want != BottleneckUnknown && c.want != whole {
			t.Errorf("%s: by its blocks' times %q", name, whole)
		}
		for _, want := range c.text {
			if !strings.Contains(s.Verdict, want) {
				t.Errorf("%s: %q lacks %q", name, s.Verdict, want)
			}
		}
		if s := StatsOf(tl); s.Bottleneck != BottleneckUnknown || s.SampledDepth != nil {
			t.Errorf("%s: without samples %s", name, s.Verdict)
		}
	}
}

// trickle returns a run of n blocks that were all offered at once and reach the peer one
// by one, every 30 ms, each taking 5 ms.
func trickle(n int) *traces.Timeline {
	c := map[event.Kind][]int64{}
	for i := range int64(n) {
		at := i * 30 * ms
		for k, v := range map[event.Kind]int64{event.Offered: 0, event.AtDoor: at, event.Enqueued: at, event.Dequeued: at,
			event.Validated: at + 3*ms, event.Committed: at + 5*ms} {
			c[k] = append(c[k], v)
		}
	}
	tl := timeline(c)
	tl.Settings.SetInt(traces.SettingBuffer, 20)
	return tl
}

// TestSampledPhase samples real runs at many intervals: whatever the phase, what the
// samples say is not wrong.
func TestSampledPhase(t *testing.T) {
	for name, may := range map[string]Bottleneck{
		"fabric-2.5-burst-n2-debug": BottleneckBuffer, "fabric-2.5-burst-n20-debug": BottleneckCommitter, "fabric-1.4-catchup-n100-debug": BottleneckCommitter,
	} {
		whole := sample(t, name).Timelines[0]
		for interval := int64(90 * ms); interval < 1500*ms; interval += 37 * ms {
			tl, samples := outside(t, whole, interval)
			if s := StatsOf(tl, samples); s.Bottleneck != may && s.Bottleneck != BottleneckUnknown {
				t.Errorf("%s, every %d ms: %s", name, interval/ms, s.Verdict)
			}
		}
	}
}

// TestSampledDepth counts by hand.
func TestSampledDepth(t *testing.T) {
	// Five blocks, offered at 0 to 4 and committed at 10, 20, …: the gap is 5 from 4 on,
	// and falls to 2 at 30.
	tl := timeline(map[event.Kind][]int64{event.Offered: {0, 1, 2, 3, 4}, event.Committed: {10, 20, 30, 40, 50}})
	tl.Settings.SetInt(traces.SettingBuffer, 2)
	depth := traces.SampleColumn{Series: traces.Series{Name: traces.SeriesBufferSize, Node: "peer0", Channel: "ch1"},
		At: []event.Time{-5, 5, 12, 15, 25, 35, 60}, Value: []float64{9, 4, 0, 5, 3, 2, 0}}
	lost := observing("peer0", "", 14, 18)
	s := StatsOf(tl, depth, lost)
	want := SampledDepth{Samples: 7, Interval: 10, Max: 9, Behind: 3, Empty: 1, Full: Known(int64(1)), Rate: Known(2 / seconds(18)), InRun: 4}
	if s.SampledDepth == nil || *s.SampledDepth != want {
		t.Errorf("%+v, want %+v", s.SampledDepth, want)
	}
	// A block of which no commit was seen says nothing of the pace, nor does a blind span.
	tl.MakeColumn(event.Committed)[2] = gone
	if got := StatsOf(tl, depth).SampledDepth.Rate; got != Known(2/seconds(18)) {
		t.Errorf("rate %v", got)
	}
	tl.MakeColumn(event.Committed)[2] = 30
	if got := StatsOf(tl, depth, observing("peer0", "", 5, 18)).SampledDepth.Rate; got != Known(1/seconds(12)) {
		t.Errorf("rate %v", got)
	}
	other := depth
	other.Channel = "ch2"
	if s := StatsOf(tl, other); s.SampledDepth != nil {
		t.Error("samples of another channel were taken")
	}
}

// observing returns a series that is 0 from and to instants that alternate.
func observing(node, channel string, at ...event.Time) traces.SampleColumn {
	c := traces.SampleColumn{Series: traces.Series{Name: traces.SeriesObserving, Node: node, Channel: channel},
		At: []event.Time{-100}, Value: []float64{1}}
	for i, t := range at {
		c.At, c.Value = append(c.At, t), append(c.Value, float64(i%2))
	}
	return c
}

func TestNotObserved(t *testing.T) {
	tl := timeline(map[event.Kind][]int64{event.Offered: {0, 9e9}, event.Committed: {1e9, 20e9}})
	tl.Orderer = "o"
	samples := []traces.SampleColumn{
		observing("peer0", "ch1", 12_300*ms, 15_100*ms),
		observing("peer0", "", 15_000*ms, 16_000*ms),
		observing("peer0", "ch2", 1*ms, 2*ms),
		observing("o", "", 2_000*ms, 2_050*ms, 18_000*ms), // and never seen again
		observing("peer1", "", 0),
	}
	s := StatsOf(tl, samples...)
	want := []BlindSpan{{"o", 2e9, 2_050 * ms}, {"peer0", 12_300 * ms, 16_000 * ms}, {"o", 18e9, 20e9}}
	if len(s.NotObserved) != len(want) {
		t.Fatalf("%v", s.NotObserved)
	}
	for i := range want {
		if s.NotObserved[i] != want[i] {
			t.Errorf("%v, want %v", s.NotObserved[i], want[i])
		}
	}
	r := Stats(&traces.Trace{Header: traces.Header{Streams: []traces.Stream{tl.Stream}}, Timelines: []*traces.Timeline{tl}, Samples: samples})
	all := strings.Join(r.Warnings, "\n")
	for _, want := range []string{
		"ch1: peer0 was not observed at 12.3–15.1 s, since the trace's start",
		"o was not observed at 2.000–2.050 s and 18.0–20.0 s, since",
		"peer1 was not observed at 0.0–20.0 s",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("%q lacks %q", all, want)
		}
	}
	many := []event.Time{}
	for i := range 10 {
		many = append(many, event.Time(i)*1_000*ms)
	}
	if w := blindWarnings(&traces.Trace{Samples: []traces.SampleColumn{observing("p", "", many...)}}); len(w) != 1 ||
		!strings.Contains(w[0].Text, "p was not observed at 0.0–1.0 s, 2.0–3.0 s, 4.0–5.0 s and 2 more (5 s in all)") {
		t.Errorf("%q", w)
	}
}

// TestGapOfABlindSpan holds that heights which stand still because nobody looked are no
// gap. Blocks are offered and committed one a second; the commits from 10 to 20 s are not
// seen, and the block of 25 s, 2 s late, is the worst.
func TestGapOfABlindSpan(t *testing.T) {
	const n, second = 40, 1000 * ms
	var offered, committed []int64
	for i := range int64(n) {
		offered, committed = append(offered, i*second), append(committed, i*second+100*ms)
		if i >= 10 && i < 20 {
			committed[i] = gone
		}
		if i >= 25 {
			committed[i] = max(committed[i], 27*second)
		}
	}
	tl := timeline(map[event.Kind][]int64{event.Offered: offered, event.Committed: committed})
	if s := StatsOf(tl); s.MaxGap != Known(int64(11)) {
		t.Errorf("without a word of the span: %v", s.MaxGap)
	}
	s := StatsOf(tl, observing("peer0", "", 9_500*ms, 19_500*ms))
	if s.MaxGap != Known(int64(2)) || s.Gap.MaxAt != 26*second {
		t.Errorf("gap %+v", s.Gap)
	}
	// Of 39.1 s those from 9.5 to 20.1 s are blind. In the rest a block is behind for 0.1 s
	// each; block 25 for 2 s, the next one for 1 s.
	if want := (27*0.1 + 2 + 1) / (39.1 - 10.6); math.Abs(s.Gap.Mean-want) > 0.001 {
		t.Errorf("mean %v, want %v", s.Gap.Mean, want)
	}
	// The orderer's side: the offers of that time are not seen, and block 20 is the next.
	copy(offered[10:20], []int64{gone, gone, gone, gone, gone, gone, gone, gone, gone, gone})
	tl.Orderer = "o"
	copy(tl.MakeColumn(event.Offered), offered)
	if got := stale(tl, []BlindSpan{{"o", 9_500 * ms, 19_500 * ms}}); got[0].To != 20*second {
		t.Errorf("%v", got)
	}
}

func TestSampleRuns(t *testing.T) {
	c := traces.SampleColumn{At: []event.Time{0, 10, 20, 30, 30, 75, 85}, Value: []float64{1, 2.6, 2, 7, 8, 3, 3}}
	runs := SampleRuns(&c)
	if len(runs) != 2 || runs[0].Len() != 4 || runs[0].V[1] != 3 || runs[0].V[3] != 8 || runs[1].T[0] != 75 {
		t.Errorf("%v", runs)
	}
}

func TestFormatSpan(t *testing.T) {
	for want, s := range map[string]Span{
		"12.3–15.1 s": {12_300 * ms, 15_100 * ms}, "−0.5–4512.0 s": {-500 * ms, 4_512_000 * ms}, "2.000–2.050 s": {2000 * ms, 2050 * ms}, "0.009 s": {9 * ms, 9 * ms},
	} {
		if got := FormatSpan(s); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestSampledStages(t *testing.T) {
	tl := timeline(map[event.Kind][]int64{event.Offered: {0, 1}, event.Committed: {2, 3}})
	samples := []traces.SampleColumn{
		{Series: traces.Series{Name: traces.SeriesStateDBCommit, Unit: "s", Node: "peer0", Channel: "ch1"}, At: make([]event.Time, 3), Value: []float64{0.002, 0.003, 0.001}},
		{Series: traces.Series{Name: traces.SeriesCommitDuration, Unit: traces.UnitNS, Node: "peer0"}, At: make([]event.Time, 1), Value: []float64{5e6}},
		{Series: traces.Series{Name: traces.SeriesBlockFillDuration, Unit: traces.UnitNS, Node: "o"}, At: make([]event.Time, 1), Value: []float64{5e6}},
		{Series: traces.Series{Name: "round_trip", Unit: traces.UnitNS, Node: "peer0"}, At: make([]event.Time, 1), Value: []float64{5e6}},
		{Series: traces.Series{Name: traces.SeriesBufferSize, Unit: traces.UnitBlocks, Node: "peer0"}, At: make([]event.Time, 1), Value: []float64{5}},
	}
	want := []SampledStage{
		{traces.SeriesStateDBCommit, 3, 2 * ms, 1 * ms, 3 * ms}, {traces.SeriesCommitDuration, 1, 5 * ms, 5 * ms, 5 * ms}}
	got := StatsOf(tl, samples...).SampledStages
	if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("%+v", got)
	}
	copy(tl.MakeColumn(event.Validated), []int64{1, 2})
	if got := StatsOf(tl, samples...).SampledStages; got != nil {
		t.Errorf("averages beside the times of blocks: %+v", got)
	}
}
