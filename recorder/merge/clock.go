package merge

import (
	"fmt"
	"slices"
	"time"

	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// agree holds that the times of in, shifted, are by the clock of the traces before it.
// Traces with the same beginning, to the nanosecond, are of one recorder. Others must show
// it by the times of the same blocks.
func (m *merger) agree(in Input, shift time.Duration) error {
	if !in.Trace.Base.IsZero() && slices.ContainsFunc(m.bases, in.Trace.Base.Equal) {
		return nil
	}
	if !m.anyStream(in.Trace) {
		return fmt.Errorf("%s has no stream of the traces before it: they have %s, it has %s",
			in.Name, streamNames(m.out.Streams), streamNames(in.Trace.Streams))
	}
	apart := m.apart(in.Trace, shift)
	if len(apart) == 0 {
		if m.cfg.TrustClocks && !in.Trace.Base.IsZero() {
			m.note(-1, traces.NoteWarning, "nothing shows that the clocks of %s and %s agree: they were trusted to", m.first, in.Name)
			return nil
		}
		return fmt.Errorf("no block has a time of the same kind in %s and in a trace before it: nothing shows that their clocks agree", in.Name)
	}
	slices.Sort(apart)
	median := apart[len(apart)/2]
	if median.Abs() > m.cfg.Tolerance {
		return fmt.Errorf("the times of %s are %v later than those of the same blocks before (median of %d): the clocks do not agree within %v, or it is another run",
			in.Name, median, len(apart), m.cfg.Tolerance)
	}
	m.note(-1, traces.NoteFact, "the times of %s and those of the same blocks in %s are %v apart in the median, %v to %v, in %d comparisons; those of the latter were kept",
		in.Name, m.first, median, apart[0], apart[len(apart)-1], len(apart))
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

// maxApart bounds the comparisons.
const maxApart = 1 << 16

// apart gives by how much the times of t, shifted, are later than those of the same
// blocks that there are already.
func (m *merger) apart(t *traces.Trace, shift time.Duration) (all []time.Duration) {
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
				if v == event.Missing || n < a.First || n >= a.Block(a.Len()) || len(all) == maxApart {
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
