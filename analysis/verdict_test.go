package analysis

import (
	"strings"
	"testing"

	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

const ms = 1_000_000

// polled returns a run of n blocks that were all offered at once, each taking 5 ms,
// in batches of six between which the committer starves for 70 ms. The door is shut
// meanwhile, or else the blocks are late on the link.
func polled(n int, door bool) *traces.Timeline { return stalled(n, 6, 70, door) }

// stalls is polled with batches of so many blocks and stalls of 15 ms.
func stalls(n, batch int, door bool) *traces.Timeline { return stalled(n, batch, 15, door) }

func stalled(n, batch int, stall int64, door bool) *traces.Timeline {
	c := map[event.Kind][]int64{}
	at, arrived := int64(0), int64(0)
	for i := range n {
		if i%batch == 0 && i > 0 {
			arrived = at + stall*ms
		}
		reached := arrived
		if door {
			reached = max(arrived-(stall+20)*ms, 0)
		}
		popped := max(at, arrived)
		at = popped + 5*ms
		for k, v := range map[event.Kind]int64{event.Offered: 0, event.AtDoor: reached, event.Enqueued: arrived,
			event.Dequeued: popped, event.Validated: popped + 3*ms, event.Committed: at} {
			c[k] = append(c[k], v)
		}
	}
	tl := timeline(c)
	tl.Settings.SetInt(traces.SettingBuffer, 2)
	return tl
}

func TestVerdicts(t *testing.T) {
	infoLog := polled(600, true)
	withoutDoor := timeline(map[event.Kind][]int64{
		event.Offered: infoLog.Column(event.Offered), event.Dequeued: infoLog.Column(event.Dequeued), event.Committed: infoLog.Column(event.Committed)})
	down := queue(200, 1*ms, 5*ms)
	for _, k := range []event.Kind{event.AtDoor, event.Enqueued, event.Dequeued, event.Committed} {
		for i := range down.Len() {
			down.MakeColumn(k)[i] += 60_000 * ms
		}
	}
	for name, c := range map[string]struct {
		tl   *traces.Timeline
		kind Bottleneck
		text []string
	}{
		"saturated": {queue(1000, 2*ms, 5*ms), BottleneckCommitter, []string{
			"busy 100 % of the time", "a larger buffer wins nothing", "validation and commit twice as fast would cut the makespan from 5 s to at best 2.5 s",
			"500 blocks/s offered and 200 blocks/s committed the gap grows by 300"}},
		"polled": {polled(600, true), BottleneckBuffer, []string{
			"starved 69.8 % of the time behind a buffer of N = 2", "from 9.93 s to at best 3 s"}},
		"polled, INFO": {withoutDoor, BottleneckBuffer, []string{"does not tell a shut door from a slow delivery", "at best 3 s"}},
		"slow link":    {polled(600, false), BottleneckDelivery, []string{"although the door of a buffer of N = 2 was open", "wins nothing"}},
		// Busy 95 % of the time: that the door was open counts there, too.
		"few stalls, door shut": {stalls(600, 60, true), BottleneckCommitter, []string{"and starved 4.3 %: a larger buffer wins at most 4.3 %"}},
		"few stalls, door open": {stalls(600, 60, false), BottleneckCommitter, []string{
			"and starved 4.3 % although the door was open: a larger buffer wins nothing"}},
		"steady": {queue(1000, 50*ms, 5*ms), BottleneckOrderer, []string{
			"kept up: it was never more than 1 block behind", "busy 10 % of the time", "about 10 times their rate"}},
		"down":    {down, BottleneckCommitter, []string{"a larger buffer wins nothing", "took its first block 60 s after", "from then on the committer was busy 100 %"}},
		"few":     {queue(3, ms, ms), BottleneckUnknown, []string{"3 blocks committed, too few"}},
		"no pops": {timeline(map[event.Kind][]int64{event.Offered: {0, 1}, event.Committed: {2, 3}}), BottleneckUnknown, []string{"without dequeued times"}},
		"no offers": {timeline(map[event.Kind][]int64{event.Dequeued: {0, 1}, event.Committed: {2, 3}}), BottleneckUnknown,
			[]string{"without offered times"}},
	} {
		s := StatsOf(c.tl)
		if s.Bottleneck != c.kind {
			t.Errorf("%s: bottleneck %q, want %q (%s)", name, s.Bottleneck, c.kind, s.Verdict)
		}
		for _, want := range c.text {
			if !strings.Contains(s.Verdict, want) {
				t.Errorf("%s: %q lacks %q", name, s.Verdict, want)
			}
		}
	}
}

// endsEarly returns tl with the kinds from one on forgotten from block i on.
func endsEarly(tl *traces.Timeline, from event.Kind, i int) *traces.Timeline {
	for k := from; k <= event.Committed; k++ {
		if c := tl.Column(k); c != nil {
			for j := range c[i:] {
				c[i+j] = gone
			}
		}
	}
	return tl
}

// While blocks are still to be committed, no makespan is promised.
func TestVerdictsOfIncompleteRuns(t *testing.T) {
	for name, c := range map[string]struct {
		tl   *traces.Timeline
		kind Bottleneck
		text []string
	}{
		"saturated": {endsEarly(queue(1000, 2*ms, 5*ms), event.Committed, 400), BottleneckCommitter, []string{
			"600 blocks were offered but not committed when the peer's data end, at 500 blocks/s offered and 200 blocks/s committed"}},
		"polled": {endsEarly(polled(600, true), event.AtDoor, 599), BottleneckBuffer, []string{"1 block was offered but not committed"}},
		"steady": {endsEarly(queue(1000, 50*ms, 5*ms), event.AtDoor, 400), BottleneckOrderer, []string{
			"never more than 1 block behind", "600 blocks were offered but not committed"}},
		"hung": {endsEarly(queue(1000, 50*ms, 5*ms), event.Dequeued, 400), BottleneckUnknown, []string{"until its last commit", "600 blocks"}},
	} {
		s := StatsOf(c.tl)
		if s.Bottleneck != c.kind {
			t.Errorf("%s: bottleneck %q, want %q (%s)", name, s.Bottleneck, c.kind, s.Verdict)
		}
		for _, want := range c.text {
			if !strings.Contains(s.Verdict, want) {
				t.Errorf("%s: %q lacks %q", name, s.Verdict, want)
			}
		}
		if strings.Contains(s.Verdict, "cut the makespan") || s.IdealBuffer.Known() || s.FasterCommit.Known() {
			t.Errorf("%s: a makespan is promised: %s", name, s.Verdict)
		}
	}
}

// A peer that commits blocks from before the cut is not idle.
func TestVerdictAfterACutInsideABacklog(t *testing.T) {
	whole := queue(1000, 1*ms, 5*ms)
	whole.Settings.SetInt(traces.SettingBuffer, 20)
	tr, err := (&traces.Trace{Header: traces.Header{Streams: []traces.Stream{whole.Stream}}, Timelines: []*traces.Timeline{whole}}).
		Cut(traces.CutConfig{FromBlock: 504})
	if err != nil {
		t.Fatal(err)
	}
	s := StatsOf(tr.Timelines[0])
	// Block 504 is offered at 500 ms, when 100 of the 500 before it are committed, and
	// popped at 2,500 ms.
	if s.CutBacklog != Known(int64(400)) || s.BeforeCut != Known(int64(2000*ms)) || s.Late.Known() || s.Idle != Known(int64(0)) || s.Utilization != Known(1.0) {
		t.Errorf("backlog %v, %v; late %v, idle %v, utilization %v", s.CutBacklog, s.BeforeCut, s.Late, s.Idle, s.Utilization)
	}
	const want = "the peer was still busy with 400 blocks from before the cut for the first 2 s; from then on the committer was busy 100 % of the time: " +
		"a larger buffer wins nothing; validation and commit twice as fast would cut the time from then on from 2.5 s to at best 1.25 s"
	if s.Bottleneck != BottleneckCommitter || !strings.HasPrefix(s.Verdict, want) {
		t.Errorf("%s: %s", s.Bottleneck, s.Verdict)
	}
	if w := Stats(tr).Warnings; len(w) != 1 || !strings.Contains(w[0], "cut inside a backlog: 400 blocks") {
		t.Errorf("warnings %q", w)
	}
}

// All 1000 blocks of this cut were offered before the peer began with them, so that
// half the time to validate and commit them is about half the time in all.
func TestVerdictOfARealCut(t *testing.T) {
	tr, err := sample(t, "fabric-2.5-burst-n20").Cut(traces.CutConfig{FromBlock: 1000, ToBlock: 2000})
	if err != nil {
		t.Fatal(err)
	}
	s := StatsOf(tr.Timelines[0])
	rest, faster := s.Makespan.Or(0)-s.BeforeCut.Or(0), s.FasterCommit.Or(0)-s.BeforeCut.Or(0)
	if x := share(faster, rest); x < 0.5 || x > 0.53 {
		t.Errorf("validation and commit twice as fast take %v of %v ns: %s", faster, rest, s.Verdict)
	}
	if !strings.Contains(s.Verdict, "488 blocks from before the cut for the first 3.92 s") || s.Idle.Or(-1) > 10*ms {
		t.Errorf("idle %v: %s", s.Idle, s.Verdict)
	}
}

func TestNoVerdictWhenTheClocksDiffer(t *testing.T) {
	tl := queue(1000, 2*ms, 5*ms)
	for i := range tl.Len() {
		tl.MakeColumn(event.Offered)[i] += 100 * ms
	}
	s := StatsOf(tl)
	// The first block is committed after 5 ms and offered at 100 ms.
	if s.Bottleneck != BottleneckUnknown || s.ClockSkew != Known(int64(95*ms)) || s.FasterCommit.Known() ||
		!strings.Contains(s.Verdict, "up to 95 ms before they are offered") || !strings.Contains(s.Verdict, "--clock-offset") {
		t.Errorf("skew %v, %s: %s", s.ClockSkew, s.Bottleneck, s.Verdict)
	}
	tl.Settings.SetInt(traces.SettingResolution, 100*ms)
	if s := StatsOf(tl); s.ClockSkew.Known() || s.Bottleneck != BottleneckCommitter {
		t.Errorf("within the resolution: %v, %s", s.ClockSkew, s.Verdict)
	}
}

// A peer that comes back after an outage and starves behind a small buffer did not keep
// up: that all blocks have waited for long does not make the wait their way.
func TestVerdictAfterAnOutage(t *testing.T) {
	const second = 1000 * ms
	settings := traces.Settings{traces.SettingBuffer: "2"}
	tl := traces.NewTimeline(traces.Stream{Channel: "ch1", Peer: "peer0", Settings: settings}, 0, 300)
	for i := range tl.Len() {
		popped := int64(600*second) + int64(i/6)*100*ms + int64(i%6)*3*ms
		tl.MakeColumn(event.Offered)[i] = int64(i) * second
		tl.MakeColumn(event.Dequeued)[i] = popped
		tl.MakeColumn(event.Committed)[i] = popped + 3*ms
	}
	s := StatsOf(tl)
	if starved := s.Starved.Or(0); starved < 4*second-500*ms || starved > 4*second+500*ms {
		t.Errorf("starved for %d ns of five seconds, 82 ms in each 100", starved)
	}
	if strings.Contains(s.Verdict, "kept up") || !strings.Contains(s.Verdict, "starved") {
		t.Errorf("verdict: %s", s.Verdict)
	}
}
