package chart

import (
	"fmt"
	"slices"
	"strings"

	"gonum.org/v1/plot"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/internal/offheap"
)

// GapBySetting draws the height gap of up to eight runs of a stream over time.
func GapBySetting(runs []Run) (*Figure, error) {
	f, peaks, err := gaps(runs)
	if err != nil {
		return nil, err
	}
	f.Subtitle = sameStream(runs) + peaks.holes(len(runs))
	lo, hi := peaks.least, peaks.greatest
	switch {
	case len(runs) == 1:
		f.Title = fmt.Sprintf("The peer was at most %s behind", analysis.FormatBlocks(peaks.of[hi]))
		if strings.HasPrefix(runs[0].Name, "N = ") { // a setting, and not a file
			f.Title += " with " + runs[0].Name
		}
		if peaks.unknown {
			f.Title += " while both were observed"
		}
	case peaks.alike():
		f.Title = fmt.Sprintf("The settings make no difference: the peer falls %s behind with each", analysis.FormatBlocks(peaks.of[hi]))
	default:
		f.Title = fmt.Sprintf("The peer falls %s behind with %s and %s with %s",
			analysis.FormatBlocks(peaks.of[hi]), runs[hi].Name, analysis.FormatCount(peaks.of[lo]), runs[lo].Name)
	}
	return f, nil
}

// GapByStream draws the height gaps of up to eight streams of a run, which the names of runs
// name, over time.
func GapByStream(runs []Run) (*Figure, error) {
	f, peaks, err := gaps(runs)
	if err != nil {
		return nil, err
	}
	f.Subtitle = analysis.FormatCounted(int64(len(runs)), "stream") + ", each since its own first block was offered" + peaks.holes(len(runs))
	lo, hi := peaks.least, peaks.greatest
	f.Title = fmt.Sprintf("Farthest behind was %s, by %s; least %s, by %s",
		runs[hi].Name, analysis.FormatBlocks(peaks.of[hi]), runs[lo].Name, analysis.FormatCount(peaks.of[lo]))
	if peaks.alike() {
		f.Title = fmt.Sprintf("None of the streams was more than %s behind", analysis.FormatBlocks(peaks.of[hi]))
	}
	return f, nil
}

// peaks are the greatest gaps of some runs.
type peaks struct {
	of              []int64
	least, greatest int // the runs that have them
	unknown         bool
}

// holes explains those of the curves of several runs, of which no hatch tells.
func (p *peaks) holes(runs int) string {
	if runs > 1 && p.unknown {
		return " · no curve where a node was not observed"
	}
	return ""
}

func (p *peaks) add(gap int64) {
	p.of = append(p.of, gap)
	i := len(p.of) - 1
	if gap < p.of[p.least] {
		p.least = i
	}
	if gap > p.of[p.greatest] {
		p.greatest = i
	}
}

// alike reports whether the gaps differ by no more than 2 %.
func (p *peaks) alike() bool {
	lo, hi := float64(p.of[p.least]), float64(p.of[p.greatest])
	return hi-lo <= 0.02*hi
}

// gaps draws the gaps without the words above them.
func gaps(runs []Run) (*Figure, *peaks, error) {
	if err := checkRuns(runs); err != nil {
		return nil, nil, err
	}
	f := &Figure{height: height}
	p := newPlot("", "")
	var found peaks
	var drawn []drawnGap // one a curve and entry of the legend
	end, width, crowded := int64(0), int64(0), false
	for i, r := range runs {
		gap, err := analysis.Gap(r.Timeline)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", r.Name, err)
		}
		defer gap.Free() // later ones are held against it
		origin, last := gap.T[0], gap.T[gap.Len()-1]
		found.add(analysis.StatsOf(r.Timeline, r.Samples...).Gap.Max)
		end = max(end, last-origin)
		unknown := analysis.HeightsUnknown(r.Timeline, r.Samples...)
		found.unknown = found.unknown || len(unknown) > 0
		if same := slices.IndexFunc(drawn, func(d drawnGap) bool { return len(unknown) == 0 && d.gap.Len() > 0 && sameGap(d.gap, gap) }); same >= 0 {
			drawn[same].name = bothNames(drawn[same].name, r.Name)
			f.legend[same].name = drawn[same].label()
			continue
		}
		curve := drawnGap{name: r.Name, most: found.of[i]}
		if len(unknown) == 0 {
			curve.gap = gap
		}
		hidden, hiddenEntry := unseen(r.Timeline, r.Samples, origin, last, origin)
		name := curve.label()
		if len(runs) == 1 { // the times of several runs are not the same
			p.Add(hidden, grid{})
			name = "height gap"
		} else {
			hiddenEntry = nil
		}
		c := gapCurve{origin: origin, style: len(drawn), alone: len(runs) == 1}
		for _, part := range outside(gap, unknown) {
			c.add(p, part, last-origin)
			part.Free()
		}
		crowded, width = crowded || c.crowded, max(width, c.width)
		f.legend = append(append(f.legend, entry{name: name, style: line(len(drawn))}), hiddenEntry...)
		drawn = append(drawn, curve)
	}
	timeAxis(&p.X, sinceOffer, 0, float64(end))
	countAxis(&p.Y, "height gap (blocks)", float64(found.of[found.greatest]))
	switch {
	case crowded && len(runs) > 1:
		p.Y.Label.Text = fmt.Sprintf("greatest height gap within %s (blocks)", analysis.ApproxDuration(width))
	case crowded:
		f.legend = append(f.legend, entry{name: fmt.Sprintf("lowest to highest within each %s", analysis.ApproxDuration(width)), fill: tint(palette[0], 0.3)})
	}
	f.panels = []panel{{Plot: p, weight: 1}}
	return f, &found, nil
}

