package fabriclog

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize/english"

	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// A stream is one timeline in the making; its times are Unix ns until rebase.
type stream struct {
	*traces.Timeline
	peer    *peer // nil when only orderers' logs were given
	seen    *delivered
	ordered *ordered // nil when no orderer's log tells of the channel
	report  StreamReport
	notes   []traces.Note // Stream is filled in at the end

	resolution int64 // of the peer's stamps, ns
	coarsest   int64 // of the peer's and the orderers' stamps, ns
}

// peerTimes are the kinds whose times a peer's clock told.
var peerTimes = [...]event.Kind{event.AtDoor, event.Enqueued, event.Dequeued, event.Validated, event.Committed}

// peerColumns are the columns that become a timeline's as they are.
var peerColumns = [...]struct {
	kind   event.Kind
	column int
}{
	{event.AtDoor, colAtDoor},
	{event.Enqueued, colEnqueued},
	{event.Dequeued, colReceived},
	{event.Dequeued, colTransferring}, // exact: it replaces Received
	{event.Validated, colValidated},
	{event.Committed, colCommitted},
	{event.Transactions, colTransactions},
	{event.StateValidation, colStateValidation},
	{event.BlockStore, colBlockStore},
	{event.StateCommit, colStateCommit},
	{event.CommitHash, colCommitHash},
}

// assemble makes the trace out of everything that was read.
func (l *logs) assemble() (*traces.Trace, error) {
	var streams []*stream
	for _, p := range l.peers {
		for _, channel := range slices.Sorted(maps.Keys(p.channels)) {
			if s := l.stream(p, channel); s != nil && l.wanted(channel) {
				streams = append(streams, s)
			}
		}
	}
	if len(streams) == 0 {
		for _, channel := range slices.Sorted(maps.Keys(l.service.channels)) {
			if s := l.offers(channel); s != nil && l.wanted(channel) {
				streams = append(streams, s)
			}
		}
	}
	if len(streams) == 0 {
		return nil, l.errNothing()
	}
	slices.SortStableFunc(streams, func(a, b *stream) int { return cmp.Compare(a.Channel, b.Channel) })
	l.tellOthers(streams)
	l.correctClocks(streams)
	for _, s := range streams {
		s.matchSent()
		if l.cfg.AssumeBacklog {
			s.assumeBacklog()
		}
		s.count()
		l.settle(s)
	}
	return l.trace(streams), nil
}

// stream joins what a peer and the orderers tell of a channel, nil when the peer
// tells of no block.
func (l *logs) stream(p *peer, channel string) *stream {
	d := p.channels[channel]
	at, stray, ok := d.table.span()
	if !ok {
		return nil
	}
	s := &stream{peer: p, seen: d}
	s.report.Stray = stray
	o := l.service.channels[channel]
	var offered span
	hasOffers := false
	if o != nil {
		offered, stray, hasOffers = o.table.span()
		s.report.Stray += stray
	}
	switch {
	case !hasOffers:
		// what cannot be known without it is told by count
	case !l.overlap(s, d.table, o.table, &at, offered):
		s.warn("the orderer's log holds blocks %d to %d and the peer's blocks %d to %d: no block is in both, so that no block has an offered time",
			offered.first, offered.last, at.first, at.last)
	default:
		s.ordered = o
	}
	n := min(at.len(), traces.MaxTimelineBlocks)
	s.Timeline = traces.NewTimeline(traces.Stream{
		Channel: channel, Orderer: cmp.Or(strings.Join(l.orderers, ","), d.orderer), Peer: p.name,
	}, event.BlockNum(at.first), int(n))
	for _, c := range peerColumns {
		s.fill(d.table, c.column, c.kind, true)
	}
	s.refinePops()
	if s.ordered != nil {
		s.fillOffers()
	}
	s.shift(l.cfg.ClockOffset)
	return s
}

