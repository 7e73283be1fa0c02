package main

import (
	"fmt"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/analysis/chart"
	"github.com/blockreel/blockreel/analysis/report"
	"github.com/blockreel/blockreel/traces"
)

// against is a measured run that forecasts are held against.
type against struct {
	path, plot string
	measured   *traces.Trace
}

func (a *against) bind(c *cobra.Command) {
	c.Flags().StringVar(&a.path, "against", "", "measured trace to hold the results against: forecast, measured, error")
	c.Flags().StringVar(&a.plot, "plot", "", "with --against, draw the errors into this .png, .svg or .pdf file")
}

// load reads the measured trace, if there is one.
func (a *against) load(c *cobra.Command) (err error) {
	switch {
	case a.plot != "" && a.path == "":
		return usagef(c, "--plot draws what --against compares: name a measured trace")
	case a.plot != "" && !slices.Contains(chart.Formats, filepath.Ext(a.plot)):
		return usagef(c, "--plot %s: name a .png, .svg or .pdf file", a.plot)
	case a.path == "":
		return nil
	}
	a.measured, err = loadTrace(c, a.path)
	return err
}

// forecasts compares every replayed stream with the measured one of its name, or with
// the only one there is.
func (a *against) forecasts(streams []runStats) ([]analysis.Forecast, error) {
	if a.measured == nil {
		return nil, nil
	}
	measured := analysis.Stats(a.measured).Streams
	var all []analysis.Forecast
	for _, s := range streams {
		i := slices.IndexFunc(measured, func(m analysis.StreamStats) bool { return m.Name() == s.Name() })
		if i < 0 && len(measured) == 1 {
			i = 0
		}
		if i < 0 {
			return nil, fmt.Errorf("%s has no stream %s to compare with", a.path, s.Name())
		}
		name := s.Run
		if len(measured) > 1 {
			name += " " + s.Name()
		}
		all = append(all, analysis.Forecast{Name: name, Differences: analysis.Compare(&measured[i], &s.StreamStats)})
	}
	return all, nil
}

// print writes the comparison, and draws it if asked.
func (a *against) print(c *cobra.Command, forecasts []analysis.Forecast) error {
	if len(forecasts) == 0 {
		return nil
	}
	fmt.Fprintln(c.OutOrStdout())
	return report.Forecasts(c.OutOrStdout(), forecasts)
}

func (a *against) draw(c *cobra.Command, forecasts []analysis.Forecast) error {
	if a.plot == "" {
		return nil
	}
	f, err := chart.PredictedVsMeasured(forecasts)
	if err != nil {
		return err
	}
	if err := f.Save(a.plot); err != nil {
		return err
	}
	fmt.Fprintf(c.ErrOrStderr(), "wrote %s\n", a.plot)
	return nil
}
