package chart

import (
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/traces"
)

// SweepCurve draws makespan and starved time over N with the knee and the
// recommended N, and below them the memory that the buffer can take.
func SweepCurve(s *analysis.Sweep) (*Figure, error) {
	if len(s.Points) == 0 {
		return nil, fmt.Errorf("the sweep has no points")
	}
	var makespan, starved, memory stepCurve
	most, bytes := 0.0, 0.0
	type xy = struct{ x, y float64 }
	x := sweepAxis(s)
	for _, pt := range s.Points {
		n := x.at(pt.Buffer)
		makespan = append(makespan, xy{n, float64(pt.Makespan)})
		starved = append(starved, xy{n, float64(pt.Starved)})
		most = max(most, float64(pt.Makespan), float64(pt.Starved))
		if b, ok := pt.BufferBytes.Get(); ok {
			memory = append(memory, xy{n, float64(b)})
			bytes = max(bytes, float64(b))
		}
	}
	f := &Figure{height: height, Title: sweepTitle(s), Subtitle: sweepSubtitle(s)}
	p := newPlot("", "")
	timeAxis(&p.Y, "time", 0, most*1.12)
	addMarks(p, s, x, true)
	f.legend = []entry{
		addCurve(p, s, makespan, line(0), "makespan"),
		addCurve(p, s, starved, line(1), "starved time of the committer"),
	}
	room := lettering(9, muted).Width(analysis.FormatCount(s.Points[len(s.Points)-1].Buffer)) / 2
	f.panels = []panel{{Plot: p, weight: 1.7, right: room}}
	if len(memory) > 0 {
		m := newPlot("", "")
		style := line(2)
		style.Dashes = nil
		unit, name := bytesUnit(bytes)
		m.Y.Min, m.Y.Max = 0, max(bytes*1.08, 1)
		m.Y.Tick.Marker = ticker{unit: unit, most: 4}
		m.Y.Label.Text = "memory (" + name + ")"
		addMarks(m, s, x, false)
		f.panels = append(f.panels, panel{Plot: m, weight: 1, right: room})
		f.legend = append(f.legend, addCurve(m, s, memory, style, "memory of the largest 2N + 2 blocks"))
		f.height = tall
	}
	for i := range f.panels {
		a := &f.panels[i].X
		a.Min, a.Max, a.Tick.Marker = x.min, x.max, x.ticks
	}
	f.panels[len(f.panels)-1].X.Label.Text = "N, peer.gossip.state.blockBufferSize (blocks)"
	return f, nil
}

// addCurve draws a curve over N and returns its entry in the legend. Of a sparse sweep that is
// the points alone, joined by no more than a hint: between them nothing was computed.
func addCurve(p *plot.Plot, s *analysis.Sweep, points stepCurve, style draw.LineStyle, name string) entry {
	e := entry{name: name, style: style}
	if s.Sparse() {
		full := style.Color.(color.NRGBA)
		style.Color, style.Width, style.Dashes = tint(full, 0.35), 0.6, []vg.Length{1, 3}
		e.style, e.dot = style, full
		p.Add(path{points, style}, dots{points, full})
		return e
	}
	p.Add(path{points, style})
	return e
}

// A bufferAxis is the axis of N.
type bufferAxis struct {
	// at is where a value of N stands.
	at       func(n int64) float64
	min, max float64
	ticks    plot.Ticker
}

// sweepAxis returns a logarithmic axis for a wide range of N, a linear one for a
// narrow one.
func sweepAxis(s *analysis.Sweep) bufferAxis {
	first, last := s.Points[0].Buffer, s.Points[len(s.Points)-1].Buffer
	a := bufferAxis{at: func(n int64) float64 { return float64(n) }, ticks: ticker{unit: 1, whole: true, most: 10}}
	if first >= 1 && last >= 20*first {
		a.at = func(n int64) float64 { return math.Log10(float64(n)) }
		a.ticks = decades{analysis.FormatCount}
	}
	a.min, a.max = a.at(first), a.at(last)
	if last <= first {
		a.min, a.max = a.min-1, a.max+1
	}
	return a
}

