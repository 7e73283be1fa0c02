package chart

import (
	"fmt"
	"iter"
	"math"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/traces"
)

// zoomed is how long a stretch of the run the lower panel of BufferDepth shows, in
// ns: ten times Fabric's poll of the door.
const zoomed = 1_000_000_000

// BufferDepth draws how many blocks the payloads buffer holds, the most that it can
// hold, and when a block stood at the door and the committer starved. A long run
// has a second panel that shows one second of it. Of the trace's samples it draws those of
// the depth, alone where the blocks' times tell nothing of it, and takes when the nodes
// were not observed.
func BufferDepth(r Run) (*Figure, error) {
	tl, samples := r.Timeline, r.Samples
	depth, err := analysis.Depth(tl)
	d := depthChart{run: r, depth: depth, capacity: -1, sampled: newMeasured(&r)}
	if err != nil && d.sampled == nil {
		return nil, err
	}
	d.reach(tl)
	if n, ok := tl.Settings.Int(traces.SettingBuffer); ok {
		d.capacity = 2*n + 1
	}
	// Without these columns there is nothing to draw of them, and no less of the rest.
	d.blocked, d.starved = countSpans(analysis.Blocked(tl)), countSpans(analysis.Starved(tl))

	f := &Figure{Subtitle: settings(tl), height: height}
	d.hidden, f.legend = unseen(tl, samples, d.origin, d.end, d.origin)
	f.panels = []panel{{Plot: d.plot(d.origin, d.end), weight: 1}}
	f.legend = append(d.curves(), f.legend...)
	if d.blocked.n > 0 {
		f.legend = append(f.legend, entry{name: "a block stands at the door", fill: doorColor})
	}
	if d.starved.n > 0 {
		f.legend = append(f.legend, entry{name: "the committer starves", fill: starvedColor})
	}
	if d.shape.Steps > 0 && d.end-d.origin > 4*zoomed {
		from := d.interesting()
		f.height = tall
		f.panels[0].weight = 1.1
		f.panels[0].caption = "The whole run"
		f.panels = append(f.panels, panel{Plot: d.plot(from, from+zoomed), weight: 1, caption: "One second of it, framed above"})
		f.panels[0].Add(window{float64(from - d.origin), float64(from + zoomed - d.origin)})
	}
	f.Title = d.title(tl)
	return f, nil
}

// reach sets from when to when the chart goes: from the first offer or the first change
// of the depth to the last; of samples alone to the last instant of a block.
func (d *depthChart) reach(tl *traces.Timeline) {
	first := offeredFirst(tl)
	if d.depth != nil {
		d.shape = d.depth.Shape()
	}
	if d.shape.Steps > 0 {
		d.origin, d.end = min(d.shape.First, first), d.shape.Last
		return
	}
	last := d.sampled.runs[len(d.sampled.runs)-1]
	d.origin, d.end = min(d.sampled.runs[0].T[0], first), last.T[last.Len()-1]
	if orderer, peer, err := analysis.Heights(tl); err == nil {
		d.origin, d.end = first, max(orderer.Shape().Last, peer.Shape().Last)
	}
}

// curves explains the curves.
func (d *depthChart) curves() (legend []entry) {
	if d.shape.Steps > 0 {
		legend = append(legend, entry{name: "blocks in the buffer", style: depthLine})
	}
	if d.sampled != nil {
		legend = append(legend, d.sampled.entry(d.origin, d.end, d.shape.Steps == 0))
	}
	return legend
}

var depthLine = draw.LineStyle{Color: bufferColor, Width: 1.1}

// offeredFirst returns the origin of a stream's time axis: its first offer.
func offeredFirst(tl *traces.Timeline) int64 {
	if orderer, _, err := analysis.Heights(tl); err == nil {
		for t := range orderer {
			return t
		}
	}
	return math.MaxInt64
}

// countedSpans are spans with their number; there may be none.
type countedSpans struct {
	spans analysis.Spans
	n     int
}

func countSpans(spans analysis.Spans, err error) (c countedSpans) {
	if err != nil {
		return c
	}
	c.spans = spans
	for range spans {
		c.n++
	}
	return c
}

// middle returns where the middle one of the spans begins.
func (c countedSpans) middle() int64 {
	i := 0
	for s := range c.spans {
		if i == c.n/2 {
			return s.From
		}
		i++
	}
	return 0
}

type depthChart struct {
	run              Run
	depth            analysis.Curve
	shape            analysis.Shape // of depth, which may have no steps
	sampled          *measured      // nil when there are no samples
	hidden           blind          // in the chart's whole reach
	blocked, starved countedSpans
	origin, end      int64
	capacity         int64 // 2N + 1, −1 when N is not known
}

