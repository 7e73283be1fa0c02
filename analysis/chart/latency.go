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
	"github.com/blockreel/blockreel/traces/event"
)

// LatencyPercentiles draws the delivery latency of up to eight runs by percentile,
// on an axis of log 1/(1 − p), so that the slowest blocks have as much room as the
// others.
func LatencyPercentiles(runs []Run) (*Figure, error) {
	if err := checkRuns(runs); err != nil {
		return nil, err
	}
	f := &Figure{height: height, Subtitle: sameStream(runs)}
	p := newPlot("share of the blocks, the fastest first", "delivery latency")
	lo, hi, end := math.Inf(1), 0.0, 1.0
	var curves []stepCurve
	var names []string // of each curve
	var tails []int64
	p99 := make([]int64, len(runs))
	least, greatest := 0, 0
	for i, r := range runs {
		values, err := analysis.Latency(r.Timeline)
		if err == nil && values.Len() == 0 {
			err = fmt.Errorf("no block has both an offered and a committed time")
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.Name, err)
		}
		p99[i] = values.Percentile(99)
		if p99[i] < p99[least] {
			least = i
		}
		if p99[i] > p99[greatest] {
			greatest = i
		}
		var curve stepCurve
		for _, q := range values.Percentiles(60) {
			x := math.Log10(1 / max(1-q.Percent/100, 1e-12))
			y := max(float64(q.Value), 1)
			curve = append(curve, struct{ x, y float64 }{x, y})
			lo, hi, end = min(lo, y), max(hi, y), max(end, x)
		}
		if same := slices.IndexFunc(curves, func(c stepCurve) bool { return coincide(c, curve) }); same >= 0 {
			names[same] = bothNames(names[same], r.Name)
			continue
		}
		curves, names, tails = append(curves, curve), append(names, r.Name), append(tails, p99[i])
	}
	for i, name := range names {
		f.legend = append(f.legend, entry{name: fmt.Sprintf("%s (p99 %s)", name, analysis.ApproxDuration(tails[i])), style: line(i)})
	}
	p.X.Min, p.X.Max = math.Log10(2), end
	p.X.Tick.Marker = percentiles{}
	if hi > 50*lo {
		p.Y.Tick.Marker = decades{analysis.ApproxDuration}
		p.Y.Min, p.Y.Max = math.Log10(lo*0.9), math.Log10(nextRound(hi))
		for _, c := range curves {
			for j := range c {
				c[j].y = math.Log10(c[j].y)
			}
		}
	} else {
		timeAxis(&p.Y, "delivery latency", 0, hi*1.02)
		toNextTick(&p.Y)
	}
	for i, c := range curves {
		p.Add(path{c, line(i)})
	}
	f.panels = []panel{{Plot: p, weight: 1}}
	f.Title = fmt.Sprintf("99 %% of the blocks are delivered within %s", analysis.ApproxDuration(p99[greatest]))
	if len(runs) > 1 {
		f.Title = fmt.Sprintf("99 %% of the blocks are delivered within %s with %s and %s with %s",
			analysis.ApproxDuration(p99[least]), runs[least].Name, analysis.ApproxDuration(p99[greatest]), runs[greatest].Name)
	}
	return f, nil
}

// coincide reports whether one curve would hide the other: they are nowhere further apart
// than 0.5 %.
func coincide(a, b stepCurve) bool {
	return slices.EqualFunc(a, b, func(p, q struct{ x, y float64 }) bool {
		return p.x == q.x && math.Abs(p.y-q.y) <= 0.005*max(p.y, q.y)
	})
}

// bothNames names a curve of two runs: "N = 100, 200" for "N = 100" and "N = 200".
func bothNames(a, b string) string {
	if rest, ok := strings.CutPrefix(b, "N = "); ok && strings.HasPrefix(a, "N = ") {
		b = rest
	}
	return a + ", " + b
}

// partColumns is the number of stretches of a run of which LatencyParts shows the
// slowest block; it is less in a run of few blocks.
const partColumns = 240