// addMarks draws the knee and the recommended N, with words when named.
func addMarks(p *plot.Plot, s *analysis.Sweep, x bufferAxis, named bool) {
	knee, hasKnee := s.Knee.Get()
	n, recommended := s.RecommendedBuffer.Get()
	mark := func(at int64, words string, row int) {
		if !named {
			words = ""
		}
		p.Add(upright{x.at(at), words, row, at < n, draw.LineStyle{Color: muted, Width: 0.9, Dashes: []vg.Length{3, 2}}})
	}
	switch {
	case s.SmallestSuffices():
		mark(n, fmt.Sprintf("enough: N = %d", n), 0)
	case hasKnee && recommended && knee == n:
		mark(n, fmt.Sprintf("knee and recommended: N = %d", n), 0)
	default:
		if hasKnee {
			mark(knee, fmt.Sprintf("knee: N = %d", knee), 0)
		}
		if recommended {
			mark(n, fmt.Sprintf("recommended: N = %d", n), 1)
		}
	}
}

func sweepTitle(s *analysis.Sweep) string {
	first, last := s.Points[0], s.Points[len(s.Points)-1]
	n, ok := s.RecommendedBuffer.Get()
	if !ok {
		return fmt.Sprintf("The committer starves at every N up to %s: %s of %s at the last",
			analysis.FormatCount(last.Buffer), analysis.ApproxDuration(last.Starved), analysis.ApproxDuration(last.Makespan))
	}
	which := ""
	if s.Sparse() {
		which = ", of those swept,"
	}
	switch {
	case s.SmallestSuffices() && n <= 1:
		return fmt.Sprintf("This load does not need the buffer: N = %d is enough", n)
	case s.SmallestSuffices():
		return fmt.Sprintf("N = %d, the smallest of the sweep, is enough for this load", n)
	}
	if gain, ok := s.Gain().Get(); ok {
		if was := s.RecordedBuffer.Or(0); was != n {
			return fmt.Sprintf("N = %d%s is enough and wins %s over the recorded N = %d", n, which, analysis.FormatGain(gain), was)
		}
		return fmt.Sprintf("The recorded N = %d%s is just enough", n, which)
	}
	for _, p := range s.Points {
		if p.Buffer == n {
			return fmt.Sprintf("N = %d%s is enough: %s instead of %s with N = %d", n, which,
				analysis.ApproxDuration(p.Makespan), analysis.ApproxDuration(first.Makespan), first.Buffer)
		}
	}
	return fmt.Sprintf("N = %d%s is enough", n, which)
}

func sweepSubtitle(s *analysis.Sweep) string {
	text := traces.Stream{Channel: s.Channel, Peer: s.Peer}.Name()
	if text != "" {
		text += " · "
	}
	text += analysis.FormatCounted(int64(len(s.Points)), "setting")
	if s.Sparse() && len(s.Points) > 1 {
		text += ", computed at the dots alone"
	}
	switch worst, ok := s.IdentityError.Worst().Get(); {
	case s.Trust != "":
		text += " · " + s.Trust
	case !ok:
	case worst == 0:
		text += " · a replay with the trace's own settings gives it back"
	case worst < 0.0005:
		text += " · a replay with the trace's own settings is off by less than 0.1 %"
	default:
		text += fmt.Sprintf(" · a replay with the trace's own settings is off by at most %s", analysis.FormatShare(worst))
	}
	if n, few := s.FewBlocks(); few {
		text += " · only " + analysis.FormatBlocks(n)
	}
	return text
}

// bytesUnit returns what an axis of bytes that reaches to most is written in.
func bytesUnit(most float64) (unit float64, name string) {
	switch {
	case most < 2e3:
		return 1, "bytes"
	case most < 2e6:
		return 1e3, "kB"
	case most < 2e9:
		return 1e6, "MB"
	}
	return 1e9, "GB"
}

// upright is a vertical line over the whole height with words beside its top; row
// is how many lines of text further down they stand.
type upright struct {
	x     float64
	label string
	row   int
	left  bool // the words stand to the left where there is room
	style draw.LineStyle
}

// Plot implements plot.Plotter.
func (u upright) Plot(c draw.Canvas, p *plot.Plot) {
	x, _ := p.Transforms(&c)
	at := x(u.x)
	c.StrokeLine2(u.style, at, c.Min.Y, at, c.Max.Y)
	where := vg.Point{X: at + 5, Y: c.Max.Y - 2 - 13*vg.Length(u.row)}
	room := bold(lettering(9, ink)).Width(u.label) + 5
	if at+room > c.Max.X || u.left && at-room > c.Min.X {
		where.X = at - 5
		note(c, where, u.label, ink, text.XRight, text.YTop)
		return
	}
	note(c, where, u.label, ink, text.XLeft, text.YTop)
}