// plot draws from one instant to another.
func (d *depthChart) plot(from, to int64) *plot.Plot {
	p := newPlot("", "")
	timeAxis(&p.X, sinceOffer, float64(from-d.origin), float64(to-d.origin))
	most := max(d.shape.Max, d.capacity)
	if d.sampled != nil {
		most = max(most, d.sampled.most)
	}
	countAxis(&p.Y, "blocks", float64(most))
	p.Y.Max *= 1.1 // room for the words above the line
	strip := p.Y.Max * 0.065
	rows := 0.0
	for _, r := range []struct {
		countedSpans
		ribbon
	}{{d.blocked, ribbon{color: doorColor}}, {d.starved, ribbon{color: starvedColor}}} {
		if r.n == 0 {
			continue
		}
		r.ribbon.spans = analysis.Spans(shift(iter.Seq[analysis.Span](r.countedSpans.spans), from, to, d.origin))
		r.to = -strip*0.4 - rows*strip*1.4
		r.from = r.to - strip
		rows++
		p.Add(r.ribbon)
	}
	if rows > 0 {
		p.Y.Min = -strip*0.6 - rows*strip*1.4
	}
	var curve stepCurve
	if d.shape.Steps > 0 {
		part := d.depth.Within(from, to)
		curve = newStepCurve(part, part.Shape(), d.origin, to)
	}
	style := depthLine
	if len(curve) > resolution {
		style.Width, style.Color = 0.7, tint(blue, 0.7) // a line that fills the panel need not shout
	}
	p.Add(between{curve, curve.atZero(), tint(blue, 0.18)}, d.hidden, grid{})
	for _, part := range d.hidden.known(d.run.Timeline.Peer, curve) {
		p.Add(path{part, style})
	}
	if d.sampled != nil {
		d.sampled.add(p, from, to, d.origin, len(curve) == 0)
	}
	if d.capacity >= 0 {
		p.Add(level{float64(d.capacity), fmt.Sprintf("full: 2N + 1 = %s", analysis.FormatCount(d.capacity)),
			draw.LineStyle{Color: black, Width: 1, Dashes: []vg.Length{5, 3}}})
	}
	return p
}

// atZero returns the two ends of the curve on the x axis.
func (s stepCurve) atZero() stepCurve {
	if len(s) == 0 {
		return nil
	}
	ends := stepCurve{s[0], s[len(s)-1]}
	ends[0].y, ends[1].y = 0, 0
	return ends
}

// shift returns the parts of spans from one instant to another, relative to origin.
func shift(spans iter.Seq[analysis.Span], from, to, origin int64) iter.Seq[analysis.Span] {
	return func(yield func(analysis.Span) bool) {
		for s := range spans {
			if s.To > from && s.From < to && !yield(analysis.Span{From: max(s.From, from) - origin, To: min(s.To, to) - origin}) {
				return
			}
		}
	}
}

// interesting returns the start of the second that tells most: around the middle of
// the spans in which the committer starved, or else a block stood at the door, or
// else of the run.
func (d *depthChart) interesting() int64 {
	middle := d.origin + (d.end-d.origin)/2
	switch {
	case d.starved.n > 0:
		middle = d.starved.middle()
	case d.blocked.n > 0:
		middle = d.blocked.middle()
	}
	return min(max(middle-zoomed/2, d.origin), d.end-zoomed)
}

func (d *depthChart) title(tl *traces.Timeline) string {
	if d.shape.Steps == 0 {
		return d.sampled.title(tl)
	}
	s := d.run.stats()
	starved, makespan := s.Starved.Or(0), s.Makespan.Or(0)
	size := "The buffer"
	if n, ok := s.Buffer.Get(); ok {
		size = fmt.Sprintf("The buffer of N = %d", n)
	}
	small := strings.ToLower(size[:1]) + size[1:]
	switch {
	case makespan > 0 && starved*1000 > makespan && s.StarvedOpen():
		return fmt.Sprintf("The committer was busy %s of the time and starved %s although the door of %s was open",
			analysis.FormatShare(s.Utilization.Or(0)), analysis.FormatShare(float64(starved)/float64(makespan)), small)
	case makespan > 0 && starved*1000 > makespan && s.Busy.Or(0) > starved:
		return fmt.Sprintf("The committer was busy %s of the time and starved %s: %s ran dry",
			analysis.FormatShare(s.Utilization.Or(0)), analysis.FormatShare(float64(starved)/float64(makespan)), small)
	case makespan > 0 && starved*1000 > makespan:
		return fmt.Sprintf("%s ran dry: the committer starved %s of the time", size,
			analysis.FormatShare(float64(starved)/float64(makespan)))
	case d.capacity >= 0 && d.shape.Max >= d.capacity && s.Starved == analysis.Known(int64(0)):
		return size + " filled up and never ran dry: the committer did not starve"
	case d.capacity >= 0 && d.shape.Max >= d.capacity:
		return size + " filled up"
	}
	return fmt.Sprintf("%s never held more than %s", size, analysis.FormatBlocks(d.shape.Max))
}

// window marks a stretch of the x axis.
type window struct {
	from, to float64
}

// Plot implements plot.Plotter.
func (w window) Plot(c draw.Canvas, p *plot.Plot) {
	x, _ := p.Transforms(&c)
	from, to := x(w.from), x(w.to)
	if to-from < 2 {
		to = from + 2
	}
	box := vg.Rectangle{Min: vg.Point{X: from, Y: c.Min.Y}, Max: vg.Point{X: to, Y: c.Max.Y}}
	c.SetLineStyle(draw.LineStyle{Color: black, Width: 1.2})
	c.Stroke(box.Path())
}
