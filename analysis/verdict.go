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
	smallSpeedup     = 0.05 // of the makespan, by a commit twice as fast
	mostlyOpen       = 0.1  // share of the starved time during which a block stood at the door
	lateStart        = 0.1  // of the makespan, before the first pop
)

// verdict says what limits the stream, with a bound on what could be won.
func verdict(s *StreamStats) (Bottleneck, string) {
	makespan, ok := s.Makespan.Get()
	switch {
	case s.Blocks == 0:
		return BottleneckUnknown, "unknown: no block was committed"
	case !ok:
		return BottleneckUnknown, "unknown: without offered times it is not known whether the committer ever waited"
	case !s.Busy.Known():
		return BottleneckUnknown, "unknown: without dequeued times it is not known how long the committer was busy"
	case s.Blocks < verdictMinBlocks:
		return BottleneckUnknown, fmt.Sprintf("unknown: %d blocks are too few", s.Blocks)
	case makespan <= 0:
		return BottleneckUnknown, "unknown: the last commit is not after the first offer, the clocks must differ"
	}
	late := s.Late.Or(0)
	if share(late, makespan) <= lateStart {
		return s.judge(makespan, 0)
	}
	kind, text := s.judge(makespan, late)
	return kind, fmt.Sprintf("the peer took its first block %s after it was offered; from then on %s", ApproxDuration(late), text)
}

// judge says what limits the stream in the time after the first late ns of its
// makespan.
func (s *StreamStats) judge(makespan, late int64) (Bottleneck, string) {
	span := makespan - late
	starved, busy := s.Starved.Or(0), s.Busy.Or(0)
	won, faster := makespan-s.IdealBuffer.Or(0), s.FasterCommit.Or(0)
	if share(won, span) > smallGain && share(starved, span) > smallGain {
		return s.judgeStarving(makespan, fmt.Sprintf("the committer starved %s of the time", FormatShare(share(starved, span))))
	}
	worked := fmt.Sprintf("the committer was busy %s of the time", FormatShare(share(busy, span)))
	if share(makespan-faster, span) > smallSpeedup {
		text := fmt.Sprintf("%s: a larger buffer wins %s; a commit twice as fast would cut the makespan from %s to at best %s",
			worked, orNothing(won, makespan), ApproxDuration(makespan), ApproxDuration(faster))
		if grow := s.OfferedRate.Or(0) - s.ServiceRate.Or(0); grow > 0.02*s.OfferedRate.Or(0) {
			text += fmt.Sprintf("; at %s blocks/s offered and %s blocks/s committed the gap grows by %s blocks a second",
				FormatNumber(s.OfferedRate.Or(0)), FormatNumber(s.ServiceRate.Or(0)), FormatNumber(grow))
		}
		return BottleneckCommitter, text
	}
	text := fmt.Sprintf("the peer kept up: it was never more than %s behind, and %s; the orderer's arrivals set the makespan",
		FormatBlocks(s.MaxGap.Or(0)), worked)
	if spare := s.ServiceRate.Or(0) / max(s.OfferedRate.Or(0), 1e-9); spare > 1.1 && s.OfferedRate.Known() {
		text += fmt.Sprintf(", and the committer could take about %s times their rate", FormatNumber(spare))
	}
	return BottleneckOrderer, text
}

// judgeStarving tells a buffer that is too small from a delivery that is too slow.
func (s *StreamStats) judgeStarving(makespan int64, hungry string) (Bottleneck, string) {
	buffer := "the buffer"
	if n, ok := s.Buffer.Get(); ok {
		buffer = fmt.Sprintf("a buffer of N = %d", n)
	}
	atDoor, known := s.StarvedAtDoor.Get()
	if known && share(atDoor, s.Starved.Or(0)) < mostlyOpen {
		return BottleneckDelivery, fmt.Sprintf(
			"%s although the door of %s was open: the link or the peer's intake is too slow, and a larger buffer wins nothing", hungry, buffer)
	}
	where := "behind " + buffer
	if !known {
		where = "with " + buffer + " (the trace does not tell a shut door from a slow delivery)"
	}
	return BottleneckBuffer, fmt.Sprintf("%s %s: a larger buffer could cut the makespan from %s to at best %s",
		hungry, where, ApproxDuration(makespan), ApproxDuration(s.IdealBuffer.Or(0)))
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
