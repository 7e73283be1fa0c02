package chart

import (
	"slices"
	"strings"
	"testing"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

func TestOutside(t *testing.T) {
	s := analysis.Series{T: []int64{0, 10, 20, 30, 40}, V: []int64{1, 2, 3, 4, 5}}
	for _, c := range []struct {
		name   string
		hidden []analysis.Span
		want   []analysis.Series
	}{
		{"all is seen", nil, []analysis.Series{s}},
		{"nothing is", []analysis.Span{{From: -5, To: 50}}, nil},
		{"the middle is not", []analysis.Span{{From: 15, To: 30}}, []analysis.Series{
			{T: []int64{0, 10, 14}, V: []int64{1, 2, 2}}, {T: []int64{30, 40}, V: []int64{4, 5}}}},
		{"the end is not", []analysis.Span{{From: 25, To: 99}}, []analysis.Series{{T: []int64{0, 10, 20, 24}, V: []int64{1, 2, 3, 3}}}},
	} {
		var got []analysis.Series
		for _, part := range outside(s.Curve(), s.Curve().Shape(), c.hidden) {
			got = append(got, part.Series())
		}
		if !slices.EqualFunc(got, c.want, func(a, b analysis.Series) bool { return slices.Equal(a.T, b.T) && slices.Equal(a.V, b.V) }) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// TestComb tells a gap that goes up and down with every block from one that rises and falls.
func TestComb(t *testing.T) {
	var teeth, hill analysis.Series
	for i := range int64(1000) {
		teeth.T, teeth.V = append(teeth.T, i), append(teeth.V, i%3)
		hill.T, hill.V = append(hill.T, i), append(hill.V, min(i, 1000-i)+i%2)
	}
	if !comb(teeth.Curve().Shape()) || comb(hill.Curve().Shape()) {
		t.Errorf("teeth %v, hill %v", comb(teeth.Curve().Shape()), comb(hill.Curve().Shape()))
	}
}

func TestUnbroken(t *testing.T) {
	got := unbroken("within 4.72 s with N = 20, memory: 99 % of 3,224 blocks")
	want := []string{"within", "4.72 s", "with", "N = 20,", "memory:", "99 %", "of", "3,224", "blocks"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestCurvesThatCoincide(t *testing.T) {
	f, err := LatencyPercentiles([]Run{{Name: "N = 100", Timeline: run(50, 10, 8)}, {Name: "N = 2", Timeline: run(50, 10, 30)}, {Name: "N = 200", Timeline: run(50, 10, 8)}})
	if err != nil {
		t.Fatal(err)
	}
	if len(f.legend) != 2 || !strings.HasPrefix(f.legend[0].name, "N = 100, 200 (p99") || !strings.HasPrefix(f.legend[1].name, "N = 2 (") {
		t.Errorf("legend %v", f.legend)
	}
}

// A place has the same colour in every chart.
func TestPlacesHaveOneColor(t *testing.T) {
	r := one(run(600, 4*ms, 8*ms))
	depth, err := BufferDepth(r)
	if err != nil {
		t.Fatal(err)
	}
	parts, err := LatencyParts(r)
	if err != nil {
		t.Fatal(err)
	}
	color := func(f *Figure, name string) any {
		i := slices.IndexFunc(f.legend, func(e entry) bool { return e.name == name })
		if i < 0 {
			t.Fatalf("no %s in the legend %v", name, f.legend)
		}
		if c := f.legend[i].fill; c != nil {
			return c
		}
		return f.legend[i].style.Color
	}
	for inDepth, inParts := range map[string]string{"a block stands at the door": "door", "blocks in the buffer": "buffer"} {
		if a, b := color(depth, inDepth), color(parts, inParts); a != b {
			t.Errorf("%s is %v in depth and %v in parts", inParts, a, b)
		}
	}
}

func TestGapsOfStreams(t *testing.T) {
	f, err := GapByStream([]Run{{Name: "a@p", Timeline: run(50, 10, 30)}, {Name: "b@p", Timeline: run(50, 10, 8)}})
	if err != nil {
		t.Fatal(err)
	}
	if want := "Farthest behind was a@p"; !strings.HasPrefix(f.Title, want) || !strings.Contains(f.Title, "least b@p") {
		t.Errorf("title %q, want %q", f.Title, want)
	}
}

func TestSweepOverTheRecordedBuffer(t *testing.T) {
	s := sweep()
	n := s.RecommendedBuffer.Or(0)
	for recorded, want := range map[int64]string{n: "is just enough", n - 1: "over the recorded N = ", n + 100_000: "is enough"} {
		s.RecordedBuffer = analysis.Known(recorded)
		if got := sweepTitle(s); !strings.Contains(got, want) {
			t.Errorf("recorded with N = %d: %q lacks %q", recorded, got, want)
		}
	}
}

// What was not observed is not claimed: how far behind a peer was at an end that nobody saw.
func TestTitlesOfWhatWasNotObserved(t *testing.T) {
	for name, c := range map[string]struct {
		at          []event.Time
		value       []float64
		heights, is string
	}{
		"always":      {[]event.Time{0}, []float64{1}, "blocks behind and caught up after", "behind"},
		"to the end":  {[]event.Time{0, 300 * ms}, []float64{1, 0}, "blocks behind while both were observed, which they were not at the end", "behind while both were observed"},
		"for a while": {[]event.Time{0, 500 * ms, 600 * ms}, []float64{1, 0, 1}, "blocks behind and caught up after", "behind while both were observed"},
	} {
		tl := run(50, 10*ms, 30*ms)
		for i, at := range tl.Column(event.Committed) {
			if len(c.at) == 2 && at >= int64(c.at[1]) {
				tl.MakeColumn(event.Committed)[i] = event.Missing
			}
		}
		seen := traces.SampleColumn{Series: traces.Series{Name: traces.SeriesObserving, Node: tl.Peer}, At: c.at, Value: c.value}
		heights, err := Heights(one(tl, seen))
		if err != nil {
			t.Fatal(err)
		}
		gap, err := GapBySetting([]Run{{Name: "a", Timeline: tl, Samples: []traces.SampleColumn{seen}}})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(heights.Title, c.heights) || !strings.HasSuffix(gap.Title, c.is) {
			t.Errorf("%s: %q, %q", name, heights.Title, gap.Title)
		}
	}
}

// Gaps that would hide one another are one curve with both names; others are not.
func TestGapsThatCoincide(t *testing.T) {
	f, err := GapBySetting([]Run{
		{Name: "N = 20", Timeline: run(500, 4*ms, 8*ms)}, {Name: "N = 2", Timeline: run(500, 4*ms, 30*ms)}, {Name: "N = 200", Timeline: run(500, 4*ms, 8*ms)},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(f.legend) != 2 || !strings.HasPrefix(f.legend[0].name, "N = 20, 200 (at most ") || !strings.HasPrefix(f.legend[1].name, "N = 2 (") {
		t.Errorf("legend %+v", f.legend)
	}
}

func TestForecastTitle(t *testing.T) {
	for want, got := range map[string]string{
		"The forecast is within 6 % of what was measured":    forecastTitle(1, 0.06),
		"The forecasts miss what was measured by up to 85 %": forecastTitle(3, 0.85),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
