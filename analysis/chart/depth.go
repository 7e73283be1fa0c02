package chart

import (
	"fmt"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/internal/offheap"
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
func BufferDepth(tl *traces.Timeline, samples ...traces.SampleColumn) (*Figure, error) {
	depth, err := analysis.Depth(tl)
	defer depth.Free()
	d := depthChart{depth: depth, capacity: -1, peer: tl.Peer, sampled: newMeasured(tl, samples)}
	if err != nil && d.sampled == nil {
		return nil, err
	}
	d.reach(tl)
	if n, ok := tl.Settings.Int(traces.SettingBuffer); ok {
		d.capacity = 2*n + 1
	}
	for _, v := range depth.V {
		d.most = max(d.most, v)
	}
	// Without these columns there is nothing to draw of them, and no less of the rest.
	d.blocked, _ = analysis.Blocked(tl)
	d.starved, _ = analysis.Starved(tl)
	defer offheap.Free(d.blocked)
	defer offheap.Free(d.starved)

	f := &Figure{Subtitle: settings(tl), height: height}
	d.hidden, f.legend = unseen(tl, samples, d.origin, d.end, d.origin)
	f.panels = []panel{{Plot: d.plot(d.origin, d.end), weight: 1}}
	f.legend = append(d.curves(), f.legend...)
	if len(d.blocked) > 0 {
		f.legend = append(f.legend, entry{name: "a block stands at the door", fill: orange})
	}
	if len(d.starved) > 0 {
		f.legend = append(f.legend, entry{name: "the committer starves", fill: vermillion})
	}
	if depth.Len() > 0 && d.end-d.origin > 4*zoomed {
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
	if n := d.depth.Len(); n > 0 {
		d.origin, d.end = min(d.depth.T[0], first), d.depth.T[n-1]
		return
	}
	last := d.sampled.runs[len(d.sampled.runs)-1]
	d.origin, d.end = min(d.sampled.runs[0].T[0], first), last.T[last.Len()-1]
	if orderer, peer, err := analysis.Heights(tl); err == nil {
		defer orderer.Free()
		defer peer.Free()
		d.origin, d.end = first, max(orderer.T[orderer.Len()-1], peer.T[peer.Len()-1])
	}
}

// curves explains the curves.
func (d *depthChart) curves() (legend []entry) {
	if d.depth.Len() > 0 {
		legend = append(legend, entry{name: "blocks in the buffer", style: depthLine})
	}
	if d.sampled != nil {
		legend = append(legend, d.sampled.entry(d.origin, d.end, d.depth.Len() == 0))
	}
	return legend
}

var depthLine = draw.LineStyle{Color: blue, Width: 1.1}

// offeredFirst returns the origin of a stream's time axis: its first offer.
func offeredFirst(tl *traces.Timeline) int64 {
	orderer, peer, err := analysis.Heights(tl)
	if err != nil {
		return int64(^uint64(0) >> 1)
	}
	defer orderer.Free()
	defer peer.Free()
	return orderer.T[0]
}

type depthChart struct {
	depth            analysis.Series
	peer             string
	sampled          *measured // nil when there are no samples
	hidden           blind     // in the chart's whole reach
	blocked, starved []analysis.Span
	origin, end      int64
	// capacity is 2N + 1, −1 when N is not known; most is the greatest depth seen.
	capacity, most int64
}

// plot draws from one instant to another.
func (d *depthChart) plot(from, to int64) *plot.Plot {
	p := newPlot("", "")
	timeAxis(&p.X, sinceOffer, float64(from-d.origin), float64(to-d.origin))
	most := max(d.most, d.capacity)
	if d.sampled != nil {
		most = max(most, d.sampled.most)
	}
	countAxis(&p.Y, "blocks", float64(most))
	p.Y.Max *= 1.1 // room for the words above the line
	strip := p.Y.Max * 0.065
	rows := 0.0
	for _, r := range []ribbon{{spans: d.blocked, color: orange}, {spans: d.starved, color: vermillion}} {
		if len(r.spans) == 0 {
			continue
		}
		r.spans = shift(r.spans, from, to, d.origin)
		r.to = -strip*0.4 - rows*strip*1.4
		r.from = r.to - strip
		rows++
		p.Add(r)
	}
	if rows > 0 {
		p.Y.Min = -strip*0.6 - rows*strip*1.4
	}
	part := clip(d.depth, from, to)
	curve := newStepCurve(part, d.origin, to)
	part.Free()
	style := depthLine
	if len(curve) > resolution {
		style.Width, style.Color = 0.7, tint(blue, 0.7) // a line that fills the panel need not shout
	}
	p.Add(between{curve, curve.atZero(), tint(blue, 0.18)}, d.hidden, grid{})
	for _, part := range d.hidden.known(d.peer, curve) {
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

// clip returns the part of a series from one instant to another, in memory of its own.
func clip(s analysis.Series, from, to int64) analysis.Series {
	var c analysis.Series
	for i, t := range s.T {
		switch {
		case t > to:
			return c
		case t <= from && len(c.T) > 0:
			c.V[0] = s.V[i]
		default:
			c.T, c.V = offheap.Append(c.T, max(t, from)), offheap.Append(c.V, s.V[i])
		}
	}
	return c
}

// shift returns the parts of spans from one instant to another, relative to origin.
func shift(spans []analysis.Span, from, to, origin int64) []analysis.Span {
	var out []analysis.Span
	for _, s := range spans {
		if s.To > from && s.From < to {
			out = offheap.Append(out, analysis.Span{From: max(s.From, from) - origin, To: min(s.To, to) - origin})
		}
	}
	return out
}

// interesting returns the start of the second that tells most: around the middle of
// the spans in which the committer starved, or else a block stood at the door, or
// else of the run.
func (d *depthChart) interesting() int64 {
	middle := d.origin + (d.end-d.origin)/2
	for _, spans := range [][]analysis.Span{d.starved, d.blocked} {
		if n := len(spans); n > 0 {
			middle = spans[n/2].From
			break
		}
	}
	return min(max(middle-zoomed/2, d.origin), d.end-zoomed)
}

func (d *depthChart) title(tl *traces.Timeline) string {
	if d.depth.Len() == 0 {
		return d.sampled.title(tl)
	}
	s := analysis.StatsOf(tl)
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
	case d.capacity >= 0 && d.most >= d.capacity && s.Starved == analysis.Known(int64(0)):
		return size + " filled up and never ran dry: the committer did not starve"
	case d.capacity >= 0 && d.most >= d.capacity:
		return size + " filled up"
	}
	return fmt.Sprintf("%s never held more than %s", size, analysis.FormatBlocks(d.most))
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
