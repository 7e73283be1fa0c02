package replay

import (
	"fmt"
	"time"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/replay/pipeline"
	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

const (
	// enough is the number of observations from which a parameter is measured.
	enough = 20
	// pollLateness is what a poll of Fabric's 100 ms takes on top where the trace does
	// not show it. The recorded runs of 2.5 on two busy cores are reproduced by 2.6 to
	// 5 ms: timers fire late, and the woken goroutine waits for a core.
	pollLateness = 3 * time.Millisecond
	// defaultTransit is the way from the orderer's ledger into an idle peer's intake
	// where the trace does not show it: the median of the steady run of 2.5.
	defaultTransit = 2 * time.Millisecond
	// An idle time between two blocks of less than 1/stallPart of the poll is the
	// committer's turnaround, more is a wait for a block; one of over outagePolls
	// polls is not the buffer's doing: there was no stream.
	stallPart   = 20
	outagePolls = 2.5
)

// calibrate measures what the trace shows of turnaround, poll, intake, wake and
// transit, and fits the poll so that the replay keeps the pace of the trace. What the
// trace does not show stays as the preset has it.
func (m *Model) calibrate() {
	m.turnarounds()
	if m.wholeWay() {
		m.Config.Intake, m.Config.Wake = pipeline.Intake{}, 0
		m.fact("transit, intake and wake-up are part of the service: the trace does not tell them from it, and the identity error is small by construction")
	}
	preset := m.Config.Intake
	if m.Config.Policy.Retry > 0 {
		switch {
		case m.sees(event.AtDoor) && m.sees(event.Enqueued):
			m.measureDoor()
		default:
			m.measureRefills()
		}
	}
	if m.Config.Intake == preset && !m.wholeWay() {
		from := "of the preset assumed"
		if m.set {
			from = "as set"
		}
		m.fact("intake and wake-up "+from+": %v a block, %v more after a wait at the door; %v", round(preset.Fixed), round(preset.Resume), round(m.Config.Wake))
	}
	m.transits()
	m.fitPoll()
	if m.pollFact != "" {
		m.fact("%s", m.pollFact)
	}
}

// wholeWay reports whether the services, from the offer to the commit of blocks that did
// not wait for the one before, have the way to the peer in them already.
func (m *Model) wholeWay() bool {
	tl := m.Measured
	return tl.Observed(event.Dequeued) == 0 && !m.sees(event.AtDoor) && tl.Observed(event.Received) == 0
}

// sees reports whether nine tenths of the blocks have a time of kind k. It looks at all of
// them.
func (m *Model) sees(k event.Kind) bool {
	return 10*m.Measured.Observed(k) >= 9*m.Len()
}

// stall is the idle time from which the committer has waited for a block.
func (m *Model) stall() int64 {
	if r := int64(m.Config.Policy.Retry); r > 0 {
		return r / stallPart
	}
	return int64(pipeline.EnqueueRetry) / stallPart
}

// idle returns the time from the commit of block i−1 to the pop of block i, and
// whether both are known.
func (m *Model) idle(i int) (int64, bool) {
	if i == 0 {
		return 0, false
	}
	done, popped := m.Measured.Value(event.Committed, i-1), m.Measured.Value(event.Dequeued, i)
	if done == event.Missing || popped == event.Missing {
		return 0, false
	}
	return max(popped-done, 0), true
}

// turnarounds fills in the committer's turnaround after each block: seen where the
// next block was in the buffer already, the median of those elsewhere.
func (m *Model) turnarounds() {
	n := m.Len()
	m.Turnaround = make([]int64, n)
	var seen []int64
	for i := range n {
		if i+1 < n {
			if idle, ok := m.idle(i + 1); ok && idle < m.stall() && m.waiting(i+1) {
				m.Turnaround[i] = idle
				seen = append(seen, idle)
				continue
			}
		}
		m.Turnaround[i] = event.Missing
	}
	typical := median(seen)
	for i, t := range m.Turnaround {
		if t == event.Missing {
			m.Turnaround[i] = typical
		}
	}
}

// waiting reports whether block i was in the buffer when block i−1 was committed, as
// far as the trace tells.
func (m *Model) waiting(i int) bool {
	done := m.Measured.Value(event.Committed, i-1)
	if t := m.Measured.Value(event.Enqueued, i); t != event.Missing {
		return t <= done
	}
	return m.Blocks.Offered[i]+int64(defaultTransit) < done
}

// measureDoor takes poll, intake and wake from a trace that shows the door.
func (m *Model) measureDoor() {
	tl, retry := m.Measured, int64(m.Config.Policy.Retry)
	door, enqueued := tl.Column(event.AtDoor), tl.Column(event.Enqueued)
	var polls, intakes, wakes []int64
	for i := range m.Len() {
		if door[i] == event.Missing || enqueued[i] == event.Missing {
			continue
		}
		if wait := enqueued[i] - door[i]; wait > retry/2 {
			polls = append(polls, wait/max(1, wait/(retry-retry/100)))
		}
		if i == 0 || enqueued[i-1] == event.Missing {
			continue
		}
		switch came := tl.Value(event.Received, i); {
		case came != event.Missing:
			intakes = append(intakes, max(door[i]-max(came, enqueued[i-1]), 0))
		case m.Blocks.Offered[i]+int64(defaultTransit) < enqueued[i-1]:
			intakes = append(intakes, max(door[i]-enqueued[i-1], 0))
		}
		popped, done := tl.Value(event.Dequeued, i), tl.Value(event.Committed, i-1)
		if popped != event.Missing && done != event.Missing && done < enqueued[i] && popped > enqueued[i] {
			wakes = append(wakes, popped-enqueued[i])
		}
	}
	if len(polls) >= enough || m.set && len(polls) > 0 {
		m.Config.Policy.Retry = time.Duration(mean(polls))
		m.pollFact = fmt.Sprintf("poll %v: mean of %s at the door", round(m.Config.Policy.Retry), analysis.FormatCounted(int64(len(polls)), "wait"))
	} else {
		m.assumePoll()
	}
	if len(intakes) >= enough {
		n := len(intakes)
		m.Config.Intake = pipeline.Intake{Fixed: time.Duration(median(intakes))}
		m.fact("intake %v a block: median of %d", round(m.Config.Intake.Fixed), n)
	}
	if len(wakes) >= enough {
		n := len(wakes)
		m.Config.Wake = time.Duration(median(wakes))
		m.fact("wake-up of the committer %v: median of %d", round(m.Config.Wake), n)
	}
}

// measureRefills takes the intake from a trace that shows only pops: a committer that
// starves behind a shut door pops a block when the door has opened, and from one such
// pop to the next there is one poll and the intake of the blocks in between.
func (m *Model) measureRefills() {
	tl := m.Measured
	poll := int64(m.Config.Policy.Retry)
	var cycles, blocks []int64
	last := -1
	for i := range m.Len() {
		if !m.starved(i) {
			continue
		}
		if last >= 0 {
			cycle := tl.Value(event.Dequeued, i) - tl.Value(event.Dequeued, last)
			if cycle < poll*3/2 {
				cycles, blocks = append(cycles, cycle), append(blocks, int64(i-last))
			}
		}
		last = i
	}
	m.assumePoll()
	if len(cycles) < enough {
		return
	}
	n := len(cycles)
	each := max(median(cycles)-poll, 0) / max(median(blocks), 1)
	m.Config.Intake = pipeline.Intake{Fixed: time.Duration(each)}
	m.fact("intake %v a block: from %d refills behind a shut door", round(m.Config.Intake.Fixed), n)
}

// assumePoll makes the poll as late as it is on a busy machine, unless the trace's own
// settings have it.
func (m *Model) assumePoll() {
	if m.set {
		m.pollFact = fmt.Sprintf("poll %v as set: the trace shows no wait at the door", round(m.Config.Policy.Retry))
		return
	}
	rule := m.Config.Policy.Retry
	m.Config.Policy.Retry += pollLateness
	m.pollFact = fmt.Sprintf("poll assumed to take %v: %v by the rule, late as on a busy machine", round(m.Config.Policy.Retry), rule)
}

// starved reports whether the committer waited for block i although the orderer had
// it, for a time that the poll can explain.
func (m *Model) starved(i int) bool {
	idle, ok := m.idle(i)
	return ok && idle > 2*m.stall() && !m.outage(idle) &&
		m.Blocks.Offered[i]+int64(defaultTransit) < m.Measured.Value(event.Committed, i-1)
}

// outage reports whether the committer was idle for longer than any poll.
func (m *Model) outage(idle int64) bool {
	poll := max(int64(m.Config.Policy.Retry), int64(pipeline.EnqueueRetry))
	return float64(idle) > outagePolls*float64(poll)
}

// transits fills in how long each block was under way where nothing before it held it
// up; the median of those elsewhere. A stream that was down is a long transit of the
// first block after it.
func (m *Model) transits() {
	n := m.Len()
	transit := make([]int64, n)
	var usual []int64
	down := 0
	// Where every door is known, so is the way of a block that came to it behind others.
	doors := m.sees(event.AtDoor) && m.sees(event.Enqueued)
	opened := int64(event.Missing) // when the last block that had waited at the door got in
	for i := range n {
		if i > 0 {
			opened = max(opened, m.doorOpened(i-1))
		}
		idle, ok := m.idle(i)
		outage := ok && m.outage(idle) && m.starvedFor(i, idle)
		free := i == 0 || m.freeAt(i)
		queued := doors && m.Blocks.Offered[i] >= opened
		if !free && !outage && !queued {
			transit[i] = event.Missing
			continue
		}
		t, ok := m.transit(i)
		if !ok {
			transit[i] = event.Missing
			continue
		}
		transit[i] = t
		switch {
		case outage:
			down++
		case i > 0 && free:
			usual = append(usual, t)
		}
	}
	typical := int64(defaultTransit)
	if m.wholeWay() {
		typical = 0
	}
	if len(usual) >= enough {
		n := len(usual)
		typical = median(usual)
		m.fact("transit %v: median of %d blocks that found the pipeline empty", round(time.Duration(typical)), n)
	}
	for i, t := range transit {
		if t == event.Missing {
			transit[i] = typical
		}
	}
	if cut, _ := m.Stream.Settings.Int(traces.SettingCutBacklog); cut > 0 {
		m.warn("the first block waited %v for %s from before the cut; the replay keeps that wait, whatever the setting", round(time.Duration(transit[0])), analysis.FormatBlocks(cut))
	} else if late := transit[0]; late > int64(time.Second) {
		down++
	}
	if down > 0 {
		m.fact("stretches without a stream, which the replay keeps: %d", down)
	}
	m.Blocks.Transit = transit
}

// doorOpened is when block i got in after a wait at the door; missing if it did not wait.
func (m *Model) doorOpened(i int) int64 {
	door, in := m.Measured.Value(event.AtDoor, i), m.Measured.Value(event.Enqueued, i)
	if door == event.Missing || in == event.Missing || in-door < int64(m.Config.Policy.Retry)/2 {
		return event.Missing
	}
	return in
}

// starvedFor reports whether the orderer held block i during an idle time that ended
// with its pop.
func (m *Model) starvedFor(i int, idle int64) bool {
	return m.Measured.Value(event.Dequeued, i)-m.Blocks.Offered[i] > idle/2
}

// freeAt reports whether all that came before block i was out of its way when it was
// offered.
func (m *Model) freeAt(i int) bool {
	before := m.Measured.Value(event.Committed, i-1)
	if t := m.Measured.Value(event.Enqueued, i-1); t != event.Missing {
		before = t
	}
	return before != event.Missing && m.Blocks.Offered[i] >= before
}

// transit is the time from the offer of block i to its arrival at the intake, if
// nothing held it up; false when the trace has nothing to tell it from.
func (m *Model) transit(i int) (int64, bool) {
	tl, cost := m.Measured, int64(m.Config.Intake.Cost(m.bytes(i)))
	// What an intake took longer than usual, because its machine was busy, counts as a way
	// that was longer.
	arrived := tl.Value(event.AtDoor, i)
	if arrived != event.Missing {
		arrived -= cost
	} else if arrived = tl.Value(event.Received, i); arrived == event.Missing {
		if t := tl.Value(event.Dequeued, i); t != event.Missing {
			arrived = t - int64(m.Config.Wake) - cost
		}
	}
	if arrived == event.Missing {
		return 0, false
	}
	t := arrived - m.Blocks.Offered[i] - int64(m.Config.Link.Latency)
	return min(max(t, 0), int64(pipeline.MaxDuration)), true
}

func (m *Model) bytes(i int) int64 {
	if m.Blocks.Bytes == nil {
		return 0
	}
	return m.Blocks.Bytes[i]
}

// round makes a duration fit to be read.
func round(d time.Duration) time.Duration {
	switch {
	case d >= time.Second:
		return d.Round(10 * time.Millisecond)
	case d >= 10*time.Millisecond:
		return d.Round(100 * time.Microsecond)
	default:
		return d.Round(10 * time.Microsecond)
	}
}
