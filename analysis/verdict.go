package analysis

import "fmt"

// Bottleneck names what limits a stream.
type Bottleneck string

const (
	// BottleneckUnknown: the trace does not tell.
	BottleneckUnknown Bottleneck = "unknown"
	// BottleneckCommitter: validation and commit take all the time there is.
	BottleneckCommitter Bottleneck = "committer"
	// BottleneckBuffer: the committer starves behind a shut door.
	BottleneckBuffer Bottleneck = "buffer"
	// BottleneckDelivery: the committer starves although the door is open.
	BottleneckDelivery Bottleneck = "delivery"
	// BottleneckOrderer: the peer keeps up with what is offered.
	BottleneckOrderer Bottleneck = "orderer"
)

// What a verdict calls small. Two runs of one setting on one machine differ by 2 to
// 11 % in makespan, so that a smaller gain could not be measured.
const (
	verdictMinBlocks = 10
	smallGain        = 0.02 // of the makespan, by a larger buffer
	smallSpeedup     = 0.05 // of the makespan, by validation and commit twice as fast
	mostlyOpen       = 0.1  // share of the starved time during which a block stood at the door
	lateStart        = 0.1  // of the makespan, before the first pop
	mostlyBusy       = 0.9  // of the time: the committer's work, not what it waits for, sets the pace
)

const skewVerdict = "unknown: blocks are committed up to %s before they are offered: %s"

// verdict says what limits the stream, with a bound on what could be won.
func verdict(s *StreamStats) (Bottleneck, string) {
	makespan, ok := s.Makespan.Get()
	switch {
	case s.Blocks == 0:
		return BottleneckUnknown, "unknown: no block was committed"
	case !ok:
		return BottleneckUnknown, "unknown: without offered times it is not known whether the committer ever waited"
	case s.ClockSkew.Known():
		return BottleneckUnknown, fmt.Sprintf(skewVerdict,
			FormatDuration(s.ClockSkew.Or(0)), skewHint)
	case !s.Busy.Known():
		kind, text := s.judgeSampled()
		s.FromSamples = kind != BottleneckUnknown
		return kind, text
	case s.Blocks < verdictMinBlocks:
		return BottleneckUnknown, fmt.Sprintf("unknown: %s committed, too few to tell", FormatBlocks(s.Blocks))
	case makespan <= 0:
		return BottleneckUnknown, "unknown: the last commit is not after the first offer, the clocks must differ"
	}
	if n, ok := s.CutBacklog.Get(); ok {
		before := s.BeforeCut.Or(0)
		kind, text := s.judge(before)
		return kind, fmt.Sprintf("the peer was still busy with %s from before the cut for the first %s; from then on %s",
			FormatBlocks(n), ApproxDuration(before), text)
	}
	late := s.Late.Or(0)
	if share(late, makespan) <= lateStart {
		return s.judge(0)
	}
	kind, text := s.judge(late)
	return kind, fmt.Sprintf("the peer took its first block %s after it was offered; from then on %s", ApproxDuration(late), text)
}

// judge says what limits the stream in the time after the first skip ns of its
// makespan. What could be won is not said while blocks are uncommitted.
func (s *StreamStats) judge(skip int64) (Bottleneck, string) {
	makespan := s.Makespan.Or(0)
	span := makespan - skip
	starved, busy := s.Starved.Or(0), s.Busy.Or(0)
	won, faster := makespan-s.IdealBuffer.Or(0), s.FasterCommit.Or(0)
	if share(won, span) > smallGain && share(starved, span) > smallGain && share(busy, span) < mostlyBusy {
		hungry := fmt.Sprintf("the committer starved %s of the time", FormatShare(share(starved, span)))
		if busy > starved {
			hungry = fmt.Sprintf("the committer was busy %s of the time and starved %s", FormatShare(share(busy, span)), FormatShare(share(starved, span)))
		}
		kind, text := s.judgeStarving(hungry)
		switch {
		case s.UncommittedBlocks > 0:
			text += s.toCome(span)
		case kind == BottleneckBuffer:
			text += ": a larger buffer " + s.cut("could", s.IdealBuffer.Or(0))
		}
		return kind, text
	}
	worked := fmt.Sprintf("the committer was busy %s of the time", FormatShare(share(busy, span)))
	if share(starved, span) > smallGain {
		worked += fmt.Sprintf(" and starved %s", FormatShare(share(starved, span)))
		if s.StarvedOpen() {
			worked += " although the door was open"
		}
	}
	if s.StarvedOpen() {
		won = 0
	}
	committing := share(makespan-faster, span) > smallSpeedup
	switch {
	case committing && s.UncommittedBlocks > 0:
		return BottleneckCommitter, worked + ": validation and commit set the pace, not the buffer" + s.toCome(span)
	case committing:
		return BottleneckCommitter, fmt.Sprintf("%s: a larger buffer wins %s; validation and commit twice as fast %s%s",
			worked, orNothing(won, makespan-s.BeforeCut.Or(0)), s.cut("would", faster), s.growth())
	case s.UncommittedBlocks > 0 && s.Gap.Final > max(2, s.MaxGap.Or(0)/2):
		return BottleneckUnknown, "unknown: until its last commit " + worked + s.toCome(span)
	}
	text := fmt.Sprintf("the peer kept up: it was never more than %s behind, and %s; the orderer's arrivals set the pace",
		FormatBlocks(s.MaxGap.Or(0)), worked)
	if spare := s.ServiceRate.Or(0) / max(s.OfferedRate.Or(0), 1e-9); spare > 1.1 && s.OfferedRate.Known() {
		text += fmt.Sprintf(", and the committer could take about %s times their rate", FormatNumber(spare))
	}
	if s.UncommittedBlocks > 0 {
		text += s.toCome(span)
	}
	return BottleneckOrderer, text
}

