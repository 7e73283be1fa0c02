package chart

import (
	"fmt"
	"image/color"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/traces"
)

// unseen returns the mark and the legend entry for the spans within [from, to] in which
// the orderer or the peer of a stream was not observed; no entry when there are none.
func unseen(tl *traces.Timeline, samples []traces.SampleColumn, from, to, origin int64) (blind, []entry) {
	mark := blind{node: map[string][]analysis.Span{}}
	if to > from {
		mark.nodes = []string{tl.Orderer, tl.Peer}
	}
	for _, b := range analysis.NotObserved(tl, samples...) {
		for part := range shift(slices.Values([]analysis.Span{{From: b.From, To: b.To}}), from, to, origin) {
			mark.node[b.Node] = append(mark.node[b.Node], part)
		}
	}
	var legend []entry
	for i, node := range mark.nodes {
		if len(mark.node[node]) > 0 && (i == 0 || node != mark.nodes[0]) {
			legend = append(legend, entry{name: strings.TrimSpace(node + " not observed"), hatch: hatches[i]})
		}
	}
	return mark, legend
}

// blind hatches spans from the bottom to the top of a plot: nothing in there is known.
type blind struct {
	// nodes are the orderer and the peer; node has the spans of each, in the units of the x
	// axis.
	nodes []string
	node  map[string][]analysis.Span
}

// known returns the parts of a curve of a node's outside of the spans in which the node
// was not observed: what stands still in there would look like a node that does. After a
// span the curve goes on where the next change is seen, or at once when there is none.
func (b blind) known(node string, curve stepCurve) []stepCurve {
	spans := b.node[node]
	parts, last := []stepCurve{nil}, 0
	stale, seen := math.NaN(), 0.0 // the value that stood still, and until when
	for i, q := range curve {
		for len(spans) > 0 && q.x >= float64(spans[0].From) {
			if len(parts[last]) > 0 { // the line goes on to where the span begins
				parts[last] = append(parts[last], struct{ x, y float64 }{float64(spans[0].From), curve[i-1].y})
				stale = curve[i-1].y
				parts, last = append(parts, nil), last+1
			}
			if q.x < float64(spans[0].To) {
				stale = q.y
				break
			}
			seen, spans = float64(spans[0].To), spans[1:]
		}
		hidden := len(spans) > 0 && q.x >= float64(spans[0].From)
		if hidden || len(parts[last]) == 0 && q.y == stale && changes(curve[i:]) {
			continue
		}
		if len(parts[last]) == 0 && q.y == stale {
			parts[last] = append(parts[last], struct{ x, y float64 }{seen, stale})
		}
		parts[last] = append(parts[last], q)
	}
	return parts
}

func changes(curve stepCurve) bool {
	return slices.ContainsFunc(curve, func(q struct{ x, y float64 }) bool { return q.y != curve[0].y })
}

// pending returns when a node was observed again but nothing was seen of it yet, so that
// no part of its curve has begun.
func (b blind) pending(node string, parts []stepCurve) (spans []analysis.Span) {
	for _, part := range parts {
		for i := len(b.node[node]) - 1; i >= 0 && len(part) > 0; i-- {
			if end := b.node[node][i].To; float64(end) <= part[0].x {
				spans = append(spans, analysis.Span{From: end, To: int64(part[0].x)})
				break
			}
		}
	}
	return spans
}

// blank wipes spans: what was drawn there before is not known.
type blank struct{ spans []analysis.Span }

// Plot implements plot.Plotter.
func (b blank) Plot(c draw.Canvas, p *plot.Plot) {
	x, _ := p.Transforms(&c)
	c.SetColor(color.White)
	for _, s := range b.spans {
		from, to := max(x(float64(s.From)), c.Min.X), min(x(float64(s.To)), c.Max.X)
		if from < to {
			c.Fill(vg.Rectangle{Min: vg.Point{X: from, Y: c.Min.Y}, Max: vg.Point{X: to, Y: c.Max.Y}}.Path())
		}
	}
}

var (
	blindGround = color.NRGBA{R: 0xF0, G: 0xF0, B: 0xF0, A: 0xFF}
	blindLine   = draw.LineStyle{Color: color.NRGBA{R: 0xB4, G: 0xB4, B: 0xB4, A: 0xFF}, Width: 0.6}
)

// Plot implements plot.Plotter.
func (b blind) Plot(c draw.Canvas, p *plot.Plot) {
	x, _ := p.Transforms(&c)
	each := func(mark func(box vg.Rectangle, node int)) {
		for i, node := range b.nodes {
			for _, s := range b.node[node] {
				if float64(s.To) < p.X.Min || float64(s.From) > p.X.Max {
					continue
				}
				left := min(max(x(float64(s.From)), c.Min.X), c.Max.X)
				right := min(max(x(float64(s.To)), left+1.5), c.Max.X)
				mark(vg.Rectangle{Min: vg.Point{X: left, Y: c.Min.Y}, Max: vg.Point{X: right, Y: c.Max.Y}}, i)
			}
		}
	}
	c.SetColor(blindGround)
	each(func(box vg.Rectangle, _ int) { c.Fill(box.Path()) })
	each(func(box vg.Rectangle, node int) { hatches[node].lines(c, box) })
}