// LatencyParts draws where blocks spend their delivery latency over the run: of
// each stretch, the parts of its slowest block on top of each other. Where waiting
// dwarfs the committer's work, a second panel shows that alone. Of the trace's samples it
// takes when the nodes were not observed.
func LatencyParts(r Run) (*Figure, error) {
	tl, samples := r.Timeline, r.Samples
	parts, all, err := partsPanel(tl, event.Offered, "latency", samples)
	if err != nil {
		return nil, err
	}
	all.caption = "From offer to commit, of each stretch's slowest block"
	f := &Figure{Subtitle: settings(tl), height: height, panels: []panel{all}}
	stats := r.stats()
	longest, service := 0, 0.0
	for i, part := range stats.Parts {
		if part.Duration.Mean > stats.Parts[longest].Duration.Mean {
			longest = i
		}
		if !part.From.Precedes(event.Dequeued) {
			service += part.Duration.Mean
		}
		f.legend = append(f.legend, entry{name: part.Name, fill: partColors[part.To]})
	}
	if service < dwarfed*stats.Latency.Mean {
		if _, work, err := partsPanel(tl, event.Dequeued, "service", samples); err == nil {
			work.caption = "From pop to commit alone, of each stretch's slowest block"
			f.panels[0].weight = 1.2
			f.panels = append(f.panels, work)
			f.height = tall
		}
	}
	_, hidden := unseen(tl, samples, offeredFirst(tl), int64(all.X.Max)+offeredFirst(tl), 0)
	f.legend = append(f.legend, hidden...)
	if stats.Latency.Mean <= 0 {
		f.Title = "The blocks were delivered the moment they were offered"
		return f, nil
	}
	if len(parts) == 1 {
		f.Title = fmt.Sprintf("From offer to commit blocks took %s at the median and at most %s; the trace does not tell the parts",
			analysis.ApproxDuration(stats.Latency.P50), analysis.ApproxDuration(stats.Latency.Max))
		return f, nil
	}
	f.Title = fmt.Sprintf("%s %s of the delivery latency", takes(parts[longest].Name),
		analysis.FormatShare(stats.Parts[longest].Duration.Mean/stats.Latency.Mean))
	return f, nil
}

// takes begins a sentence about a part.
func takes(part string) string {
	switch part {
	case "orderer", "door":
		return "The wait at the " + part + " takes"
	case "buffer":
		return "The wait in the buffer takes"
	case "link":
		return "The link takes"
	case "validate":
		return "Validation takes"
	}
	verb := " takes"
	if strings.Contains(part, " and ") {
		verb = " take"
	}
	return strings.ToUpper(part[:1]) + part[1:] + verb
}

// dwarfed is the share of the latency below which the committer's work is drawn
// again in a panel of its own.
const dwarfed = 0.1

// partsPanel draws the parts of the time from an instant to the commit.
func partsPanel(tl *traces.Timeline, from event.Kind, title string, samples []traces.SampleColumn) ([]analysis.Part, panel, error) {
	parts, columns, err := analysis.PartsOverTime(tl, from, max(min(partColumns, tl.Len()/4), 1))
	if err != nil {
		return nil, panel{}, err
	}
	if len(columns) == 0 || len(parts) == 0 {
		return nil, panel{}, fmt.Errorf("parts of the latency of stream %s: no block has all of its times", tl.Name())
	}
	hi := 1.0
	for _, c := range columns {
		sum := int64(0)
		for _, v := range c.Parts {
			sum += v
		}
		hi = max(hi, float64(sum))
	}
	origin := offeredFirst(tl)
	p := newPlot("", "")
	end := columns[len(columns)-1].Span.To
	timeAxis(&p.X, "commit, "+sinceOffer, 0, float64(end-origin))
	timeAxis(&p.Y, title, 0, hi*1.06)
	hidden, _ := unseen(tl, samples, origin, end, origin)
	p.Add(stack{parts, columns, origin}, hidden)
	return parts, panel{Plot: p, weight: 1}, nil
}

// partColors are by the instant that ends a part.
var partColors = map[event.Kind]color.NRGBA{
	event.Sent: grey, event.Received: muted, event.AtDoor: sky, event.Enqueued: doorColor,
	event.Dequeued: bufferColor, event.Validated: green, event.Committed: purple,
}

// stack draws the parts of blocks on top of each other.
type stack struct {
	parts   []analysis.Part
	columns []analysis.Column
	origin  int64
}

// Plot implements plot.Plotter.
func (s stack) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	for _, column := range s.columns {
		// Half a point of overlap keeps the ground from shining through between columns.
		left := max(x(float64(column.Span.From-s.origin))-0.5, c.Min.X)
		right := max(x(float64(column.Span.To-s.origin)), left+1)
		base := 0.0
		for i, v := range column.Parts {
			top := base + max(float64(v), 0)
			c.SetColor(partColors[s.parts[i].To])
			c.Fill(vg.Rectangle{Min: vg.Point{X: left, Y: y(base)}, Max: vg.Point{X: right, Y: y(top)}}.Path())
			base = top
		}
	}
}
