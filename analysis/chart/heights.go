package chart

import (
	"fmt"
	"slices"
	"strings"

	"gonum.org/v1/plot/vg/draw"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// A Run is a stream with the words by which a chart calls it: "N = 20".
type Run struct {
	Name     string
	Timeline *traces.Timeline
	// Samples are those of the stream's trace; nil for none.
	Samples []traces.SampleColumn

	figures *figures // nil: they are not kept
}

type figures struct{ stats *analysis.StreamStats }

// NewRun returns a run whose figures are computed once for all charts.
func NewRun(name string, tl *traces.Timeline, samples ...traces.SampleColumn) Run {
	return Run{name, tl, samples, &figures{}}
}

func (r *Run) stats() *analysis.StreamStats {
	if r.figures == nil {
		r.figures = &figures{}
	}
	if r.figures.stats == nil {
		s := analysis.StatsOf(r.Timeline, r.Samples...)
		r.figures.stats = &s
	}
	return r.figures.stats
}

// Kinds returns the kinds whose values the charts look at.
func Kinds() []event.Kind { return append(event.Way(), event.Bytes) }

// checkRuns refuses what a chart of several runs cannot show.
func checkRuns(runs []Run) error {
	if len(runs) == 0 {
		return fmt.Errorf("no runs to draw")
	}
	if len(runs) > MaxRuns {
		return fmt.Errorf("%d runs are more than a chart can tell apart: choose at most %d", len(runs), MaxRuns)
	}
	return nil
}

// Heights draws the heights of the orderer's and the peer's ledgers with the gap
// between them. Of the trace's samples it takes when the nodes were not observed.
func Heights(r Run) (*Figure, error) {
	tl, samples := r.Timeline, r.Samples
	orderer, peer, err := analysis.Heights(tl)
	if err != nil {
		return nil, err
	}
	gap := r.stats().Gap
	upperShape, lowerShape := orderer.Shape(), peer.Shape()
	origin := upperShape.First
	end := max(upperShape.Last, lowerShape.Last)
	above, below := newStepCurve(orderer, upperShape, origin, end), newStepCurve(peer, lowerShape, origin, end)

	p := newPlot("", "")
	timeAxis(&p.X, sinceOffer, 0, float64(end-origin))
	countAxis(&p.Y, "ledger height (blocks)", float64(upperShape.End))
	// A ledger that is high already must not press the curves to the top.
	if first := float64(lowerShape.Start); first > (p.Y.Max-first)/2 {
		room := 0.06 * (p.Y.Max/1.06 - first)
		p.Y.Min, p.Y.Max = first-room, p.Y.Max/1.06+room
	}
	upper, lower := line(0), line(1)
	hidden, hiddenEntry := unseen(tl, samples, origin, end, origin)
	p.Add(between{above, below, tint(sky, 0.3)})
	upperParts, lowerParts := hidden.known(tl.Orderer, above), hidden.known(tl.Peer, below)
	p.Add(blank{hidden.pending(tl.Orderer, upperParts)}, blank{hidden.pending(tl.Peer, lowerParts)}, hidden, grid{})
	for _, part := range upperParts {
		p.Add(path{part, upper})
	}
	for _, part := range lowerParts {
		p.Add(path{part, lower})
	}
	if float64(gap.Max) > 0.02*(p.Y.Max-p.Y.Min) { // else the curves are one
		at := float64(peer.At(gap.MaxAt))
		p.Add(stretch{float64(gap.MaxAt - origin), at, at + float64(gap.Max), "gap " + analysis.FormatBlocks(gap.Max),
			draw.LineStyle{Color: ink, Width: 1}})
	}
	unknown := analysis.HeightsUnknown(tl, samples...)
	legend := append([]entry{
		{name: "orderer height", style: upper}, {name: "peer height", style: lower}, {name: "height gap", fill: tint(sky, 0.3)},
	}, hiddenEntry...)
	return &Figure{
		Title:    gapTitle(gap, origin, len(hiddenEntry) > 0, slices.ContainsFunc(unknown, func(u analysis.Span) bool { return u.From <= end && end <= u.To })),
		Subtitle: settings(tl) + openEnd(r.stats()),
		height:   height,
		legend:   legend,
		panels:   []panel{{Plot: p, weight: 1}},
	}, nil
}

// sinceOffer is the title of a time axis.
const sinceOffer = "time since the first block was offered"

// openEnd says how many blocks were still to come when the curves end.
func openEnd(s *analysis.StreamStats) string {
	if n := s.UncommittedBlocks; n > 0 {
		return fmt.Sprintf(", %s of them uncommitted when the peer's data end", analysis.FormatCount(n))
	}
	return ""
}

// A peer keeps up that is never more than keptUp blocks behind, and not more than one most
// of the time.
const keptUp = 10

// gapTitle says what became of the gap; hidden: a node was not observed all the time,
// unseenEnd: nor at the end.
func gapTitle(g *analysis.GapSummary, origin int64, hidden, unseenEnd bool) string {
	if g.Max <= 2 || g.Max <= keptUp && g.Mean <= 1 {
		title := fmt.Sprintf("The peer kept up: it was never more than %s behind the orderer", analysis.FormatBlocks(g.Max))
		if hidden {
			title += " while both were observed"
		}
		return title
	}
	fell := fmt.Sprintf("The peer fell %s behind", analysis.FormatBlocks(g.Max))
	if at, ok := g.CaughtUp.Get(); ok {
		return fmt.Sprintf("%s and caught up after %s", fell, analysis.ApproxDuration(at-origin))
	}
	if unseenEnd {
		return fell + " while both were observed, which they were not at the end"
	}
	if g.Final == 0 { // while nobody looked
		return fell + " and had caught up at the end"
	}
	return fmt.Sprintf("%s and was still %s behind at the end", fell, analysis.FormatBlocks(g.Final))
}

// settings describes a stream and how it was run.
func settings(tl *traces.Timeline) string {
	parts := []string{tl.Name()}
	if n, ok := tl.Settings.Int(traces.SettingBuffer); ok {
		parts = append(parts, fmt.Sprintf("N = %d", n))
	}
	version := tl.Settings[traces.SettingPreset]
	if v := tl.Settings[traces.SettingFabricVersion]; v != "" {
		version = "Fabric " + v
	}
	if version != "" {
		parts = append(parts, version)
	}
	for _, s := range []struct{ format, name string }{
		{"ledger %s", traces.SettingLedger}, {"state in %s", traces.SettingStateDatabase},
	} {
		if v := tl.Settings[s.name]; v != "" {
			parts = append(parts, fmt.Sprintf(s.format, v))
		}
	}
	parts = append(parts, analysis.FormatBlocks(int64(tl.Len())))
	return strings.Join(parts, " · ")
}

// sameStream describes what runs have in common.
func sameStream(runs []Run) string {
	first := runs[0].Timeline
	for _, r := range runs {
		if r.Timeline.Name() != first.Name() || r.Timeline.Len() != first.Len() {
			return analysis.FormatCounted(int64(len(runs)), "run")
		}
	}
	return first.Name() + " · " + analysis.FormatBlocks(int64(first.Len()))
}
