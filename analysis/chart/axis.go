package chart

import (
	"math"
	"strconv"

	"gonum.org/v1/plot"

	"github.com/blockreel/blockreel/analysis"
)

// ticker makes ticks at round values.
type ticker struct {
	// most is the greatest number of ticks; 0 means 7.
	most int
	// unit is what one of the axis' numbers is divided by before it is written.
	unit float64
	// whole says that only whole numbers make sense.
	whole bool
	// signed says that there is something to read below zero.
	signed bool
}

// Ticks implements plot.Ticker.
func (t ticker) Ticks(lo, hi float64) []plot.Tick {
	most := t.most
	if most == 0 {
		most = 7
	}
	lo, hi = lo/t.unit, hi/t.unit
	if !t.signed {
		lo = max(lo, 0)
	}
	step := roundStep((hi - lo) / float64(most))
	if t.whole {
		step = max(step, 1)
	}
	decimals := max(0, -int(math.Floor(math.Log10(step)+1e-9)))
	var ticks []plot.Tick
	for i := math.Ceil(lo/step - 1e-9); i*step <= hi+step*1e-9; i++ {
		v := i * step
		ticks = append(ticks, plot.Tick{Value: v * t.unit, Label: label(v, decimals)})
	}
	return ticks
}

// label writes a tick's value with thousands separators.
func label(v float64, decimals int) string {
	if decimals == 0 || v == 0 {
		return analysis.FormatCount(int64(math.Round(v)))
	}
	return strconv.FormatFloat(v, 'f', decimals, 64)
}

// roundStep returns the least of 1, 2 and 5 times a power of ten that is not below x.
func roundStep(x float64) float64 {
	if x <= 0 || math.IsInf(x, 0) || math.IsNaN(x) {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(x)))
	for _, m := range []float64{1, 2, 5} {
		if m*power >= x*(1-1e-9) {
			return m * power
		}
	}
	return 10 * power
}

// A timeUnit is what the times of an axis are written in.
type timeUnit struct {
	name string
	ns   float64
}

// unitFor returns the unit for an axis that reaches to ns.
func unitFor(ns float64) timeUnit {
	switch {
	case ns < 2e3:
		return timeUnit{"ns", 1}
	case ns < 2e6:
		return timeUnit{"µs", 1e3}
	case ns < 2e9:
		return timeUnit{"ms", 1e6}
	case ns < 240e9:
		return timeUnit{"s", 1e9}
	case ns < 4*3600e9:
		return timeUnit{"min", 60e9}
	}
	return timeUnit{"h", 3600e9}
}

// timeAxis makes a an axis of ns from lo to hi, with its title and unit.
func timeAxis(a *plot.Axis, title string, lo, hi float64) {
	if hi <= lo {
		hi = lo + 1
	}
	u := unitFor(hi)
	a.Min, a.Max = lo, hi
	a.Label.Text = title + " (" + u.name + ")"
	a.Tick.Marker = ticker{unit: u.ns}
}

// toNextTick lets an axis end at the tick above what it shows, so that the top of a curve can
// be read.
func toNextTick(a *plot.Axis) {
	ticks := a.Tick.Marker.Ticks(a.Min, a.Max)
	if n := len(ticks); n > 1 {
		if last := ticks[n-1].Value; last < a.Max {
			a.Max = last + (last - ticks[n-2].Value)
		}
	}
}

// nextRound returns the least of 1, 2 and 5 times a power of ten above x.
func nextRound(x float64) float64 { return roundStep(x * (1 + 1e-6)) }

// countAxis makes a an axis of whole numbers from 0 to a little above hi.
func countAxis(a *plot.Axis, title string, hi float64) {
	a.Min, a.Max = 0, max(hi, 1)*1.06
	a.Label.Text = title
	a.Tick.Marker = ticker{unit: 1, whole: true, most: 6}
}

// percentiles makes ticks at 50, 90, 99, 99.9 … % of an axis of log10 1/(1 − p).
type percentiles struct{}

// Ticks implements plot.Ticker.
func (percentiles) Ticks(lo, hi float64) []plot.Tick {
	var ticks []plot.Tick
	for _, p := range []struct {
		x     float64
		label string
	}{
		{math.Log10(2), "50 %"}, {math.Log10(4), "75 %"}, {1, "90 %"}, {math.Log10(20), "95 %"}, {2, "99 %"}, {3, "99.9 %"},
		{4, "99.99 %"}, {5, "99.999 %"}, {6, "99.9999 %"}, {7, "99.99999 %"},
	} {
		if p.x >= lo-1e-9 && p.x <= hi+1e-9 {
			ticks = append(ticks, plot.Tick{Value: p.x, Label: p.label})
		}
	}
	return ticks
}

// decades makes ticks at 1, 2 and 5 times the powers of ten of an axis of log10. The
// charts take the logarithm themselves: plot.LogScale misplaces the axis' title.
type decades struct {
	write func(int64) string
}

// Ticks implements plot.Ticker.
func (d decades) Ticks(lo, hi float64) []plot.Tick {
	multiples := []float64{1, 2, 5}
	if hi-lo > 3.3 {
		multiples = multiples[:1]
	}
	var ticks []plot.Tick
	for power := math.Floor(lo); power <= hi; power++ {
		for _, m := range multiples {
			if x := power + math.Log10(m); x >= lo-1e-9 && x <= hi+1e-9 {
				ticks = append(ticks, plot.Tick{Value: x, Label: d.write(int64(math.Round(math.Pow(10, x))))})
			}
		}
	}
	return ticks
}