// cut says to what the makespan could be cut, or after a cut inside a backlog what the
// trace tells of it.
func (s *StreamStats) cut(could string, best int64) string {
	what, makespan, before := "the makespan", s.Makespan.Or(0), s.BeforeCut.Or(0)
	if s.CutBacklog.Known() {
		what = "the time from then on"
	}
	return fmt.Sprintf("%s cut %s from %s to at best %s", could, what, ApproxDuration(makespan-before), ApproxDuration(best-before))
}

// growth says how fast a saturated committer falls behind.
func (s *StreamStats) growth() string {
	offered, served := s.OfferedRate.Or(0), s.ServiceRate.Or(0)
	if grow := offered - served; grow > 0.02*offered {
		return fmt.Sprintf("; at %s blocks/s offered and %s blocks/s committed the gap grows by %s blocks/s",
			FormatNumber(offered), FormatNumber(served), FormatNumber(grow))
	}
	return ""
}

// toCome says how many blocks were uncommitted at the end of a run, and the rates up
// to there; the blocks were committed within span ns.
func (s *StreamStats) toCome(span int64) string {
	text := fmt.Sprintf("; %s offered but not committed when the peer's data end", wereBlocks(s.UncommittedBlocks))
	if s.OfferedRate.Known() && span > 0 {
		text += fmt.Sprintf(", at %s blocks/s offered and %s blocks/s committed",
			FormatNumber(s.OfferedRate.Or(0)), FormatNumber(float64(s.Blocks)/seconds(span)))
	}
	return text
}

// wereBlocks begins a sentence: 1 block was, 12 blocks were.
func wereBlocks(n int64) string {
	if n == 1 {
		return FormatBlocks(n) + " was"
	}
	return FormatBlocks(n) + " were"
}

// judgeStarving tells a buffer that is too small from a delivery that is too slow.
func (s *StreamStats) judgeStarving(hungry string) (Bottleneck, string) {
	buffer := "the buffer"
	if n, ok := s.Buffer.Get(); ok {
		buffer = fmt.Sprintf("a buffer of N = %d", n)
	}
	if s.StarvedOpen() {
		return BottleneckDelivery, fmt.Sprintf(
			"%s although the door of %s was open: the link or the peer's intake is too slow, and a larger buffer wins nothing", hungry, buffer)
	}
	if !s.StarvedAtDoor.Known() {
		return BottleneckBuffer, fmt.Sprintf("%s with %s (the trace does not tell a shut door from a slow delivery)", hungry, buffer)
	}
	return BottleneckBuffer, fmt.Sprintf("%s behind %s", hungry, buffer)
}

// StarvedOpen reports whether the committer starved with the door open, as far as the trace
// tells: no larger buffer wins that back.
func (s *StreamStats) StarvedOpen() bool {
	atDoor, known := s.StarvedAtDoor.Get()
	starved := s.Starved.Or(0)
	return known && starved > 0 && share(atDoor, starved) < mostlyOpen
}

// orNothing writes a gain of the makespan, or that there is none worth a word.
func orNothing(gain, makespan int64) string {
	if share(gain, makespan) < 0.001 {
		return "nothing"
	}
	return "at most " + FormatShare(share(gain, makespan))
}

func share(part, whole int64) float64 {
	if whole <= 0 {
		return 0
	}
	return float64(part) / float64(whole)
}
