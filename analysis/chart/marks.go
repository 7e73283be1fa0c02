package chart

import (
	"image/color"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/blockreel/blockreel/analysis"
)

// resolution is the number of time buckets that a curve is downsampled to: one for
// each pixel of the width of a PNG's data.
const resolution = 1400

// grid draws faint lines at the ticks of the y axis.
type grid struct{}

// Plot implements plot.Plotter.
func (grid) Plot(c draw.Canvas, p *plot.Plot) {
	_, y := p.Transforms(&c)
	for _, t := range p.Y.Tick.Marker.Ticks(p.Y.Min, p.Y.Max) {
		if t.IsMinor() || t.Value < p.Y.Min || t.Value > p.Y.Max {
			continue
		}
		at := y(t.Value)
		c.StrokeLine2(draw.LineStyle{Color: faint, Width: 0.6}, c.Min.X, at, c.Max.X, at)
	}
}

// stepCurve is a curve, downsampled, as points in the units of a plot: x in ns
// after origin, until end, where the last value still holds.
type stepCurve []struct{ x, y float64 }

func newStepCurve(curve analysis.Curve, shape analysis.Shape, origin, end int64) stepCurve {
	s := curve.Downsample(shape, resolution)
	var c stepCurve
	add := func(t, v int64) { c = append(c, struct{ x, y float64 }{float64(t - origin), float64(v)}) }
	for i, t := range s.T {
		if i > 0 {
			add(t, s.V[i-1])
		}
		add(t, s.V[i])
	}
	if n := s.Len(); n > 0 && end > s.T[n-1] {
		add(end, s.V[n-1])
	}
	return c
}

// path is a line through points.
type path struct {
	points stepCurve
	style  draw.LineStyle
}

// Plot implements plot.Plotter.
func (l path) Plot(c draw.Canvas, p *plot.Plot) {
	c.StrokeLines(l.style, c.ClipLinesXY(l.points.on(c, p))...)
}

func (s stepCurve) on(c draw.Canvas, p *plot.Plot) []vg.Point {
	x, y := p.Transforms(&c)
	points := make([]vg.Point, len(s))
	for i, q := range s {
		points[i] = vg.Point{X: x(q.x), Y: y(q.y)}
	}
	return points
}

// between fills what lies between two curves.
type between struct {
	a, b  stepCurve
	color color.Color
}

// Plot implements plot.Plotter.
func (f between) Plot(c draw.Canvas, p *plot.Plot) {
	outline := f.a.on(c, p)
	back := f.b.on(c, p)
	for i := len(back) - 1; i >= 0; i-- {
		outline = append(outline, back[i])
	}
	if len(outline) > 2 {
		c.FillPolygon(f.color, c.ClipPolygonXY(outline))
	}
}

// level is a horizontal line over the whole width with words above it.
type level struct {
	y     float64
	label string
	style draw.LineStyle
}

// Plot implements plot.Plotter.
func (l level) Plot(c draw.Canvas, p *plot.Plot) {
	_, y := p.Transforms(&c)
	at := y(l.y)
	c.StrokeLine2(l.style, c.Min.X, at, c.Max.X, at)
	c.FillText(aligned(bold(lettering(9, l.style.Color)), text.XRight, text.YBottom), vg.Point{X: c.Max.X - 2, Y: at + 4}, l.label)
}

// stretch is a vertical stretch at x with words beside it.
type stretch struct {
	x, from, to float64
	label       string
	style       draw.LineStyle
}

// Plot implements plot.Plotter.
func (s stretch) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	at, lo, hi := x(s.x), y(s.from), y(s.to)
	c.StrokeLine2(s.style, at, lo, at, hi)
	for _, end := range []vg.Length{lo, hi} {
		c.StrokeLine2(s.style, at-3, end, at+3, end)
	}
	where := vg.Point{X: at + 5, Y: (lo + hi) / 2}
	style := lettering(9, s.style.Color)
	if where.X+style.Width(s.label) > c.Max.X {
		where.X = at - 5
		note(c, where, s.label, s.style.Color, text.XRight, text.YCenter)
		return
	}
	note(c, where, s.label, s.style.Color, text.XLeft, text.YCenter)
}

// note writes words on a light ground, so that curves behind do not disturb them.
func note(c draw.Canvas, at vg.Point, words string, ink color.Color, x text.XAlignment, y text.YAlignment) {
	if words == "" {
		return
	}
	s := aligned(bold(lettering(9, ink)), x, y)
	box := s.Rectangle(words).Add(at)
	c.SetColor(color.White)
	c.Fill(vg.Rectangle{Min: box.Min.Add(vg.Point{X: -2, Y: -1}), Max: box.Max.Add(vg.Point{X: 2, Y: 1})}.Path())
	c.FillText(s, at, words)
}

// ribbon draws when something was the case, as a strip between two values of y.
type ribbon struct {
	spans    analysis.Spans // in the units of the x axis
	from, to float64
	color    color.NRGBA
}

// Plot implements plot.Plotter. Each column of a point's width is as dark as the
// share of its time that the spans cover; one that holds a single long span, of a
// twentieth of the column or more, is never paler than can be seen.
func (r ribbon) Plot(c draw.Canvas, p *plot.Plot) {
	columns := int(c.Max.X - c.Min.X)
	if columns < 1 {
		return
	}
	width := (p.X.Max - p.X.Min) / float64(columns)
	share, long := make([]float64, columns), make([]bool, columns)
	for s := range r.spans {
		within := func(t int64) float64 { return min(max(float64(t)-p.X.Min, 0), p.X.Max-p.X.Min) }
		from, to := within(s.From), within(s.To)
		for i := int(from / width); i < columns && float64(i)*width < to; i++ {
			share[i] += (min(to, float64(i+1)*width) - max(from, float64(i)*width)) / width
			long[i] = long[i] || to-from >= width/20
		}
	}
	_, y := p.Transforms(&c)
	step := (c.Max.X - c.Min.X) / vg.Length(columns)
	for i, s := range share {
		if !long[i] && s < 0.02 {
			continue
		}
		x := c.Min.X + step*vg.Length(i)
		c.SetColor(tint(r.color, 0.25+0.75*min(s, 1)))
		// Overlap keeps the ground from shining through between columns.
		c.Fill(vg.Rectangle{Min: vg.Point{X: max(x-0.4, c.Min.X), Y: y(r.from)}, Max: vg.Point{X: x + step, Y: y(r.to)}}.Path())
	}
}
