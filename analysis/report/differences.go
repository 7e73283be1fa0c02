package report

import (
	"fmt"
	"io"

	"github.com/blockreel/blockreel/analysis"
)

// Identity writes in a line by how much a replay with a stream's own settings
// differs from it, which is how far to trust a forecast made from it.
func Identity(w io.Writer, stream, difference string) error {
	_, err := fmt.Fprintf(w, "identity error of %s: %s\n", stream, difference)
	return err
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
			t.add(name, d.Name(), write(d.Want), write(d.Got), d.FormatError())
			name = ""
		}
	}
	return t.write(w)
}
