package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/blockreel/blockreel/analysis"
)

// figureNames are how the figures of a comparison are written in text.
var figureNames = map[string]string{"max_gap": "max gap", "p99_9": "p99.9"}

func figureName(figure string) string {
	if name, ok := figureNames[figure]; ok {
		return name
	}
	return figure
}

// Identity writes in a line by how much a replay with a trace's own settings
// differs from the trace, which is how far to trust a forecast made from it.
func Identity(w io.Writer, d analysis.Differences) error {
	if len(d) == 0 {
		_, err := fmt.Fprintln(w, "identity error: unknown, the trace does not tell how long it took")
		return err
	}
	parts := make([]string, len(d))
	for i, x := range d {
		parts[i] = figureName(x.Figure) + " " + signed(x.Error)
	}
	_, err := fmt.Fprintf(w, "identity error: %s\n", strings.Join(parts, ", "))
	return err
}

// signed writes a relative error in percent with its sign.
func signed(e analysis.Optional[float64]) string {
	v, ok := e.Get()
	switch {
	case !ok:
		return unknown
	case v > 0:
		return "+" + analysis.FormatShare(v)
	}
	return analysis.FormatShare(v)
}

// Forecasts writes a row a figure of every forecast: measured, predicted, error.
func Forecasts(w io.Writer, forecasts []analysis.Forecast) error {
	t := table{left: 2}
	t.add("forecast", "figure", "measured", "predicted", "error")
	for _, f := range forecasts {
		name := f.Name
		for _, d := range f.Differences {
			write := analysis.FormatDuration
			if d.Unit == "blocks" {
				write = analysis.FormatCount
			}
			t.add(name, figureName(d.Figure), write(d.Want), write(d.Got), signed(d.Error))
			name = ""
		}
	}
	return t.write(w)
}