// overlap sets at to the blocks that the stream is about: from the first that both
// sides tell of to the last that any tells of. Blocks before belong to the time
// when one of the logs had not begun, or reached the peer on another way, as the
// genesis block does; with one side's time only they would spoil gap and makespan.
func (l *logs) overlap(s *stream, peer, orderer *table, at *span, offered span) bool {
	from := max(at.first, offered.first)
	to := min(at.last, offered.last)
	for ; from <= to && from >= at.first; from++ {
		if peer.knows(from) && orderer.knows(from) {
			break
		}
	}
	if from > to {
		return false
	}
	if l.cfg.AssumeBacklog {
		from = min(from, at.first)
	}
	for n := min(at.first, offered.first); n < from; n++ {
		if n < offered.first && n > at.last || n < at.first && n > offered.last {
			continue
		}
		if peer.knows(n) || orderer.knows(n) {
			s.report.LeftOut++
		}
	}
	if n := s.report.LeftOut; n > 0 {
		side := "orderer's"
		if at.first < offered.first {
			side = "peer's"
		}
		s.fact("the trace begins with block %d, the first that both logs hold; left out before it: %s, only in the %s log", from, english.Plural(n, "block", ""), side)
	}
	*at = span{from, max(at.last, offered.last)}
	return true
}

// offers makes a stream of a channel of which only orderers tell.
func (l *logs) offers(channel string) *stream {
	o := l.service.channels[channel]
	at, stray, ok := o.table.span()
	if !ok {
		return nil
	}
	s := &stream{ordered: o}
	s.report.Stray = stray
	s.Timeline = traces.NewTimeline(traces.Stream{Channel: channel, Orderer: strings.Join(l.orderers, ",")},
		event.BlockNum(at.first), int(min(at.len(), traces.MaxTimelineBlocks)))
	s.fillOffers()
	s.warn("no peer's log was given: only the times at which blocks were offered are known, nothing of their delivery")
	return s
}

// fill copies a column of t into the timeline, over what is there when replace.
func (s *stream) fill(t *table, column int, kind event.Kind, replace bool) (filled int) {
	first := uint64(s.First)
	for at, p := range t.pages {
		c := p.columns[column]
		if c == nil {
			continue
		}
		for i, v := range c {
			n := at<<pageBits | uint64(i)
			if v == missing || n < first || n-first >= uint64(s.Len()) {
				continue
			}
			if to := &s.MakeColumn(kind)[n-first]; replace || *to == missing {
				*to = v
				filled++
			}
		}
	}
	return filled
}

// refinePops corrects pops that the buffer's size proves to be earlier than their
// line: the committer unmarshals a block between the pop and the line, about a
// millisecond, and the buffer would seem to hold 2N + 2 blocks for so long.
func (s *stream) refinePops() {
	pops := s.Column(event.Dequeued)
	refined := 0
	for i := range pops {
		gone := s.seen.table.value(colGone, uint64(s.Block(i)))
		if gone == missing || pops[i] == missing || gone >= pops[i] || gone < s.Value(event.Enqueued, i) {
			continue
		}
		if i > 0 && gone < s.Value(event.Committed, i-1) {
			continue
		}
		pops[i] = gone
		refined++
	}
	if refined > 0 {
		s.fact("the pop of %s is the time at which the buffer's size tells that they had left it, up to milliseconds before the line that says so", english.Plural(refined, "block", ""))
	}
}

// fillOffers takes Writing, and what comes closest to it where it is missing.
func (s *stream) fillOffers() {
	writing := s.fill(s.ordered.table, colWriting, event.Offered, false)
	wrote := s.fill(s.ordered.table, colWrote, event.Offered, false)
	created := s.fill(s.ordered.table, colCreated, event.Offered, false)
	if wrote > 0 {
		s.fact("offered is the orderer's line Wrote block for %s, and Writing block, a few milliseconds earlier, for %d", english.Plural(wrote, "block", ""), writing)
	}
	if created > 0 {
		s.warn("offered is the orderer's line Created block for %s without a line Writing block: in the orderer's ledger some milliseconds later than this trace says", english.Plural(created, "block", ""))
	}
}

// shift moves the peer's clock.
func (s *stream) shift(by time.Duration) {
	if by == 0 {
		return
	}
	s.report.Shift += by
	for _, k := range peerTimes {
		for i, v := range s.Column(k) {
			if v != missing {
				s.Column(k)[i] = v + int64(by)
			}
		}
	}
}

