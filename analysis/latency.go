package analysis

import (
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// A Part is the time that blocks spend between two instants of their way.
type Part struct {
	// Name says where the blocks are meanwhile: "buffer", or "orderer, link,
	// intake, door and buffer" when the instants between were not observed.
	Name string     `json:"name"`
	From event.Kind `json:"-"`
	To   event.Kind `json:"-"`
	// Duration is in ns, of the committed blocks of which both instants were observed;
	// when the parts begin with the offer, of those whose offer was observed, as the
	// delivery latency is.
	Duration *Quantiles `json:"duration_ns"`
}

// PartsOf returns the parts, without durations, into which the delivery latency of
// tl can be divided: from each observed kind of instant to the next. A kind counts
// as observed when at least nine committed blocks in ten have it.
func PartsOf(tl *traces.Timeline) []Part {
	var parts []Part
	var names []string
	from, started := event.Offered, false
	committed := tl.Observed(event.Committed)
	for _, k := range event.Way() {
		if k != event.Offered {
			names = append(names, k.Wait())
		}
		if k == event.Sent && !knowsSent(tl) {
			continue
		}
		if committed == 0 || 10*without(tl, k) > committed {
			continue
		}
		if started {
			parts = append(parts, Part{Name: enumerate(names), From: from, To: k})
		}
		from, started, names = k, true, nil
	}
	return parts
}

// knowsSent reports whether the sent times of tl mean something. The window of a
// link is in bytes: a replay, which names its ledger, of blocks without sizes lets
// every block leave the orderer at once, and all waiting would look like a slow link.
func knowsSent(tl *traces.Timeline) bool {
	return tl.Settings[traces.SettingLedger] == "" || tl.Observed(event.Bytes) > 0
}

// enumerate joins names as a sentence does: "a, b and c".
func enumerate(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " and " + names[last]
}

// A SkewError says that blocks are committed before they are offered, so that no
// latency can be told.
type SkewError struct {
	Stream string // name of the stream
	Blocks int    // number of such blocks
	Most   int64  // by how many ns at most
}

func (e *SkewError) Error() string {
	return fmt.Sprintf("delivery latency of stream %s: commit before offer in %s, by up to %s: %s",
		e.Stream, FormatBlocks(int64(e.Blocks)), FormatDuration(e.Most), skewHint)
}

// sourceFabric is the source of a trace whose times are all of the recorder's clock.
const sourceFabric = "fabric"

// What to do about commits before their offers: where the trace may be of the nodes' logs,
// and where all times are one recorder's.
const (
	skewHint     = "the clocks of orderer and peer differ, or one was heard late; of logs, correct that first, by recording them with --clock-offset or --fix-clock-skew"
	oneClockHint = "the recorder, whose clock all times are of, heard of the offers too late: record nearer to the orderer, or on a less busy machine"
)

// checkClocks returns a *SkewError when commits lie before offers by more than the
// resolution of the times.
func checkClocks(tl *traces.Timeline, latency *Tally) error {
	n, least := latency.Negative()
	return skewError(tl, n, -least)
}

func skewError(tl *traces.Timeline, blocks int, most int64) error {
	if resolution, _ := tl.Settings.Int(traces.SettingResolution); most > max(resolution, 0) {
		return &SkewError{Stream: tl.Name(), Blocks: blocks, Most: most}
	}
	return nil
}

// Latency returns the delivery latency in ns, committed − offered, of the blocks of
// which both were observed; or a *MissingError or *SkewError.
func Latency(tl *traces.Timeline) (*Tally, error) {
	if err := require(tl, "delivery latency", event.Offered, event.Committed); err != nil {
		return nil, err
	}
	t := latencies(tl)
	if err := checkClocks(tl, t); err != nil {
		return nil, err
	}
	return t, nil
}

func latencies(tl *traces.Timeline) *Tally {
	return NewTally(durations(tl, event.Offered, event.Committed))
}

// durations returns the time between two instants of the blocks that have both, and a value of
// each of the kinds with.
func durations(tl *traces.Timeline, from, to event.Kind, with ...event.Kind) iter.Seq[[]int64] {
	kinds := append([]event.Kind{from, to}, with...)
	slices.Sort(kinds[2:])
	kinds = append(kinds[:2], slices.DeleteFunc(slices.Compact(kinds[2:]), func(k event.Kind) bool {
		return k == from || k == to || tl.Observed(k) == tl.Len()
	})...)
	whole := len(kinds) == 2 && tl.Observed(from) == tl.Len() && tl.Observed(to) == tl.Len()
	return func(yield func([]int64) bool) {
		var took []int64
		for _, w := range tl.Windows(kinds...) {
			took = took[:0]
			start, end := w[0], w[1]
			if whole {
				for i, v := range end {
					took = append(took, v-start[i])
				}
			} else {
			next:
				for i, v := range end {
					for _, c := range w {
						if c[i] == event.Missing {
							continue next
						}
					}
					took = append(took, v-start[i])
				}
			}
			if !yield(took) {
				return
			}
		}
	}
}
