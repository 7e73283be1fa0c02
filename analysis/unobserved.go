package analysis

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// A BlindSpan is a stretch of time in which a node was not observed: blocks of that time
// lack the node's times, and heights that stand still mean nothing.
type BlindSpan struct {
	Node string `json:"node"`
	// From and To are in ns since the start of the trace.
	From int64 `json:"from_ns"`
	To   int64 `json:"to_ns"`
}

// NotObserved returns when the orderer or the peer of a stream was not observed, in order,
// as [traces.SeriesObserving] among the samples tells. Before its first sample a series
// tells nothing; one that ends with 0 is blind until the last instant that is known of.
func NotObserved(tl *traces.Timeline, samples ...traces.SampleColumn) []BlindSpan {
	var spans []BlindSpan
	for _, node := range []string{tl.Orderer, tl.Peer} {
		var lost []Span
		for i := range samples {
			s := &samples[i]
			if s.Name == traces.SeriesObserving && s.Node == node && (s.Channel == "" || s.Channel == tl.Channel) {
				lost = append(lost, lostSpans(s, lastInstant(samples, tl))...)
			}
		}
		for _, s := range merge(lost) {
			spans = append(spans, BlindSpan{node, s.From, s.To})
		}
	}
	slices.SortFunc(spans, func(a, b BlindSpan) int { return int(min(max(a.From-b.From, -1), 1)) })
	return slices.Compact(spans) // orderer and peer can have one name
}

// spansOf returns when a node was not observed, or when any was not if none is named.
func spansOf(blind []BlindSpan, node string) []Span {
	var spans []Span
	for _, b := range blind {
		if node == "" || b.Node == node {
			spans = append(spans, Span{b.From, b.To})
		}
	}
	return merge(spans)
}

// HeightsUnknown returns when the gap between the two heights is not known: while one of the
// nodes was not observed, and from then until its next block was seen.
func HeightsUnknown(tl *traces.Timeline, samples ...traces.SampleColumn) []Span {
	return spansOf(stale(tl, NotObserved(tl, samples...)), "")
}

// stale returns the spans in which the height of one of the two ledgers is not known: a
// blind span lasts until the node's next block is seen; when none comes, the height has
// not changed since.
func stale(tl *traces.Timeline, blind []BlindSpan) []BlindSpan {
	var out []BlindSpan
	for _, b := range blind {
		seen := int64(math.MaxInt64)
		k := event.Committed
		if b.Node == tl.Orderer {
			k = event.Offered
		}
		for _, w := range tl.Windows(k) {
			for _, at := range w[0] {
				if at >= b.To {
					seen = min(seen, at)
				}
			}
		}
		if seen == math.MaxInt64 {
			seen = b.To
		}
		out = append(out, BlindSpan{b.Node, b.From, seen})
	}
	return out
}

// lostSpans returns when a series is 0.
func lostSpans(s *traces.SampleColumn, end int64) []Span {
	var spans []Span
	for i, v := range s.Value {
		from, to := int64(s.At[i]), end
		if i+1 < s.Len() {
			to = int64(s.At[i+1])
		}
		if v == 0 && to > from {
			spans = append(spans, Span{from, to})
		}
	}
	return spans
}

// merge returns what at least one of the spans covers, in order and without overlaps.
func merge(spans []Span) []Span {
	slices.SortFunc(spans, func(a, b Span) int { return int(min(max(a.From-b.From, -1), 1)) })
	var out []Span
	for _, s := range spans {
		if n := len(out); n > 0 && s.From <= out[n-1].To {
			out[n-1].To = max(out[n-1].To, s.To)
			continue
		}
		out = append(out, s)
	}
	return out
}

// lastInstant returns the last instant that samples and timelines know of.
func lastInstant(samples []traces.SampleColumn, timelines ...*traces.Timeline) int64 {
	last := int64(event.Missing)
	for i := range samples {
		if n := samples[i].Len(); n > 0 {
			last = max(last, int64(samples[i].At[n-1]))
		}
	}
	for _, tl := range timelines {
		for _, k := range event.Way() {
			if _, latest, n := tl.Bounds(k); n > 0 {
				last = max(last, latest)
			}
		}
	}
	return last
}

// blindWarnings tells when nodes were not observed.
func blindWarnings(tr *traces.Trace) []Warning {
	type where struct{ channel, when string }
	var order []where
	nodes := map[where][]string{}
	for i := range tr.Samples {
		s := &tr.Samples[i]
		if s.Name != traces.SeriesObserving {
			continue
		}
		spans := merge(lostSpans(s, lastInstant(tr.Samples, tr.Timelines...)))
		if len(spans) == 0 {
			continue
		}
		const named = 3
		var when []string
		for _, lost := range spans[:min(named, len(spans))] {
			when = append(when, FormatSpan(lost))
		}
		if more := len(spans) - named; more > 0 {
			when = append(when, fmt.Sprintf("%d more (%s in all)", more, ApproxDuration(totalLength(spans))))
		}
		at := where{s.Channel, enumerate(when)}
		if nodes[at] == nil {
			order = append(order, at)
		}
		nodes[at] = append(nodes[at], s.Node)
	}
	warnings := make([]Warning, len(order))
	for i, at := range order {
		were := " was"
		if slices.Sort(nodes[at]); len(nodes[at]) > 1 {
			were = " were"
		}
		warnings[i] = Warning{at.channel, enumerate(nodes[at]) + were + " not observed at " + at.when +
			", since the trace's start: blocks of that time lack times from there"}
	}
	return warnings
}

// FormatSpan writes a span in seconds: 12.3–15.1 s; an instant as 12.312 s.
func FormatSpan(s Span) string {
	decimals := 1
	if s.Length() < 1e9 {
		decimals = 3
	}
	write := func(ns int64) string {
		return strings.Replace(fmt.Sprintf("%.*f", decimals, seconds(ns)), "-", "−", 1)
	}
	if s.Length() == 0 {
		return write(s.From) + " s"
	}
	return write(s.From) + "–" + write(s.To) + " s"
}
