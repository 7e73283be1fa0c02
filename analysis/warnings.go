package analysis

import (
	"errors"
	"fmt"

	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// fewBlocks is the number of blocks below which a 99th percentile is the maximum.
const fewBlocks = 100

// traceWarnings tells what weakens all figures of a trace.
func traceWarnings(tr *traces.Trace) []Warning {
	warnings := []Warning{}
	warn := func(stream, text string) { warnings = append(warnings, Warning{stream, text}) }
	switch l := tr.Loss; {
	case l == nil:
	case l.Bytes == 0 && errors.Is(l.Cause, traces.ErrTruncated):
		warn("", "the trace's end is missing (it was not closed): up to about a second of events before it may be lost")
	default:
		warn("", fmt.Sprintf(
			"the trace was cut short: its last %s, from offset %s on, could not be read (%v)",
			FormatBytes(l.Bytes), FormatCount(l.Offset), l.Cause))
	}
	for _, n := range tr.Notes {
		stream := ""
		if n.Stream >= 0 && n.Stream < len(tr.Streams) && len(tr.Streams) > 1 {
			stream = tr.Streams[n.Stream].Name()
		}
		switch n.Kind {
		case traces.NoteWarning:
			warn(stream, n.Text)
		case traces.NoteDropped:
			if n.Text != "0" {
				warn(stream, "the recorder dropped "+n.Text+" events: it could not keep up")
			}
		case traces.NoteDroppedSamples:
			warn("", "the recorder dropped "+n.Text+" samples: it could not keep up")
		}
	}
	warnings = append(warnings, blindWarnings(tr)...)
	if len(tr.Timelines) == 0 {
		warn("", "the trace holds no streams")
	}
	return warnings
}

// streamWarnings tells what weakens the figures of one stream; its name is said
// when the trace has several.
func streamWarnings(tl *traces.Timeline, oneClock, named bool) []Warning {
	var warnings []Warning
	stream := ""
	if named {
		stream = tl.Name()
	}
	warn := func(format string, args ...any) {
		warnings = append(warnings, Warning{stream, fmt.Sprintf(format, args...)})
	}
	committed := tl.Observed(event.Committed)
	if committed == 0 {
		warn("no block was committed")
	} else if committed < fewBlocks {
		warn("%s committed: the high percentiles are single blocks", "only "+FormatBlocks(int64(committed)))
	}
	for _, k := range []event.Kind{event.Offered, event.Dequeued, event.Validated} {
		switch n := without(tl, k); {
		case n == 0:
		case k == event.Validated && tl.Observed(event.Dequeued) == 0 && tl.Observed(k) == 0: // said of the pops
		case tl.Observed(k) == 0:
			warn("no %s times: %s not known; %s", k, withoutKind[k], k.Source())
		default:
			warn("%s of %s lack %s times", FormatCount(int64(n)), FormatBlocks(int64(committed))+" committed", k)
		}
	}
	if early, most := before(tl); early > 0 {
		cause := "the clocks of orderer and peer differ"
		if oneClock {
			cause = "the recorder heard of the commit first"
		}
		warn("commit before offer in %s, by up to %s: %s, and the latency is off by at least that",
			FormatBlocks(int64(early)), FormatDuration(most), cause)
	}
	if open := uncommitted(tl); open > 0 && committed > 0 {
		text := "no commit within the trace of %s offered: the latency leaves them out"
		_, last, _ := tl.Bounds(event.Offered)
		if end := horizon(tl); last > end {
			text += fmt.Sprintf("; the peer's data end %s before the last offer, and with them the heights and their gap", FormatDuration(last-end))
		}
		warn(text, FormatBlocks(int64(open)))
	}
	if holes := holes(tl); holes > 0 {
		warn("holes: neither offer nor commit was seen of %s", FormatBlocks(int64(holes)))
	}
	if r, ok := tl.Settings.Int(traces.SettingResolution); ok && committed > 0 {
		service := NewTally(durations(tl, event.Dequeued, event.Committed))
		if service.Len() > 0 && 10*r > service.Percentile(50) {
			warn("times have a resolution of %s and the median block takes %s from pop to commit: the parts of the latency are rounded",
				FormatDuration(r), FormatDuration(service.Percentile(50)))
		}
	}
	return warnings
}

// withoutKind names what is not known without the times of a kind.
var withoutKind = map[event.Kind]string{
	event.Offered:   "height gap, latency and makespan are",
	event.Dequeued:  "the committer's busy and starved time, and the share of validation in it, are",
	event.Validated: "the share of validation in the commit is",
}

// without counts the committed blocks of which k was not observed.
func without(tl *traces.Timeline, k event.Kind) int { return onlyIn(tl, event.Committed, k) }

// uncommitted counts the offered blocks that were not committed.
func uncommitted(tl *traces.Timeline) int { return onlyIn(tl, event.Offered, event.Committed) }

// onlyIn counts the blocks of which one kind was observed and another one was not.
func onlyIn(tl *traces.Timeline, k, other event.Kind) (n int) {
	if tl.Observed(other) == tl.Len() {
		return 0
	}
	for _, w := range tl.Windows(k, other) {
		for i, v := range w[0] {
			if v != event.Missing && w[1][i] == event.Missing {
				n++
			}
		}
	}
	return n
}

// before counts the blocks that were committed before they were offered, and by how many ns at
// most.
func before(tl *traces.Timeline) (n int, most int64) {
	for _, w := range tl.Windows(event.Offered, event.Committed) {
		for i, done := range w[1] {
			if offered := w[0][i]; done < offered && done != event.Missing {
				n++
				most = max(most, offered-done)
			}
		}
	}
	return n, most
}

// holes counts the blocks that were neither offered nor committed, behind the first that
// was.
func holes(tl *traces.Timeline) int {
	seen := tl.Observed(event.Offered) + onlyIn(tl, event.Committed, event.Offered)
	return tl.Len() - seen - unseenFirst(tl)
}
