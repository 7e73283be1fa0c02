package chart

import (
	"fmt"
	"slices"
	"strings"

	"gonum.org/v1/plot"

	"github.com/blockreel/blockreel/analysis"
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
		shape := gap.Shape()
		origin, last := shape.First, shape.Last
		found.add(r.stats().Gap.Max)
		end = max(end, last-origin)
		unknown := analysis.HeightsUnknown(r.Timeline, r.Samples...)
		found.unknown = found.unknown || len(unknown) > 0
		if same := slices.IndexFunc(drawn, func(d drawnGap) bool { return len(unknown) == 0 && d.gap != nil && sameGap(d.gap, gap, d.shape, shape) }); same >= 0 {
			drawn[same].name = bothNames(drawn[same].name, r.Name)
			f.legend[same].name = drawn[same].label()
			continue
		}
		curve := drawnGap{name: r.Name, most: found.of[i]}
		if len(unknown) == 0 {
			curve.gap, curve.shape = gap, shape
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
		for _, part := range outside(gap, shape, unknown) {
			c.add(p, part, last-origin)
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
	// gap is nil if parts of it are not known: no other is said to be the same.
	gap   analysis.Curve
	shape analysis.Shape
}

func (d *drawnGap) label() string {
	return fmt.Sprintf("%s (at most %s)", d.name, analysis.FormatCount(d.most))
}

// sameGap reports whether one curve would hide the other: at many instants since the first
// offer they are within a hundredth of the greatest gap.
func sameGap(a, b analysis.Curve, aShape, bShape analysis.Shape) bool {
	const instants = 500
	last := max(aShape.Last-aShape.First, bShape.Last-bShape.First)
	near := max(aShape.Max, bShape.Max) / 100
	values := func(c analysis.Curve, first int64) (values [instants + 1]int64) {
		n, value := int64(0), int64(0)
		// last may be days, in ns: not last*n.
		at := func() int64 { return last/instants*n + last%instants*n/instants }
		for t, v := range c {
			for ; t != first && n <= instants && at() < t-first; n++ {
				values[n] = value
			}
			value = v
		}
		for ; n <= instants; n++ {
			values[n] = value
		}
		return values
	}
	one, other := values(a, aShape.First), values(b, bShape.First)
	for n := range one {
		if d := one[n] - other[n]; d > near || -d > near {
			return false
		}
	}
	return true
}

// outside returns the parts of a curve that lie in none of the spans, which are in order.
func outside(c analysis.Curve, shape analysis.Shape, spans []analysis.Span) []analysis.Curve {
	var parts []analysis.Curve
	from, last := shape.First, shape.Last
	keep := func(from, to int64) {
		parts = append(parts, func(yield func(int64, int64) bool) {
			end, value, drawn := int64(0), int64(0), false
			for t, v := range c.Within(from, to) {
				if end, value, drawn = t, v, true; !yield(t, v) {
					return
				}
			}
			if drawn && end < to {
				yield(to, value)
			}
		})
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

func comb(s analysis.Shape) bool { return s.Way > combTeeth*max(s.Max, 1) }

// add draws a part of a run of the given length: as it is, or when it is crowded as the
// greatest gap of each bucket, above a tint that reaches down to the least where no other
// curve would be hidden.
func (g *gapCurve) add(p *plot.Plot, part analysis.Curve, length int64) {
	shape := part.Shape()
	if shape.Steps == 0 {
		return
	}
	span := shape.Last - shape.First
	if float64(shape.Steps) <= crowdedSteps*float64(span)/float64(max(length, 1)) || length < gapBuckets || !comb(shape) {
		p.Add(path{newStepCurve(part, shape, g.origin, 0), line(g.style)})
		return
	}
	g.crowded, g.width = true, length/gapBuckets
	var most, least stepCurve
	at, lo, hi, now := shape.First, shape.Start, shape.Start, shape.Start
	bucket := func() {
		for _, x := range []int64{at, min(at+g.width, shape.Last)} {
			most = append(most, struct{ x, y float64 }{float64(x - g.origin), float64(hi)})
			least = append(least, struct{ x, y float64 }{float64(x - g.origin), float64(lo)})
		}
		at, lo, hi = at+g.width, now, now
	}
	for t, v := range part {
		for t >= at+g.width {
			bucket()
		}
		now, lo, hi = v, min(lo, v), max(hi, v)
	}
	for at <= shape.Last {
		bucket()
	}
	if g.alone {
		p.Add(between{most, least, tint(palette[g.style], 0.3)})
	}
	p.Add(path{most, line(g.style)})
}
