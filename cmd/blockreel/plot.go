package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/analysis/chart"
	"github.com/blockreel/blockreel/traces"
)

// chartKind is a chart that plot can draw: of one stream, or of one stream in
// several runs.
type chartKind struct {
	name, about string
	one         func(chart.Run) (*chart.Figure, error)
	many        func([]chart.Run) (*chart.Figure, error)
}

var chartKinds = []chartKind{
	{name: "heights", about: "heights of orderer and peer, with the gap", one: chart.Heights},
	{name: "depth", about: "depth of the payloads buffer, blocked and starved spans", one: chart.BufferDepth},
	{name: "parts", about: "delivery latency by part over time", one: chart.LatencyParts},
	{name: "gap", about: "height gap over time, by run", many: chart.GapBySetting},
	{name: "latency", about: "delivery latency by percentile, by run", many: chart.LatencyPercentiles},
}

func newPlot() *cobra.Command {
	var output, format string
	var only []string
	names := make([]string, len(chartKinds))
	long := "Plot draws charts of one or more traces:\n\n"
	for i, k := range chartKinds {
		names[i] = k.name
		long += fmt.Sprintf("  %-8s  %s\n", k.name, k.about)
	}
	long += "\nOf a trace of several streams, gaps.png has the gaps of all of them.\n"
	c := &cobra.Command{
		Use:   "plot FILE... -o DIR",
		Short: "Draw charts as PNG, SVG or PDF",
		Long: long + `
Charts that a trace has nothing for are left out with a word on why; one that was asked
for by name and cannot be drawn is an error. With -o FILE.png and a single chart and
stream, that file is written; otherwise the charts go into the directory.`,
		Example: `  blockreel plot run.reel -o charts
  blockreel plot run.reel --chart heights -o heights.svg
  blockreel plot what-if/n2.reel what-if/n20.reel what-if/n200.reel --chart gap,latency -o charts`,
		Args: usageArgs(cobra.MinimumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			if err := needOutput(c, output, args...); err != nil {
				return err
			}
			for _, name := range only {
				if !slices.Contains(names, name) {
					return usagef(c, "there is no chart %q; choose from %s", name, strings.Join(names, ", "))
				}
			}
			if !slices.Contains(chart.Formats, "."+format) {
				return usagef(c, "there is no format %q; choose png, svg or pdf", format)
			}
			switch ext := filepath.Ext(output); {
			case output == "-":
				return usagef(c, "-o -: plot does not write to stdout; name a directory, or a file for a single chart (--chart gap -o gap.png)")
			case isChart(output):
				if c.Flags().Changed("format") && ext != "."+format {
					return usagef(c, "-o %s and --format %s contradict each other", output, format)
				}
			case isExtension(ext) && filepath.Base(output) != ext && !isDirectory(output):
				return usagef(c, "-o %s: unknown extension %s; a chart is %s, and the name of a directory ends in /", output, ext, strings.Join(chart.Formats, ", "))
			}
			a := album{c: c, only: only, inputs: args, target: output, extension: "." + format}
			for _, path := range inNaturalOrder(args) {
				tr, err := loadTrace(c, path, chart.Kinds()...)
				if err != nil {
					return err
				}
				a.add(runLabel(path, tr), runName(path), tr)
			}
			if err := a.draw(); err != nil {
				return err
			}
			return a.print()
		},
	}
	outputFlag(c, &output, "directory for the charts, or a file for a single one")
	c.Flags().StringSliceVar(&only, "chart", nil, "only these charts: "+strings.Join(names, ", "))
	c.Flags().StringVar(&format, "format", "png", "png, svg or pdf")
	return c
}

func isChart(path string) bool { return slices.Contains(chart.Formats, filepath.Ext(path)) }

// isExtension reports whether ext names a format; charts-2.5 is a directory.
func isExtension(ext string) bool { return len(ext) > 1 && strings.Trim(ext[1:], "0123456789") != "" }

// runName names a run after its file.
func runName(path string) string {
	base := filepath.Base(path)
	return strings.TrimSuffix(strings.TrimSuffix(base, ".reel"), ".jsonl")
}

