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
func polled(n int, door bool) *traces.Timeline {
	c := map[event.Kind][]int64{}
	at, arrived := int64(0), int64(0)
	for i := range n {
		if i%6 == 0 && i > 0 {
			arrived = at + 70*ms
		}
		reached := arrived
		if door {
			reached = max(arrived-90*ms, 0)
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
			"busy 100 % of the time", "a larger buffer wins nothing", "a commit twice as fast would cut the makespan from 5 s to at best 2.5 s",
			"500 blocks/s offered and 200 blocks/s committed the gap grows by 300"}},
		"polled": {polled(600, true), BottleneckBuffer, []string{
			"starved 69.8 % of the time behind a buffer of N = 2", "from 9.93 s to at best 3 s"}},
		"polled, INFO": {withoutDoor, BottleneckBuffer, []string{"does not tell a shut door from a slow delivery", "at best 3 s"}},
		"slow link":    {polled(600, false), BottleneckDelivery, []string{"although the door of a buffer of N = 2 was open", "wins nothing"}},
		"steady": {queue(1000, 50*ms, 5*ms), BottleneckOrderer, []string{
			"kept up: it was never more than 1 block behind", "busy 10 % of the time", "about 10 times their rate"}},
		"down":    {down, BottleneckCommitter, []string{"a larger buffer wins nothing", "took its first block 60 s after", "from then on the committer was busy 100 %"}},
		"few":     {queue(3, ms, ms), BottleneckUnknown, []string{"3 blocks are too few"}},
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
