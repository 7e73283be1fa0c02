package analysis

import (
	"errors"
	"fmt"

	"github.com/blockreel/blockreel/internal/offheap"
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
	first, _, offers := bounds(tl.Column(event.Offered))
	if offers > 0 {
		s.FirstOffer = Known(first)
	}
	s.OfferedRate = offeredRate(tl, s.NotObserved)
	if _, commit, n := bounds(tl.Column(event.Committed)); n > 0 && offers > 0 {
		s.Makespan = Known(commit - first)
	}
	if n, ok := tl.Settings.Int(traces.SettingCutBacklog); ok && n > 0 {
		s.CutBacklog = Known(n)
	}
	var skew *SkewError
	if errors.As(checkClocks(tl), &skew) {
		s.ClockSkew = Known(skew.Most)
	}
	s.latency(tl)
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
	col := tl.Column(event.Offered)
	first, last, _ := bounds(col)
	before, _ := tl.Settings.Int(traces.SettingBacklogBefore)
	live := 0
	for i, at := range col {
		if at != event.Missing && at > first && int64(tl.Block(i)) >= before {
			live++
		}
	}
	observed := last - first - overlap([]Span{{first, last}}, spansOf(blind, tl.Orderer))
	if live == 0 || observed <= 0 {
		return Optional[float64]{}
	}
	return Known(float64(live) / seconds(observed))
}

// latency sets the delivery latency and its parts.
func (s *StreamStats) latency(tl *traces.Timeline) {
	scratch := differences(nil, tl.Column(event.Offered), tl.Column(event.Committed))
	defer func() { offheap.Free(scratch) }()
	s.Latency = Summarize(scratch)
	s.Parts = PartsOf(tl)
	var with [][]int64
	if len(s.Parts) > 0 {
		with = [][]int64{tl.Column(s.Parts[0].From), tl.Column(event.Committed)}
	}
	for i, p := range s.Parts {
		scratch = differences(scratch, tl.Column(p.From), tl.Column(p.To), with...)
		s.Parts[i].Duration = Summarize(scratch)
	}
}

// committer sets what the committer and the door did.
func (s *StreamStats) committer(tl *traces.Timeline) {
	blocked, err := Blocked(tl)
	defer offheap.Free(blocked)
	doorKnown := err == nil
	if doorKnown {
		s.Blocked = Known(totalLength(blocked))
	}
	c, err := newCommitter(tl, "")
	if err != nil {
		return
	}
	var total [numStates]int64
	defer c.free()
	var hungry []Span
	defer func() { offheap.Free(hungry) }()
	c.walk(func(_ int, e edges) {
		for state := range numStates {
			total[state] += e.span(state).Length()
		}
		if s := e.span(starved); s.Length() > 0 {
			hungry = offheap.Append(hungry, s)
		}
	})
	s.Busy, s.Turnaround = Known(total[busy]), Known(total[turnaround])
	if t := total[busy] + total[turnaround]; t > 0 {
		s.ServiceRate = Known(float64(s.Blocks) / seconds(t))
	}
	if c.offered == nil {
		return
	}
	s.Starved, s.Idle = Known(total[starved]), Known(total[idle])
	if doorKnown {
		s.StarvedAtDoor = Known(overlap(hungry, blocked))
	}
	for _, popped := range c.dequeued {
		if popped != event.Missing {
			s.Late = Known(max(popped-c.offered[0], 0))
			break
		}
	}
	if s.CutBacklog.Known() {
		s.BeforeCut, s.Late = s.Late, Optional[int64]{}
	}
	if span := s.Makespan.Or(0) - s.BeforeCut.Or(0); span > 0 {
		s.Utilization = Known(float64(total[busy]) / float64(span))
	}
	// Both are bounds: what was reached can be reached.
	makespan := s.Makespan.Or(0)
	s.IdealBuffer = Known(min(c.ideal(1), makespan))
	s.FasterCommit = Known(min(c.ideal(0.5), makespan))
}

func seconds(ns int64) float64 { return float64(ns) / 1e9 }

// sumCommitted adds up a count over the committed blocks; it is not known unless that of each
// of them is.
func sumCommitted(tl *traces.Timeline, k event.Kind) Optional[int64] {
	var total int64
	known := false
	for i, done := range tl.Column(event.Committed) {
		if i%offheap.Breath == 0 {
			offheap.Breathe()
		}
		if done == event.Missing {
			continue
		}
		v := tl.Value(k, i)
		if v == event.Missing {
			return Optional[int64]{}
		}
		total, known = total+v, true
	}
	if !known {
		return Optional[int64]{}
	}
	return Known(total)
}

// bounds returns the least and the greatest of the observed values and their number.
func bounds(col []int64) (least, greatest int64, n int) {
	for piece := range offheap.Pieces(col) {
		for _, v := range piece {
			if v == event.Missing {
				continue
			}
			if n == 0 {
				least, greatest = v, v
			}
			least, greatest = min(least, v), max(greatest, v)
			n++
		}
	}
	return least, greatest, n
}
