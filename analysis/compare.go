package analysis

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"
)

// A Difference is one figure in two runs.
type Difference struct {
	// Figure names it as the JSON does: makespan, max_gap, p50, …
	Figure string
	// Unit is "ns" or "blocks".
	Unit string
	// Want and Got are the figure in the first and in the second run.
	Want, Got int64
	// Error is (Got − Want) / Want; not known when only Want is zero.
	Error Optional[float64]
}

// Differences are the figures that two runs have in common. In JSON they are an
// object of relative errors by figure.
type Differences []Difference

// A Forecast is what was predicted of a run beside what was measured.
type Forecast struct {
	// Name says what was forecast: "N = 2 from the run with N = 20".
	Name string
	// Differences have the measured run first: Compare(measured, predicted).
	Differences Differences
}

// Compare returns how the figures of got differ from those of want: of a replay
// from the trace it was made from, or of a forecast from what was measured.
func Compare(want, got *StreamStats) Differences {
	var d Differences
	add := func(figure, unit string, w, g Optional[int64]) {
		if !w.Known() || !g.Known() {
			return
		}
		x := Difference{Figure: figure, Unit: unit, Want: w.Or(0), Got: g.Or(0)}
		switch {
		case x.Want == x.Got:
			x.Error = Known(0.0)
		case x.Want != 0:
			x.Error = Known(float64(x.Got-x.Want) / math.Abs(float64(x.Want)))
		}
		d = append(d, x)
	}
	add("makespan", "ns", want.Makespan, got.Makespan)
	add("max_gap", "blocks", want.MaxGap, got.MaxGap)
	if w, g := want.Latency, got.Latency; w != nil && g != nil {
		gl := g.Levels()
		for i, l := range w.Levels() {
			add(l.Name, "ns", Known(l.Value), Known(gl[i].Value))
		}
	}
	return d
}

// figureNames are how the figures of a comparison are written in text.
var figureNames = map[string]string{"max_gap": "max gap", "p99_9": "p99.9"}

// Name is the figure as people write it.
func (d Difference) Name() string {
	if name, ok := figureNames[d.Figure]; ok {
		return name
	}
	return d.Figure
}

// FormatError writes the relative error in percent with its sign: −0.14 %.
func (d Difference) FormatError() string {
	if e, ok := d.Error.Get(); ok {
		return FormatRelative(e)
	}
	return "unknown"
}

// String writes the errors in a line: makespan −0.14 %, max gap 0 %, p50 +0.09 %, ….
func (d Differences) String() string {
	if len(d) == 0 {
		return "unknown, the trace does not tell how long it took"
	}
	parts := make([]string, len(d))
	for i, x := range d {
		parts[i] = x.Name() + " " + x.FormatError()
	}
	return strings.Join(parts, ", ")
}

// Worst returns the greatest error by magnitude; it is not known when one of the
// errors is not, or when there are none.
func (d Differences) Worst() Optional[float64] {
	if len(d) == 0 {
		return Optional[float64]{}
	}
	worst := 0.0
	for _, x := range d {
		e, ok := x.Error.Get()
		if !ok {
			return Optional[float64]{}
		}
		worst = max(worst, math.Abs(e))
	}
	return Known(worst)
}

// Trusted is the greatest identity error, as a share, up to which forecasts of a figure are
// to be believed: about by how much two runs of one setting differ on one machine.
const Trusted = 0.05

// Distrust says, where d is how the replay of a trace with its own settings differs from
// it, of which figures a forecast is not to be trusted; empty when all can be.
func (d Differences) Distrust() string {
	var figures, errors []string
	for _, x := range d {
		e, ok := x.Error.Get()
		by := x.FormatError()
		if !ok {
			by = FormatDuration(x.Got)
			if x.Unit == "blocks" {
				by = FormatBlocks(x.Got)
			}
			by = "all of " + by
		}
		if x.Got != x.Want && (!ok || math.Abs(e) > Trusted) {
			figures, errors = append(figures, x.Name()), append(errors, by)
		}
	}
	switch len(figures) {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf("do not trust the %s: the replay of the trace with its own settings misses it by %s", figures[0], errors[0])
	}
	return fmt.Sprintf("do not trust %s: the replay of the trace with its own settings misses them by %s",
		enumerate(figures), enumerate(errors))
}

// MarshalJSON writes {"makespan":0.0031,"max_gap":0,…}, in the order of d.
func (d Differences) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, x := range d {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(x.Figure)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(x.Error)
		if err != nil {
			return nil, err
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}
