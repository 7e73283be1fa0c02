package chart

import (
	"fmt"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/blockreel/blockreel/analysis"
)

// maxForecastBars is the number of bars that a page has room for.
const maxForecastBars = 48

// PredictedVsMeasured draws by how much forecasts missed, a bar a figure, with the
// measured and the predicted value beside it.
func PredictedVsMeasured(forecasts []analysis.Forecast) (*Figure, error) {
	if len(forecasts) > MaxRuns {
		return nil, fmt.Errorf("%d forecasts are more than a chart can tell apart: choose at most %d", len(forecasts), MaxRuns)
	}
	var rows []row
	worst := 0.0
	bars := 0
	for i, f := range forecasts {
		if f.Name != "" {
			rows = append(rows, row{heading: f.Name})
		}
		for _, d := range f.Differences {
			bars++
			rows = append(rows, row{Difference: d, series: i})
			worst = max(worst, math.Abs(d.Error.Or(0)))
		}
	}
	if bars == 0 {
		return nil, fmt.Errorf("the forecasts have no figure in common with what was measured")
	}
	if bars > maxForecastBars {
		return nil, fmt.Errorf("%d figures are more than a page has room for: choose fewer forecasts", bars)
	}
	p := newPlot("error of the forecast: (predicted − measured) / measured", "")
	reach := max(worst*1.15, 0.01)
	p.X.Min, p.X.Max = -reach, reach
	p.X.Tick.Marker = shares{ticker{unit: 0.01, signed: true, most: 8}}
	p.Y.Min, p.Y.Max = 0, float64(len(rows))
	p.Y.Tick.Marker = plot.ConstantTicks(nil)
	p.Add(bar(rows))
	page := max(height, vg.Length(len(rows))*15+110)
	return &Figure{
		Title:    forecastTitle(len(forecasts), worst),
		Subtitle: analysis.FormatCounted(int64(len(forecasts)), "forecast") + ", " + analysis.FormatCounted(int64(bars), "figure"),
		height:   page,
		panels:   []panel{{Plot: p, weight: 1, left: 84, right: 160}},
	}, nil
}

// forecastTitle says how far off the forecasts are at the most.
func forecastTitle(forecasts int, worst float64) string {
	const near = 0.1 // beyond it nothing is near enough for "within"
	one, many := "The forecast is within %s of what was measured", "The forecasts are within %s of what was measured"
	if worst > near {
		one, many = "The forecast misses what was measured by up to %s", "The forecasts miss what was measured by up to %s"
	}
	if forecasts == 1 {
		many = one
	}
	return fmt.Sprintf(many, analysis.FormatShare(worst))
}

// shares writes the ticks of another ticker in percent.
type shares struct{ ticker }

// Ticks implements plot.Ticker.
func (s shares) Ticks(lo, hi float64) []plot.Tick {
	ticks := s.ticker.Ticks(lo, hi)
	for i := range ticks {
		ticks[i].Label = signedShare(ticks[i].Value)
	}
	return ticks
}

// A row is a heading, or a bar of the series-th forecast.
type row struct {
	heading string
	analysis.Difference
	series int
}

// name is how the row's figure is written on a chart.
func (r row) name() string {
	if name := figureNames[r.Figure]; name != "" {
		return name
	}
	return r.Figure
}

// forecastColumns are where the columns of numbers end, in points right of the data.
var forecastColumns = [...]vg.Length{48, 104, 160}

// signedShare writes a share in percent with its sign, but for zero.
func signedShare(x float64) string {
	if x > 0 {
		return "+" + analysis.FormatShare(x)
	}
	return analysis.FormatShare(x)
}

// figureNames are how the figures of a comparison are written on a chart.
var figureNames = map[string]string{
	"makespan": "makespan", "max_gap": "greatest gap",
	"p50": "latency p50", "p90": "latency p90", "p95": "latency p95", "p99": "latency p99", "p99_9": "latency p99.9", "max": "latency max",
}

// bar draws rows from top to bottom.
type bar []row

// Plot implements plot.Plotter.
func (rows bar) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	c.StrokeLine2(draw.LineStyle{Color: muted, Width: 0.8}, x(0), c.Min.Y, x(0), c.Max.Y)
	for i, r := range rows {
		middle := y(float64(len(rows)-i) - 0.5)
		if r.heading != "" {
			note(c, vg.Point{X: c.Min.X - 80, Y: middle}, r.heading, ink, text.XLeft, text.YCenter)
			continue
		}
		half := min((y(1)-y(0))*0.36, 9)
		write := analysis.FormatDuration
		if r.Unit == "blocks" {
			write = analysis.FormatCount
		}
		e, known := r.Error.Get()
		missed := "unknown"
		if known {
			missed = signedShare(e)
			c.SetColor(palette[r.series%len(palette)])
			c.Fill(vg.Rectangle{
				Min: vg.Point{X: min(x(0), x(e)), Y: middle - half}, Max: vg.Point{X: max(x(0), x(e)), Y: middle + half}}.Path())
		}
		s := aligned(lettering(9, ink), text.XRight, text.YCenter)
		c.FillText(s, vg.Point{X: c.Min.X - 6, Y: middle}, r.name())
		for column, words := range [...]string{missed, write(r.Want), write(r.Got)} {
			c.FillText(s, vg.Point{X: c.Max.X + forecastColumns[column], Y: middle}, words)
		}
	}
	for column, words := range [...]string{"error", "measured", "predicted"} {
		c.FillText(aligned(lettering(9, muted), text.XRight, text.YBottom),
			vg.Point{X: c.Max.X + forecastColumns[column], Y: c.Max.Y + 1}, words)
	}
}