// A hatching is lines over an area: the orderer's rise, the peer's fall to the right.
type hatching int

const (
	rising hatching = iota + 1
	falling
)

// hatches are the orderer's and the peer's.
var hatches = [...]hatching{rising, falling}

// lines hatches a box. The lines stand at the same places in all boxes of a canvas, so that
// boxes that overlap look like one.
func (h hatching) lines(c draw.Canvas, box vg.Rectangle) {
	const apart vg.Length = 5
	tall := box.Max.Y - box.Min.Y
	first := vg.Length(int((box.Min.X-tall-c.Min.X)/apart)) * apart
	for at := c.Min.X + first - apart; at < box.Max.X; at += apart {
		from, to := max(at, box.Min.X), min(at+tall, box.Max.X)
		if from >= to {
			continue
		}
		if y0, y1 := from-at, to-at; h == rising {
			c.StrokeLine2(blindLine, from, box.Min.Y+y0, to, box.Min.Y+y1)
		} else {
			c.StrokeLine2(blindLine, from, box.Max.Y-y0, to, box.Max.Y-y1)
		}
	}
}

// measured is samples of the depth of a buffer, as step curves.
type measured struct {
	runs  []analysis.Series
	about *analysis.SampledDepth
	most  int64
}

var measuredLine = draw.LineStyle{Color: green, Width: 1.3}

// fewDots is the number of samples in a panel up to which each is a dot.
const fewDots = 250

func newMeasured(r *Run) *measured {
	c := analysis.MeasuredDepth(r.Timeline, r.Samples...)
	if c == nil {
		return nil
	}
	m := &measured{runs: analysis.SampleRuns(c), about: r.stats().SampledDepth}
	m.most = m.about.Max
	return m
}

// within returns the part of the samples from one instant to another.
func (m *measured) within(from, to int64) (runs []analysis.Series, n int) {
	for _, r := range m.runs {
		var part analysis.Series
		for i, t := range r.T {
			if t >= from && t <= to {
				part.T, part.V = append(part.T, t), append(part.V, r.V[i])
			}
		}
		if part.Len() > 0 {
			runs, n = append(runs, part), n+part.Len()
		}
	}
	return runs, n
}

// add draws the samples: as a line that steps when they stand alone or are many, and as
// dots when they are few.
func (m *measured) add(p *plot.Plot, from, to, origin int64, alone bool) {
	runs, n := m.within(from, to)
	for _, r := range runs {
		// A sample stands until the next one would have come.
		curve := newStepCurve(r.Curve(), r.Curve().Shape(), origin, min(r.T[r.Len()-1]+m.about.Interval, to))
		if alone {
			p.Add(between{curve, curve.atZero(), tint(green, 0.15)})
		}
		if alone || n > fewDots {
			style := measuredLine
			if n > fewDots {
				style.Width = 0.8
			}
			p.Add(path{curve, style})
		}
		if n <= fewDots {
			p.Add(dots{newPoints(r, origin), green})
		}
	}
}

func (m *measured) entry(from, to int64, alone bool) entry {
	e := entry{name: fmt.Sprintf("sampled by the peer's metrics, every %s", analysis.ApproxDuration(m.about.Interval))}
	if _, n := m.within(from, to); alone || n > fewDots {
		e.style = measuredLine
	} else {
		e.dot = green
	}
	return e
}

// newPoints returns a series' values, without the steps between them.
func newPoints(s analysis.Series, origin int64) stepCurve {
	var c stepCurve
	for i, t := range s.T {
		c = append(c, struct{ x, y float64 }{float64(t - origin), float64(s.V[i])})
	}
	return c
}

// dots are points with a light rim, so that they are seen on a curve.
type dots struct {
	points stepCurve
	color  color.Color
}

// Plot implements plot.Plotter.
func (d dots) Plot(c draw.Canvas, p *plot.Plot) {
	for _, at := range d.points.on(c, p) {
		dot(c, at, d.color)
	}
}

func dot(c draw.Canvas, at vg.Point, fill color.Color) {
	for _, r := range []struct {
		color  color.Color
		radius vg.Length
	}{{color.White, 2.6}, {fill, 2}} {
		c.DrawGlyphNoClip(draw.GlyphStyle{Color: r.color, Radius: r.radius, Shape: draw.CircleGlyph{}}, at)
	}
}

// title says what samples tell of a buffer.
func (m *measured) title(tl *traces.Timeline) string {
	size := "The buffer"
	if n, ok := tl.Settings.Int(traces.SettingBuffer); ok {
		size = fmt.Sprintf("The buffer of N = %d", n)
	}
	switch {
	case !m.about.Tells():
		return fmt.Sprintf("%s held at most %s in %s", size, analysis.FormatBlocks(m.most), analysis.FormatCounted(m.about.Samples, "sample"))
	case m.about.Empty == 0:
		return fmt.Sprintf("%s was never seen empty while the peer was behind", size)
	}
	return fmt.Sprintf("%s was empty in %s of the samples with the peer behind", size,
		analysis.FormatShare(float64(m.about.Empty)/float64(m.about.Behind)))
}
