package replay

import (
	"fmt"
	"time"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/replay/block"
	"github.com/blockreel/blockreel/replay/ledger"
	"github.com/blockreel/blockreel/traces/event"
)

// services fills in what each block cost the committer.
func (m *Model) services() {
	tl := m.Measured
	m.Times, m.told = make([]ledger.Times, tl.Len()), make([]uint8, tl.Len())
	if tl.Observed(event.Dequeued) == 0 {
		m.servicesBetweenCommits()
		return
	}
	var known, unvalidated []int
	backwards := 0
	for i := range m.Times {
		popped, done := tl.Value(event.Dequeued, i), tl.Value(event.Committed, i)
		if popped == event.Missing || done == event.Missing {
			continue
		}
		if done < popped {
			backwards++
		}
		validated := tl.Value(event.Validated, i)
		if validated == event.Missing {
			validated = popped
			unvalidated = append(unvalidated, i)
		}
		validated = min(max(validated, popped), max(done, popped))
		m.Times[i] = ledger.Times{
			Validate: bounded(validated - popped),
			Commit:   bounded(done - validated),
		}
		m.Times[i].Stages, m.told[i] = stages(tl.Value, i)
		known = append(known, i)
	}
	if backwards > 0 {
		m.warn("%s committed before the pop, as the lines of the log have it; such a service is taken as zero", analysis.FormatBlocks(int64(backwards)))
	}
	m.splitServices(known, unvalidated)
	m.fillTimes(known)
}

// splitServices tells validation from commit in those of the known blocks of which the trace
// does not tell when they were validated: it took as long as the median of the others.
func (m *Model) splitServices(known, unvalidated []int) {
	if m.unvalidated = len(unvalidated) == len(known); m.unvalidated || len(unvalidated) == 0 {
		return
	}
	var others []int64
	next := 0
	for _, i := range known {
		if next < len(unvalidated) && unvalidated[next] == i {
			next++
			continue
		}
		others = append(others, int64(m.Times[i].Validate))
	}
	typical := time.Duration(median(others))
	for _, i := range unvalidated {
		t := &m.Times[i]
		t.Validate = min(typical, max(t.Commit-t.Stages.Total(), 0))
		t.Commit -= t.Validate
	}
	m.warn("%d of %d blocks have no validated time; each is taken as validated in the median time of the others", len(unvalidated), len(known))
}

// noValidation says of a trace that does not tell validation from commit what is missing when
// its blocks are made up.
func (m *Model) noValidation() []string {
	if !m.unvalidated {
		return nil
	}
	return []string{"the trace does not tell when its blocks were validated, and in made-up ones there is nothing to validate: validation takes no time here, and a peer is slower by it"}
}

// servicesBetweenCommits takes the time between two commits as the service, where
// the trace tells nothing else: too long whenever the committer waited for a block.
func (m *Model) servicesBetweenCommits() {
	tl := m.Measured
	m.unvalidated = true
	var known []int
	last := int64(event.Missing)
	for i := range m.Times {
		done := tl.Value(event.Committed, i)
		if done == event.Missing {
			continue
		}
		m.Times[i].Commit = bounded(done - max(last, m.Blocks.Offered[i]))
		last = max(last, done)
		known = append(known, i)
	}
	m.warn("the trace has no dequeued times: the time between two commits is taken as the service, so that waiting for a block counts as work and a larger buffer seems to win nothing")
	m.fillTimes(known)
}

// fillTimes gives blocks without a known service the median one.
func (m *Model) fillTimes(known []int) {
	if len(known) == len(m.Times) || len(known) == 0 {
		return
	}
	validate, commit := make([]int64, len(known)), make([]int64, len(known))
	for k, i := range known {
		validate[k], commit[k] = int64(m.Times[i].Validate), int64(m.Times[i].Commit)
	}
	typical := ledger.Times{Validate: time.Duration(median(validate)), Commit: time.Duration(median(commit))}
	next := 0
	for i := range m.Times {
		if next < len(known) && known[next] == i {
			next++
			continue
		}
		m.Times[i] = typical
	}
	m.warn("%d of %d blocks have no recorded service time; each is given the median", len(m.Times)-len(known), len(m.Times))
}

// stageParts are the parts of a commit.
var stageParts = [...]struct {
	kind event.Kind
	of   func(*block.Stages) *time.Duration
}{
	{event.StateValidation, func(s *block.Stages) *time.Duration { return &s.StateValidation }},
	{event.BlockStore, func(s *block.Stages) *time.Duration { return &s.BlockStore }},
	{event.StateCommit, func(s *block.Stages) *time.Duration { return &s.StateCommit }},
	{event.HistoryCommit, func(s *block.Stages) *time.Duration { return &s.HistoryCommit }},
}

// stages reads the parts of the commit of block i, and which of them are there: a bit each.
func stages(value func(event.Kind, int) int64, i int) (s block.Stages, told uint8) {
	for p, part := range stageParts {
		if v := value(part.kind, i); v != event.Missing {
			*part.of(&s) = bounded(v)
			told |= 1 << p
		}
	}
	return s, told
}

// tells reports whether part p of the commit of block i is known.
func (m *Model) tells(i, p int) bool { return m.told == nil || m.told[i]&(1<<p) != 0 }

// TakeServices gives the model the services of another: those of the block of the
// same number where both have it, else of the block at the same place.
func (m *Model) TakeServices(from *Model) error {
	n := m.Len()
	offset := 0
	if lo, hi := m.First, m.First+event.BlockNum(n); lo >= from.First && hi <= from.First+event.BlockNum(from.Len()) {
		offset = int(lo - from.First)
	} else if from.Len() >= n {
		m.warn("the trace with the services does not have all of the blocks %d to %d: its first %d are taken instead, by place", lo, hi-1, n)
	} else {
		return fmt.Errorf("stream %s: services are needed of %s, and the other trace has those of %d: cut with --from and --to",
			m.Stream.Name(), analysis.FormatBlocks(int64(n)), from.Len())
	}
	m.Times, m.Turnaround = from.Times[offset:offset+n], from.Turnaround[offset:offset+n]
	m.told, m.unvalidated = from.told[offset:offset+n], from.unvalidated
	m.Exact = false
	m.fact("services of blocks %d to %d of %s", from.First+event.BlockNum(offset), from.First+event.BlockNum(offset+n-1), from.Stream.Name())
	for _, w := range from.Warnings {
		m.warn("services: %s", w)
	}
	return nil
}

// scaled returns the model's services with each part scaled: its own Times, not to be
// written to, when none is.
func (m *Model) scaled(scale ledger.Scale) []ledger.Times {
	if scale == ledger.Unscaled() {
		return m.Times
	}
	times := make([]ledger.Times, m.Len())
	for i, t := range m.Times {
		times[i] = scale.Apply(t)
	}
	return times
}

// maxService bounds what one block may take, whatever a hostile trace says.
const maxService = 24 * time.Hour

func bounded(ns int64) time.Duration { return min(max(time.Duration(ns), 0), maxService) }

// observed returns the values of a column that are there.
func observed(column []int64) []int64 {
	values := make([]int64, len(column))[:0]
	for _, v := range column {
		if v != event.Missing {
			values = append(values, v)
		}
	}
	return values
}

// median is the middle one of values; 0 of none.
func median(values []int64) int64 {
	if len(values) == 0 {
		return 0
	}
	return analysis.Percentile(values, 50)
}

// mean of values; 0 of none.
func mean(values []int64) int64 {
	if len(values) == 0 {
		return 0
	}
	sum := 0.0
	for _, v := range values {
		sum += float64(v)
	}
	return int64(sum / float64(len(values)))
}
