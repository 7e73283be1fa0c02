package replay

import (
	"fmt"
	"math"
	"time"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/replay/ledger"
	"github.com/blockreel/blockreel/replay/pipeline"
	"github.com/blockreel/blockreel/traces/event"
)

const (
	// fitShare of the makespan must be starved before the poll is fitted: otherwise
	// the trace does not show it.
	fitShare = 0.02
	// longestPoll is the longest that a fit may find.
	longestPoll = pipeline.EnqueueRetry * 115 / 100
	// fitSteps halve the range of the poll; 20 of them leave 15 ns.
	fitSteps = 20
	// never is the miss of a poll that cannot be.
	never = math.MaxInt64
)

// fitPoll chooses the poll such that the last block that starved behind the door is
// popped when it was in the trace. Timers and goroutines that are late make a poll of
// 100 ms last longer, by how much depends on the machine; a refill that lets in a
// block less, now and then, has the same effect on the pace.
func (m *Model) fitPoll() {
	policy := m.Config.Policy
	if policy.Retry == 0 {
		return
	}
	last, refills, total := -1, 0, int64(0)
	for i := range m.Len() {
		if m.starved(i) {
			idle, _ := m.idle(i)
			total += idle
			refills++
			last = i
		}
	}
	makespan := m.Measured.Value(event.Committed, m.Len()-1) - m.Blocks.Offered[0]
	if refills < enough || float64(total) < fitShare*float64(makespan) {
		return
	}
	target := m.Measured.Value(event.Dequeued, last)
	whole := m.blocks(ledger.Unscaled())
	blocks := whole.Part(0, last+1)
	missed := func(poll int64) int64 {
		cfg := m.Config
		cfg.Policy.Retry = time.Duration(poll)
		popped := int64(0)
		err := solve(cfg, blocks, func(_ int, out *pipeline.Columns) bool {
			popped = out.Dequeued[len(out.Dequeued)-1]
			return true
		})
		if err != nil {
			return never // what cannot be solved fits nothing
		}
		return popped - target
	}
	low, high := int64(pipeline.EnqueueRetry), int64(longestPoll)
	best, least := int64(policy.Retry), abs(missed(int64(policy.Retry)))
	for range fitSteps {
		poll := (low + high) / 2
		miss := missed(poll)
		if abs(miss) < least {
			best, least = poll, abs(miss)
		}
		if miss < 0 {
			low = poll
		} else {
			high = poll
		}
	}
	if least == never {
		return
	}
	m.Config.Policy.Retry = time.Duration(best)
	m.pollFact = fmt.Sprintf("poll %v: fitted to the pace of %s of a starved committer", round(m.Config.Policy.Retry), analysis.FormatCounted(int64(refills), "refill"))
	if float64(least) > fitShare*float64(makespan) {
		m.warn("no poll between 100 and 115 ms reproduces the pace of the trace: its peer does something that this model does not know")
	}
}

func abs(x int64) int64 { return max(x, -x) }

// tryExact takes the configuration of the trace at its word, and keeps it if its
// replay gives back the trace.
func (m *Model) tryExact() bool {
	tl, n := m.Measured, m.Len()
	for _, k := range []event.Kind{event.Sent, event.Received, event.Enqueued, event.Dequeued, event.Validated, event.Committed} {
		if tl.Observed(k) != n {
			return false
		}
	}
	m.exactTransits()
	m.exactTurnarounds()
	blocks := m.blocks(ledger.Unscaled())
	err := solve(m.Config, blocks, func(from int, out *pipeline.Columns) bool {
		for i, popped := range out.Dequeued {
			k := from + i
			if m.Exact = out.Received[i] == tl.Value(event.Received, k) && out.Enqueued[i] == tl.Value(event.Enqueued, k) &&
				popped == tl.Value(event.Dequeued, k) && popped+tail(m.Times[k]) == tl.Value(event.Committed, k); !m.Exact {
				return false
			}
		}
		return true
	})
	m.Exact = m.Exact && err == nil
	return m.Exact
}

// exactTransits takes the transit of a block from its receipt, where the receiver was
// waiting for it; elsewhere it arrived unseen, before the receiver had room.
func (m *Model) exactTransits() {
	tl := m.Measured
	received, enqueued := tl.Column(event.Received), tl.Column(event.Enqueued)
	m.Blocks.Transit = make([]int64, m.Len())
	for i := range m.Blocks.Transit {
		if i > 0 {
			room := enqueued[i-1]
			if m.Config.Hand > 0 { // the intake of the block before has begun
				if room = received[i-1]; i > 1 {
					room = max(room, enqueued[i-2])
				}
			}
			if received[i] == room {
				continue
			}
		}
		way := received[i] - tl.Value(event.Sent, i) - int64(m.Config.Link.Latency)
		m.Blocks.Transit[i] = min(max(way, 0), int64(pipeline.MaxDuration))
	}
}

// exactTurnarounds takes the turnaround from the next pop, unless the committer was
// asleep before it: then it was shorter than that, and nothing depends on it.
func (m *Model) exactTurnarounds() {
	tl := m.Measured
	m.Turnaround = make([]int64, m.Len())
	for i := range m.Len() - 1 {
		done, entered, popped := tl.Value(event.Committed, i), tl.Value(event.Enqueued, i+1), tl.Value(event.Dequeued, i+1)
		if entered > done && popped == entered+int64(m.Config.Wake) {
			continue
		}
		m.Turnaround[i] = int64(bounded(popped - done))
	}
}

// blocks returns the model's blocks with the services that scale makes of them, which are a
// column of their own.
func (m *Model) blocks(scale ledger.Scale) pipeline.Blocks {
	b := m.Blocks
	b.Service = make([]int64, m.Len())
	for i, t := range m.Times {
		b.Service[i] = tail(scale.Apply(t)) + at(m.Turnaround, i)
	}
	return b
}

// tail is the time from a block's pop to its commit.
func tail(t ledger.Times) int64 {
	return int64(bounded(int64(t.Validate)) + bounded(int64(t.Commit)))
}

// solved is the number of blocks that are solved at once.
const solved = 4096

// solve solves the blocks under cfg, window by window, until each returns false.
func solve(cfg pipeline.Config, b pipeline.Blocks, each func(from int, out *pipeline.Columns) bool) error {
	s, err := pipeline.NewSolver(cfg)
	if err != nil {
		return err
	}
	var out pipeline.Columns
	for from := 0; from < b.Len(); from += solved {
		if err := s.Next(b.Part(from, min(from+solved, b.Len())), &out); err != nil {
			return err
		}
		if !each(from, &out) {
			break
		}
	}
	return nil
}