// firstSign returns the peer's first time for the block at index i.
func (s *stream) firstSign(i int) int64 {
	for _, k := range peerTimes {
		if v := s.Value(k, i); v != missing {
			return v
		}
	}
	return missing
}

// assumeBacklog gives the leading blocks that have no offered time, all when none
// has, the time of the peer's first sign of life: what an outage leaves behind is
// on offer when the peer comes back.
func (s *stream) assumeBacklog() {
	first := int64(missing)
	end := s.Len()
	for i := range s.Len() {
		if v := s.Value(event.Offered, i); v != missing {
			end = i
			if first == missing || v < first {
				first = v
			}
			break
		}
		if v := s.firstSign(i); v != missing && (first == missing || v < first) {
			first = v
		}
	}
	if end == 0 || first == missing {
		return
	}
	offered := s.MakeColumn(event.Offered)
	for i := range offered[:end] {
		offered[i] = first
	}
	s.warn("a backlog is assumed: %s of which no orderer's line tells, taken as offered at the peer's first sign of a block", english.Plural(end, "block", ""))
}

// count fills in the report and tells what is missing.
func (s *stream) count() {
	r := &s.report
	r.Name, r.Blocks = s.Name(), s.Len()
	r.NotOffered = s.Len() - s.Observed(event.Offered)
	r.NotCommitted = s.Len() - s.Observed(event.Committed)
	if s.peer == nil {
		return
	}
	switch {
	case r.NotOffered == s.Len():
		s.warn("no orderer's log tells when the blocks were offered: height gap, delivery latency and the wait at the orderer cannot be known; give the orderer's log of that time (1.4 writes a line a block at DEBUG only), or assume a backlog (--assume-backlog) when this is a catch-up after an outage")
	case r.NotOffered > 0:
		s.warn("%d of %d blocks have no offered time: the orderer's logs lack their lines", r.NotOffered, s.Len())
	}
	if r.NotCommitted > 0 {
		s.warn("%d of %d blocks have no commit: the peer had not come so far when its log ended, or the lines are lost", r.NotCommitted, s.Len())
	}
	if r.Stray > 0 {
		s.warn("left out: %s far away from all others, from damaged lines", english.Plural(r.Stray, "block number", ""))
	}
	if n := s.peer.starts; n > 1 {
		s.fact("the peer started %d times in these logs; what was in its buffer at a restart was delivered again", n)
	}
	if s.Column(event.StateCommit) != nil {
		s.fact("times within the commit (state validation, block store, state commit) are whole milliseconds, rounded down by the peer: their sum is less than the commit took")
	}
}

// trace puts the streams together and counts their times from the base on.
func (l *logs) trace(streams []*stream) *traces.Trace {
	base := earliestOf(streams, event.Offered)
	if base == missing {
		for _, k := range event.Way() {
			if v := earliestOf(streams, k); v != missing && (base == missing || v < base) {
				base = v
			}
		}
	}
	t := &traces.Trace{Header: traces.Header{Base: time.Unix(0, base).UTC(), Tool: l.cfg.Tool, Source: "logs"}}
	for _, w := range l.warnings {
		t.Notes = append(t.Notes, traces.Note{Stream: -1, Kind: traces.NoteWarning, Text: w})
	}
	for _, f := range l.facts {
		t.Notes = append(t.Notes, traces.Note{Stream: -1, Kind: traces.NoteFact, Text: f})
	}
	for i, s := range streams {
		if len(l.orderers) > 1 && s.ordered != nil {
			s.fact("offered is the earliest line of %d orderers: %s", len(l.orderers), s.Orderer)
		}
		for _, k := range event.Way() {
			c := s.Column(k)
			for j, v := range c {
				if v != missing {
					c[j] = v - base
				}
			}
		}
		for _, n := range s.notes {
			n.Stream = i
			t.Notes = append(t.Notes, n)
		}
		t.Streams = append(t.Streams, s.Stream)
		t.Timelines = append(t.Timelines, s.Timeline)
		l.report.Streams = append(l.report.Streams, s.report)
	}
	return t
}

func earliestOf(streams []*stream, k event.Kind) int64 {
	first := int64(missing)
	for _, s := range streams {
		for _, v := range s.Column(k) {
			if v != missing && (first == missing || v < first) {
				first = v
			}
		}
	}
	return first
}
