package analysis

import (
	"errors"
	"fmt"

	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// Result is what the stats of a trace say.
type Result struct {
	Streams []StreamStats `json:"streams"`
	// Warnings tell what weakens the figures, a sentence each.
	Warnings []string `json:"warnings"`
}

// StreamStats are the figures of one stream. A figure that the trace does not tell
// is null.
type StreamStats struct {
	Channel string `json:"channel"`
	Peer    string `json:"peer"`
	Orderer string `json:"orderer,omitempty"`
	// Ledger and Buffer (N) are the settings under which the stream ran.
	Ledger string          `json:"ledger,omitempty"`
	Buffer Optional[int64] `json:"buffer"`

	// Blocks is the number of blocks committed, with their Transactions and Bytes, which are
	// known only when those of all are; OfferedBlocks of those offered; and UncommittedBlocks of those offered behind the
	// last one committed: they were still to come when the peer's data end.
	Blocks            int64           `json:"blocks"`
	OfferedBlocks     int64           `json:"offered_blocks"`
	UncommittedBlocks int64           `json:"uncommitted_blocks"`
	Transactions      Optional[int64] `json:"transactions"`
	Bytes             Optional[int64] `json:"bytes"`
	// InvalidTransactions are those of Transactions that the peer refused.
	InvalidTransactions Optional[int64] `json:"invalid_transactions,omitzero"`
	// CutBacklog is the number of blocks before the cut with which the peer was still
	// busy when the first block was offered; only of such a cut.
	CutBacklog Optional[int64] `json:"cut_backlog_blocks,omitzero"`
	// ClockSkew is by how many ns at most a commit lies before its offer; only when that
	// is more than the resolution of the times.
	ClockSkew Optional[int64] `json:"clock_skew_ns,omitzero"`

	// Makespan is last commit − first offer, in ns.
	Makespan Optional[int64] `json:"makespan_ns"`
	// FirstOffer is when the stream began, in ns since the start of the trace.
	FirstOffer Optional[int64] `json:"first_offer_ns"`
	// MaxGap repeats Gap.Max, in blocks.
	MaxGap  Optional[int64] `json:"max_gap_blocks"`
	Gap     *GapSummary     `json:"gap"`
	Latency *Quantiles      `json:"latency_ns"`
	Parts   []Part          `json:"parts"`

	// Blocked is the time during which a block stood at the door, in ns.
	Blocked Optional[int64] `json:"blocked_ns"`
	// Starved is the time during which the committer was idle although the orderer
	// held blocks that it lacked, longer than such a block's way takes; and
	// StarvedAtDoor the part of it during which a block stood at the door: only that
	// part is the buffer's doing. In ns. A [SweepPoint] has another definition.
	Starved       Optional[int64] `json:"starved_ns"`
	StarvedAtDoor Optional[int64] `json:"starved_at_door_ns"`
	// Busy is the time from a block's pop to its commit, over all blocks, and
	// Turnaround what passes between two blocks with the next one in the buffer.
	// Busy + Turnaround + Starved + Idle + BeforeCut = Makespan. Busy and Turnaround are
	// known without the offers. In ns.
	Busy       Optional[int64] `json:"busy_ns"`
	Turnaround Optional[int64] `json:"turnaround_ns"`
	Idle       Optional[int64] `json:"idle_ns"`
	// Late is the time from the first offer to the first pop, in ns: of a peer that
	// was down, how long it was. It is a part of Idle. After a cut inside a backlog that
	// time is BeforeCut instead, and not idle.
	Late      Optional[int64] `json:"late_ns"`
	BeforeCut Optional[int64] `json:"before_cut_ns,omitzero"`
	// Utilization is Busy as a share of Makespan, less BeforeCut.
	Utilization Optional[float64] `json:"utilization"`
	// OfferedRate is in blocks a second from the first offer to the last, while the orderer
	// was observed; blocks that were all there at the first instant were not offered at any
	// rate and do not count. ServiceRate is blocks a second of Busy and Turnaround.
	OfferedRate Optional[float64] `json:"offered_rate"`
	ServiceRate Optional[float64] `json:"service_rate"`

	// IdealBuffer is an estimate of the makespan if no block ever waited for the
	// buffer: the least that any N can bring. FasterCommit is the same with blocks
	// validated and committed in half the time. Not known while blocks are uncommitted,
	// nor when the clocks differ. In ns.
	IdealBuffer  Optional[int64] `json:"ideal_buffer_makespan_ns"`
	FasterCommit Optional[int64] `json:"faster_commit_makespan_ns"`
	// NotObserved tells when the orderer or the peer was not observed.
	NotObserved []BlindSpan `json:"not_observed,omitempty"`
	// SampledDepth and SampledStages are what samples tell: of the buffer, when there are
	// any, and of the stages where the trace has no times of single blocks.
	SampledDepth  *SampledDepth  `json:"sampled_depth,omitempty"`
	SampledStages []SampledStage `json:"sampled_stages,omitempty"`
	// Bottleneck names what limits the stream and Verdict says it in a sentence.
	Bottleneck Bottleneck `json:"bottleneck"`
	Verdict    string     `json:"verdict"`
	// FromSamples tells that both are derived from samples.
	FromSamples bool `json:"verdict_from_samples,omitempty"`
	// Invalid says of a replay in real time why its figures are not those of its setting:
	// the replayer or its machine was the bottleneck. They count in no median and no
	// range. Empty: they are.
	Invalid string `json:"not_valid,omitempty"`
}

// Name returns the stream as people write it: channel@peer.
func (s *StreamStats) Name() string {
	return traces.Stream{Channel: s.Channel, Peer: s.Peer}.Name()
}

// StatsKinds returns the kinds whose values Stats looks at.
func StatsKinds() []event.Kind {
	return append(event.Way(), event.Transactions, event.Bytes, event.InvalidTransactions,
		event.StateValidation, event.BlockStore, event.StateCommit)
}

// Stats returns the figures of every stream of tr.
func Stats(tr *traces.Trace) Result {
	r := Result{Streams: make([]StreamStats, 0, len(tr.Timelines))}
	warnings := traceWarnings(tr)
	oneClock := tr.Source == sourceFabric
	for _, tl := range tr.Timelines {
		s := StatsOf(tl, tr.Samples...)
		if most, ok := s.ClockSkew.Get(); ok && oneClock && s.Blocks > 0 {
			s.Verdict = fmt.Sprintf(skewVerdict, FormatDuration(most), oneClockHint)
		}
		r.Streams = append(r.Streams, s)
		warnings = append(warnings, streamWarnings(tl, oneClock, len(tr.Timelines) > 1)...)
	}
	r.Warnings = Grouped(warnings)
	return r
}

// StatsOf returns the figures of one stream. samples are those of its trace: they are of
// use where blocks lack the times of their stages.
func StatsOf(tl *traces.Timeline, samples ...traces.SampleColumn) StreamStats {
	s := StreamStats{
		Channel: tl.Channel, Peer: tl.Peer, Orderer: tl.Orderer,
		Ledger:            tl.Settings[traces.SettingLedger],
		Blocks:            int64(tl.Observed(event.Committed)),
		OfferedBlocks:     int64(tl.Observed(event.Offered)),
		UncommittedBlocks: int64(backlog(tl)),
		Transactions:      sumCommitted(tl, event.Transactions),
		Bytes:             sumCommitted(tl, event.Bytes),

		InvalidTransactions: sumCommitted(tl, event.InvalidTransactions),
	}
	if n, ok := tl.Settings.Int(traces.SettingBuffer); ok {
		s.Buffer = Known(n)
	}
	s.NotObserved = NotObserved(tl, samples...)
	if s.Gap = summarizeGap(tl, s.NotObserved); s.Gap != nil {
		s.MaxGap = Known(s.Gap.Max)
	}
	first, _, offers := tl.Bounds(event.Offered)
	if offers > 0 {
		s.FirstOffer = Known(first)
	}
	s.OfferedRate = offeredRate(tl, s.NotObserved)
	if _, commit, n := tl.Bounds(event.Committed); n > 0 && offers > 0 {
		s.Makespan = Known(commit - first)
	}
	if n, ok := tl.Settings.Int(traces.SettingCutBacklog); ok && n > 0 {
		s.CutBacklog = Known(n)
	}
	latency := latencies(tl)
	var skew *SkewError
	if errors.As(checkClocks(tl, latency), &skew) {
		s.ClockSkew = Known(skew.Most)
	}
	s.latency(tl, latency)
	s.committer(tl)
	s.SampledDepth = sampledDepth(tl, s.NotObserved, samples)
	s.SampledStages = sampledStages(tl, samples)
	s.Bottleneck, s.Verdict = verdict(&s)
	if s.UncommittedBlocks > 0 || s.ClockSkew.Known() {
		// They told the verdict what limits the run; its makespan they do not tell.
		s.IdealBuffer, s.FasterCommit = Optional[int64]{}, Optional[int64]{}
	}
	return s
}

// offeredRate counts the blocks offered after the first instant, at which a recording or a
// cut finds what had piled up before it, by the time in which the orderer was observed.
func offeredRate(tl *traces.Timeline, blind []BlindSpan) Optional[float64] {
	first, last, _ := tl.Bounds(event.Offered)
	before, _ := tl.Settings.Int(traces.SettingBacklogBefore)
	live := 0
	for from, w := range tl.Windows(event.Offered) {
		for i, at := range w[0] {
			if at > first && int64(tl.Block(from+i)) >= before { // which Missing is not
				live++
			}
		}
	}
	observed := last - first - overlap([]Span{{first, last}}, spansOf(blind, tl.Orderer))
	if live == 0 || observed <= 0 {
		return Optional[float64]{}
	}
	return Known(float64(live) / seconds(observed))
}

// latency sets the delivery latency and its parts.
func (s *StreamStats) latency(tl *traces.Timeline, latency *Tally) {
	s.Latency = latency.Quantiles()
	s.Parts = PartsOf(tl)
	for i, p := range s.Parts {
		s.Parts[i].Duration = NewTally(durations(tl, p.From, p.To, s.Parts[0].From, event.Committed)).Quantiles()
	}
}

// committer sets what the committer and the door did.
func (s *StreamStats) committer(tl *traces.Timeline) {
	door := newDoor(tl)
	doorKnown := require(tl, "", event.AtDoor, event.Enqueued) == nil
	if !doorKnown {
		door.n = 0
	}
	atDoor := newOverlapper(door.next)
	defer func() {
		if doorKnown {
			for _, ok := door.next(); ok; _, ok = door.next() {
			}
			s.Blocked = Known(door.total)
		}
	}()
	c, err := newCommitter(tl, "")
	if err != nil {
		return
	}
	var total [numStates]int64
	asIs, halved := ideal{1, event.Missing}, ideal{0.5, event.Missing}
	first := int64(event.Missing)
	c.walk(func(i int, e edges) bool {
		for state := range numStates {
			total[state] += e.span(state).Length()
		}
		if hungry := e.span(starved); hungry.Length() > 0 {
			atDoor.add(hungry)
		}
		asIs.add(c, i, e)
		halved.add(c, i, e)
		return true
	})
	s.Busy, s.Turnaround = Known(total[busy]), Known(total[turnaround])
	if t := total[busy] + total[turnaround]; t > 0 {
		s.ServiceRate = Known(float64(s.Blocks) / seconds(t))
	}
	if !c.offersKnown() {
		return
	}
	s.Starved, s.Idle = Known(total[starved]), Known(total[idle])
	if doorKnown {
		s.StarvedAtDoor = Known(atDoor.total)
	}
	for i := 0; i < c.n && first == event.Missing; i++ {
		first = c.dequeued.At(i)
	}
	offered := c.offered.at(0)
	s.Late = Known(max(first-offered, 0))
	if s.CutBacklog.Known() {
		s.BeforeCut, s.Late = s.Late, Optional[int64]{}
	}
	if span := s.Makespan.Or(0) - s.BeforeCut.Or(0); span > 0 {
		s.Utilization = Known(float64(total[busy]) / float64(span))
	}
	// Both are bounds: what was reached can be reached.
	makespan := s.Makespan.Or(0)
	bound := func(d ideal) Optional[int64] {
		if d.done == event.Missing {
			return Known(min(0, makespan))
		}
		return Known(min(d.done-offered, makespan))
	}
	s.IdealBuffer, s.FasterCommit = bound(asIs), bound(halved)
}

func seconds(ns int64) float64 { return float64(ns) / 1e9 }

// sumCommitted adds up a count over the committed blocks; it is not known unless that of each
// of them is.
func sumCommitted(tl *traces.Timeline, k event.Kind) Optional[int64] {
	if tl.Observed(k) < tl.Observed(event.Committed) || tl.Observed(event.Committed) == 0 {
		return Optional[int64]{}
	}
	var total int64
	for _, w := range tl.Windows(event.Committed, k) {
		for i, v := range w[1] {
			switch {
			case w[0][i] == event.Missing:
			case v == event.Missing:
				return Optional[int64]{}
			default:
				total += v
			}
		}
	}
	return Known(total)
}