// A drawnGap is a curve of the chart, of one run or of several that would hide one another.
type drawnGap struct {
	name string
	most int64
	gap  analysis.Series // empty if parts of it are not known: no other is told to be the same
}

func (d *drawnGap) label() string {
	return fmt.Sprintf("%s (at most %s)", d.name, analysis.FormatCount(d.most))
}

// sameGap reports whether one curve would hide the other: at many instants since the first
// offer they are within a hundredth of the greatest gap.
func sameGap(a, b analysis.Series) bool {
	const instants = 500
	last := max(a.T[a.Len()-1]-a.T[0], b.T[b.Len()-1]-b.T[0])
	near := max(slices.Max(a.V), slices.Max(b.V)) / 100
	i, j := 0, 0
	for n := range int64(instants + 1) {
		// last may be days, in ns: not last*n.
		at := last/instants*n + last%instants*n/instants
		for i+1 < a.Len() && a.T[i+1]-a.T[0] <= at {
			i++
		}
		for j+1 < b.Len() && b.T[j+1]-b.T[0] <= at {
			j++
		}
		if d := a.V[i] - b.V[j]; d > near || -d > near {
			return false
		}
	}
	return true
}

// outside returns the parts of a series that lie in none of the spans, which are in order.
func outside(s analysis.Series, spans []analysis.Span) []analysis.Series {
	var parts []analysis.Series
	from, last := s.T[0], s.T[s.Len()-1]
	keep := func(from, to int64) {
		part := clip(s, from, to)
		if n := part.Len(); n > 0 && part.T[n-1] < to {
			part.T, part.V = offheap.Append(part.T, to), offheap.Append(part.V, part.V[n-1])
		}
		if part.Len() > 0 {
			parts = append(parts, part)
		}
	}
	for _, hidden := range spans {
		if hidden.From > from {
			keep(from, min(hidden.From-1, last))
		}
		if from = max(from, hidden.To); from > last {
			return parts
		}
	}
	keep(from, last)
	return parts
}

// gapCurve draws the parts of the gap of one run.
type gapCurve struct {
	origin  int64
	style   int
	alone   bool // there is no other run
	crowded bool
	width   int64 // of a bucket, when crowded
}

// crowdedSteps is the number of steps above which those of a small gap, up and down with
// every block, would be a solid bar; gapBuckets is how many of a run's width are then drawn.
const (
	crowdedSteps = 600
	gapBuckets   = 300
	// A comb goes up and down by this much more in all than its greatest value.
	combTeeth = 12
)

func comb(s analysis.Series) bool {
	way, most := int64(0), int64(1)
	for i := 1; i < s.Len(); i++ {
		way, most = way+max(s.V[i]-s.V[i-1], s.V[i-1]-s.V[i]), max(most, s.V[i])
	}
	return way > combTeeth*most
}

// add draws a part of a run of the given length: as it is, or when it is crowded as the
// greatest gap of each bucket, above a tint that reaches down to the least where no other
// curve would be hidden.
func (g *gapCurve) add(p *plot.Plot, part analysis.Series, length int64) {
	from := part.T[0]
	span := part.T[part.Len()-1] - from
	if float64(part.Len()) <= crowdedSteps*float64(span)/float64(max(length, 1)) || length < gapBuckets || !comb(part) {
		p.Add(path{newStepCurve(part, g.origin, 0), line(g.style)})
		return
	}
	g.crowded, g.width = true, length/gapBuckets
	var most, least stepCurve
	i := 0
	for at := from; at <= from+span; at += g.width {
		lo, hi := part.V[i], part.V[i]
		for ; i+1 < part.Len() && part.T[i+1] < at+g.width; i++ {
			lo, hi = min(lo, part.V[i+1]), max(hi, part.V[i+1])
		}
		for _, x := range []int64{at, min(at+g.width, from+span)} {
			most = append(most, struct{ x, y float64 }{float64(x - g.origin), float64(hi)})
			least = append(least, struct{ x, y float64 }{float64(x - g.origin), float64(lo)})
		}
	}
	if g.alone {
		p.Add(between{most, least, tint(palette[g.style], 0.3)})
	}
	p.Add(path{most, line(g.style)})
}