// runLabel names a run for people: a replay's file is named by its setting, n20-badger,
// which reads N = 20, badger; any other run by its file.
func runLabel(path string, tr *traces.Trace) string {
	name := runName(path)
	if len(tr.Timelines) == 0 {
		return name
	}
	n, known := tr.Timelines[0].Settings.Int(traces.SettingBuffer)
	rest, named := strings.CutPrefix(name, fmt.Sprintf("n%d", n))
	switch {
	case !known || !named || tr.Source != "replay":
		return name
	case rest == "":
		return fmt.Sprintf("N = %d", n)
	case rest[0] == '-':
		return fmt.Sprintf("N = %d, %s", n, rest[1:])
	}
	return name
}

// album draws the charts of some runs into a directory, or one into a file.
type album struct {
	c                 *cobra.Command
	only              []string
	inputs            []string
	target, extension string
	files             map[string]string // of a run, by its label
	streams           []string          // in order of appearance
	timelines         map[string][]chart.Run
	written           []string
}

func (a *album) add(label, file string, tr *traces.Trace) {
	if a.timelines == nil {
		a.timelines, a.files = map[string][]chart.Run{}, map[string]string{}
	}
	a.files[label] = file
	for _, tl := range tr.Timelines {
		if _, seen := a.timelines[tl.Name()]; !seen {
			a.streams = append(a.streams, tl.Name())
		}
		a.timelines[tl.Name()] = append(a.timelines[tl.Name()], chart.NewRun(label, tl, tr.Samples...))
	}
}

func (a *album) wants(kind string) bool { return len(a.only) == 0 || slices.Contains(a.only, kind) }

// draw draws what is wanted, of every stream.
func (a *album) draw() error {
	for _, kind := range chartKinds {
		if !a.wants(kind.name) {
			continue
		}
		for _, stream := range a.streams {
			runs := a.timelines[stream]
			if kind.many != nil {
				if err := a.save(kind.name, stream, "", func() (*chart.Figure, error) { return kind.many(runs) }); err != nil {
					return err
				}
				continue
			}
			for _, r := range runs {
				if err := a.save(kind.name, stream, r.Name, func() (*chart.Figure, error) { return kind.one(r) }); err != nil {
					return err
				}
			}
		}
	}
	return a.overview()
}

// overview draws the gaps of all streams of a single run into one chart.
func (a *album) overview() error {
	if len(a.files) != 1 || len(a.streams) < 2 || !a.wants("gap") || isChart(a.target) {
		return nil
	}
	var runs []chart.Run
	for _, stream := range a.streams {
		for _, r := range a.timelines[stream] {
			if _, err := analysis.Gap(r.Timeline); err == nil {
				r.Name = stream
				runs = append(runs, r)
			}
		}
	}
	if len(runs) < 2 {
		return nil
	}
	if len(runs) > chart.MaxRuns {
		fmt.Fprintf(a.c.ErrOrStderr(), "no chart gaps: %d streams are more than a chart can tell apart\n", len(runs))
		return nil
	}
	return a.save("gaps", "", "", func() (*chart.Figure, error) { return chart.GapByStream(runs) })
}

// print lists the charts.
func (a *album) print() error {
	if len(a.written) == 0 {
		return errors.New("there was nothing to draw")
	}
	for _, path := range a.written {
		fmt.Fprintln(a.c.OutOrStdout(), path)
	}
	return nil
}

// save writes one chart. What cannot be drawn is an error only when it was asked for.
func (a *album) save(kind, stream, run string, figure func() (*chart.Figure, error)) error {
	f, err := figure()
	if err != nil {
		var missing *analysis.MissingError
		var skew *analysis.SkewError
		if (errors.As(err, &missing) || errors.As(err, &skew)) && len(a.only) == 0 {
			fmt.Fprintf(a.c.ErrOrStderr(), "no chart %s: %v\n", kind, err)
			return nil
		}
		return err
	}
	path := a.path(kind, stream, run)
	if slices.Contains(a.written, path) {
		return fmt.Errorf("several charts for the one file %s: give a directory", path)
	}
	if err := spareInputs(a.c, path, a.inputs...); err != nil { // a trace may have a chart's name
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := f.Save(path); err != nil {
		return err
	}
	a.written = append(a.written, path)
	return nil
}

// path names a chart's file: its kind, and the run and the stream where there are
// several.
func (a *album) path(kind, stream, run string) string {
	if isChart(a.target) {
		return a.target
	}
	name := kind
	if run != "" && len(a.files) > 1 {
		name += "-" + a.files[run]
	}
	if len(a.streams) > 1 && stream != "" {
		name += "-" + strings.NewReplacer("@", "-", "/", "-", ":", "-").Replace(stream)
	}
	return filepath.Join(a.target, name+a.extension)
}
