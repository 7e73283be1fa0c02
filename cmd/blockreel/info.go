package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/analysis/report"
	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

func newInfo() *cobra.Command {
	asJSON := false
	c := &cobra.Command{
		Use:   "info FILE...",
		Short: "Tell what a trace holds and where it comes from",
		Example: `  blockreel info run.reel
  blockreel info --json run.reel | jq '.streams[0].settings'`,
		Args: usageArgs(cobra.MinimumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			for i, path := range args {
				tr, err := loadTrace(c, path)
				if err != nil {
					return err
				}
				about := describe(path, tr)
				payloads, err := payloadsOf(path)
				if err != nil {
					return err
				}
				for i, p := range payloads {
					about.Streams[i].Payloads = &payloadInfo{Blocks: p.blocks, First: p.first, Last: p.last, Bytes: p.bytes}
				}
				if asJSON {
					if err := report.JSON(c.OutOrStdout(), about); err != nil {
						return err
					}
					continue
				}
				if i > 0 {
					fmt.Fprintln(c.OutOrStdout())
				}
				if err := about.print(c.OutOrStdout()); err != nil {
					return err
				}
			}
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// traceInfo is what info tells.
type traceInfo struct {
	File    string       `json:"file"`
	Start   *time.Time   `json:"start,omitempty"`
	Tool    string       `json:"tool"`
	Source  string       `json:"source"`
	Whole   bool         `json:"whole"`
	Dropped int64        `json:"dropped_events"`
	Streams []streamInfo `json:"streams"`
	Series  []seriesInfo `json:"series"`
	Notes   []noteInfo   `json:"notes"`

	DroppedSamples int64 `json:"dropped_samples"`
}

// seriesInfo is a series of samples.
type seriesInfo struct {
	Name    string `json:"name"`
	Unit    string `json:"unit,omitempty"`
	Node    string `json:"node,omitempty"`
	Channel string `json:"channel,omitempty"`
	Samples int    `json:"samples"`
	// First and Last are the times of the first and the last sample since the start of
	// the trace, Least and Greatest the bounds of the values in the series' unit.
	First    event.Time `json:"first_ns"`
	Last     event.Time `json:"last_ns"`
	Least    float64    `json:"least"`
	Greatest float64    `json:"greatest"`
}

type streamInfo struct {
	Channel  string          `json:"channel"`
	Peer     string          `json:"peer,omitempty"`
	Orderer  string          `json:"orderer,omitempty"`
	First    event.BlockNum  `json:"first_block"`
	Blocks   int             `json:"blocks"`
	Values   map[string]int  `json:"values"`
	Settings traces.Settings `json:"settings"`
	Dropped  int64           `json:"dropped_events"`
	// Payloads are those of the channel, told of its first stream.
	Payloads *payloadInfo `json:"payloads,omitempty"`
	name     string
	kinds    []string
}

type payloadInfo struct {
	Blocks int64          `json:"blocks"`
	First  event.BlockNum `json:"first_block"`
	Last   event.BlockNum `json:"last_block"`
	// Bytes is what they take in the file, compressed.
	Bytes int64 `json:"file_bytes"`
}

type noteInfo struct {
	Stream string `json:"stream,omitempty"`
	Kind   string `json:"kind"`
	Text   string `json:"text"`
}

func describe(path string, tr *traces.Trace) traceInfo {
	about := traceInfo{File: path, Tool: tr.Tool, Source: tr.Source, Whole: tr.Loss == nil,
		Streams: []streamInfo{}, Series: []seriesInfo{}, Notes: []noteInfo{}}
	if !tr.Base.IsZero() {
		base := tr.Base.UTC()
		about.Start = &base
	}
	for _, tl := range tr.Timelines {
		s := streamInfo{
			Channel: tl.Channel, Peer: tl.Peer, Orderer: tl.Orderer, First: tl.First, Blocks: tl.Len(),
			Values: map[string]int{}, Settings: tl.Settings, name: tl.Name(),
		}
		for k := range event.NumKinds {
			if n := tl.Observed(event.Kind(k)); n > 0 {
				s.Values[event.Kind(k).String()] = n
				s.kinds = append(s.kinds, event.Kind(k).String())
			}
		}
		about.Streams = append(about.Streams, s)
	}
	for i := range tr.Samples {
		about.Series = append(about.Series, describeSeries(&tr.Samples[i]))
	}
	for _, n := range tr.Notes {
		note := noteInfo{Kind: n.Kind, Text: n.Text}
		if n.Stream >= 0 && n.Stream < len(about.Streams) {
			note.Stream = about.Streams[n.Stream].name
		}
		if n.Kind == traces.NoteDropped {
			var lost int64
			if _, err := fmt.Sscan(n.Text, &lost); err == nil {
				about.Dropped += lost
				if note.Stream != "" {
					about.Streams[n.Stream].Dropped += lost
				}
				continue
			}
		}
		if n.Kind == traces.NoteDroppedSamples {
			var lost int64
			if _, err := fmt.Sscan(n.Text, &lost); err == nil {
				about.DroppedSamples += lost
				continue
			}
		}
		about.Notes = append(about.Notes, note)
	}
	return about
}

func describeSeries(c *traces.SampleColumn) seriesInfo {
	s := seriesInfo{Name: c.Name, Unit: c.Unit, Node: c.Node, Channel: c.Channel, Samples: c.Len()}
	if c.Len() > 0 {
		s.First, s.Last = c.At[0], c.At[c.Len()-1]
		s.Least, s.Greatest = slices.Min(c.Value), slices.Max(c.Value)
	}
	return s
}

func (t traceInfo) print(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(tw, name+"\t"+format+"\n", args...) }
	row("file", "%s", t.File)
	row("source", "%s, written by %s", t.Source, t.Tool)
	if t.Start != nil {
		row("start", "%s", t.Start.Format("2006-01-02 15:04:05.000 MST"))
	}
	if !t.Whole {
		row("damage", "cut short; see blockreel verify")
	}
	row("dropped events", "%s", analysis.FormatCount(t.Dropped))
	if t.DroppedSamples > 0 {
		row("dropped samples", "%s", analysis.FormatCount(t.DroppedSamples))
	}
	for _, s := range t.Streams {
		fmt.Fprintf(tw, "\t\nstream\t%s\n", s.name)
		if s.Orderer != "" {
			row("  orderer", "%s", s.Orderer)
		}
		if s.Blocks > 0 {
			row("  blocks", "%s, %d to %d", analysis.FormatCount(int64(s.Blocks)), s.First, s.First+event.BlockNum(s.Blocks-1))
		} else {
			row("  blocks", "none")
		}
		if s.Dropped > 0 {
			row("  dropped events", "%s", analysis.FormatCount(s.Dropped))
		}
		for _, k := range s.kinds {
			if n := s.Values[k]; n == s.Blocks {
				row("  "+k, "all blocks")
			} else {
				row("  "+k, "%s", analysis.FormatBlocks(int64(n)))
			}
		}
		if p := s.Payloads; p != nil {
			row("  payloads", "%s, %d to %d, %s in the file", analysis.FormatBlocks(p.Blocks), p.First, p.Last, analysis.FormatBytes(p.Bytes))
		}
		for _, name := range s.Settings.Names() {
			row("  "+name, "= %s", s.Settings[name])
		}
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	if err := t.printSeries(w); err != nil {
		return err
	}
	for i, n := range t.Notes {
		if i == 0 {
			fmt.Fprintln(w)
		}
		if n.Stream != "" && len(t.Streams) > 1 {
			n.Text = n.Stream + ": " + n.Text
		}
		fmt.Fprintf(w, "%s: %s\n", n.Kind, n.Text)
	}
	return nil
}

// printSeries prints a row for each series.
func (t traceInfo) printSeries(w io.Writer) error {
	if len(t.Series) == 0 {
		return nil
	}
	fmt.Fprintln(w)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "series\tof\tsamples\ttime\tvalues")
	for _, s := range t.Series {
		of := s.Node
		if s.Channel != "" {
			of = traces.Stream{Channel: s.Channel, Peer: s.Node}.Name()
		}
		fmt.Fprintf(tw, "  %s\t%s\t%s\t%s\t%s\n", s.Name, of, analysis.FormatCount(int64(s.Samples)),
			analysis.FormatSpan(analysis.Span{From: int64(s.First), To: int64(s.Last)}), s.values())
	}
	return tw.Flush()
}

// values writes the bounds of the values.
func (s seriesInfo) values() string {
	write := analysis.FormatNumber
	unit := s.Unit
	switch unit {
	case traces.UnitNS:
		write, unit = func(v float64) string { return analysis.FormatDuration(int64(v)) }, ""
	case "s":
		write, unit = func(v float64) string { return analysis.FormatDuration(int64(v * 1e9)) }, ""
	}
	text := write(s.Least)
	if s.Greatest != s.Least {
		text += " to " + write(s.Greatest)
	}
	return strings.TrimSpace(text + " " + unit)
}
