package merge

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// ErrClocks is the error for traces without a common block that would show whether their
// clocks agree. Config.TrustClocks allows them.
var ErrClocks = errors.New("no block has a time of the same kind in an earlier trace, so the clocks cannot be compared")

// checkClock checks that the times of in, shifted, are on the clock of the traces before it.
// Traces that begin at the same nanosecond are from one recorder. For others the times of
// the same blocks must show it.
func (m *merger) checkClock(in Input, shift time.Duration) error {
	if !in.Trace.Base.IsZero() && slices.ContainsFunc(m.bases, in.Trace.Base.Equal) {
		return nil
	}
	if !m.anyStream(in.Trace) {
		return fmt.Errorf("%s: it has the streams %s, and none of the earlier traces' %s",
			in.Name, streamNames(in.Trace.Streams), streamNames(m.out.Streams))
	}
	differences := m.differences(in.Trace, shift)
	if len(differences) == 0 {
		if m.cfg.TrustClocks && !in.Trace.Base.IsZero() {
			m.note(-1, traces.NoteWarning, "%s was merged with %s although no block shows that their clocks agree", in.Name, m.first)
			return nil
		}
		return fmt.Errorf("%s: %w", in.Name, ErrClocks)
	}
	slices.Sort(differences)
	median := differences[len(differences)/2]
	if median.Abs() > m.cfg.Tolerance {
		return fmt.Errorf("%s: its times are %v later than those of the same blocks in earlier traces (median of %d), which is more than %v: the clocks differ, or it is another run",
			in.Name, median, len(differences), m.cfg.Tolerance)
	}
	m.note(-1, traces.NoteFact, "the times of %s and those of the same blocks in %s are %v apart in the median, %v to %v, in %d comparisons",
		in.Name, m.first, median, differences[0], differences[len(differences)-1], len(differences))
	return nil
}

func (m *merger) anyStream(t *traces.Trace) bool {
	return slices.ContainsFunc(t.Streams, func(s traces.Stream) bool { return m.find(s) >= 0 })
}

func streamNames(all []traces.Stream) (names []string) {
	for i, s := range all {
		if i == 5 {
			return append(names, fmt.Sprintf("and %d more", len(all)-i))
		}
		names = append(names, s.Name())
	}
	return names
}

// maxDifferences bounds the comparisons.
const maxDifferences = 1 << 16

// differences returns by how much the times of t, shifted, are later than those of the same
// blocks in the traces before it.
func (m *merger) differences(t *traces.Trace, shift time.Duration) (all []time.Duration) {
	for _, b := range t.Timelines {
		at := m.find(b.Stream)
		if at < 0 {
			continue
		}
		a := m.out.Timelines[at]
		for k := range event.Kind(event.NumKinds) {
			if !k.IsTime() || a.Column(k) == nil || b.Column(k) == nil {
				continue
			}
			for i, v := range b.Column(k) {
				n := b.Block(i)
				if v == event.Missing || n < a.First || n >= a.Block(a.Len()) || len(all) == maxDifferences {
					continue
				}
				if have := a.Value(k, int(n-a.First)); have != event.Missing {
					all = append(all, time.Duration(v)+shift-time.Duration(have))
				}
			}
		}
	}
	return all
}
