package analysis

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

func TestGrouped(t *testing.T) {
	got := Grouped([]Warning{
		{"", "of the whole trace"},
		{"a@p", "no times"},
		{"a@p", "not observed for 4.757s: blocks 17 to 18"},
		{"b@p", "no times"},
		{"b@p", "not observed for 4.758s: blocks 17 to 18"},
		{"b@p", "not observed for 250ms: blocks 1,900 to 1,958"},
		{"a@p", "3 blocks lack times"},
		{"b@p", "1,003 blocks lack times"},
		{"b@p", "1,003 blocks lack times"},
		{"", "peer0.org1: after 3 s"},
		{"", "peer0.org1: after 4 s"},
		{"", "peer0.org2: after 4 s"},
		{"a@p", "x"}, {"b@p", "x"}, {"c@p", "x"}, {"d@p", "x"},
	})
	want := []string{
		"of the whole trace",
		"a@p and b@p: no times",
		"a@p: not observed for 4.757s: blocks 17 to 18 (and 2 more like it, in all of a@p and b@p)",
		"a@p: 3 blocks lack times (likewise, with other numbers, b@p)",
		"peer0.org1: after 3 s (and 1 more like it)",
		"peer0.org2: after 4 s",
		"a@p and 3 more streams: x",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestOfferedRate holds that the rate is of blocks that were seen to be offered, by the
// time in which they could be seen.
func TestOfferedRate(t *testing.T) {
	const second = 1000 * ms
	offered := []int64{0, 0, 0, 0} // had piled up
	for i := range int64(20) {
		at := (i + 1) * second
		if at > 5*second && at <= 15*second {
			at = gone
		}
		offered = append(offered, at)
	}
	tl := timeline(map[event.Kind][]int64{event.Offered: offered})
	tl.Orderer = "o"
	s := StatsOf(tl, observing("o", "", 5_500*ms, 15_500*ms))
	if s.OfferedRate != Known(1.0) {
		t.Errorf("rate %v, want 1 block a second", s.OfferedRate)
	}
	tl.Settings = traces.Settings{traces.SettingBacklogBefore: strconv.Itoa(int(tl.Block(9)))}
	if s := StatsOf(tl, observing("o", "", 5_500*ms, 15_500*ms)); s.OfferedRate != Known(0.5) {
		t.Errorf("rate %v, want that of the 5 blocks after the backlog", s.OfferedRate)
	}
	if s := StatsOf(timeline(map[event.Kind][]int64{event.Offered: {7, 7, 7}})); s.OfferedRate.Known() {
		t.Errorf("blocks of one instant have the rate %v", s.OfferedRate)
	}
}

// TestHeightsOfSizesAlone holds that blocks of which a trace has but the sizes are behind
// neither node.
func TestHeightsOfSizesAlone(t *testing.T) {
	tl := timeline(map[event.Kind][]int64{
		event.Offered: {gone, gone, gone, 10, 20}, event.Committed: {gone, gone, gone, 15, 25}, event.Bytes: {1, 1, 1, 1, 1},
	})
	r := Stats(&traces.Trace{Timelines: []*traces.Timeline{tl}})
	if s := r.Streams[0]; s.MaxGap != Known(int64(1)) {
		t.Errorf("gap %+v", s.Gap)
	}
	if all := strings.Join(r.Warnings, "\n"); strings.Contains(all, "holes") {
		t.Errorf("a hole before the run: %s", all)
	}
}

func TestSkewOfOneClock(t *testing.T) {
	tl := timeline(map[event.Kind][]int64{event.Offered: {10, 20, 30}, event.Committed: {9, 18, 27}})
	for source, want := range map[string]string{"fabric": "whose clock all times are of", "logs": "--clock-offset"} {
		s := Stats(&traces.Trace{Header: traces.Header{Source: source}, Timelines: []*traces.Timeline{tl}}).Streams[0]
		if !strings.Contains(s.Verdict, want) {
			t.Errorf("%s: %q lacks %q", source, s.Verdict, want)
		}
	}
}
