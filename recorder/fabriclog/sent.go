package fabriclog

import (
	"slices"

	"github.com/dustin/go-humanize/english"

	"github.com/blockreel/blockreel/traces/event"
)

// A subscription is one Deliver stream at the orderer that may be the peer's.
type subscription struct {
	table *table
	at    span
	lag   int64 // median time between the orderer's send and the peer's intake
}

// matchSent finds the orderer's Deliver streams to this peer and takes their times.
// The orderer names subscribers by address and the peer does not know its own, so
// the times decide: a stream is the peer's if its first block is one that the peer
// asked for, and every block was sent before the peer took it in. Of streams with
// the same blocks the peer's is the one with the shortest lag, since no other is
// held up by the peer's full buffer; without a clear one Sent stays missing.
func (s *stream) matchSent() {
	if s.ordered == nil || s.peer == nil || len(s.ordered.subscribers) == 0 {
		return
	}
	var fit []subscription
	for _, t := range s.ordered.subscribers {
		if sub, ok := s.subscription(t); ok {
			fit = append(fit, sub)
		}
	}
	slices.SortFunc(fit, func(a, b subscription) int {
		if a.lag != b.lag {
			return int(max(-1, min(1, a.lag-b.lag)))
		}
		return int(max(-1, min(1, int64(a.at.first)-int64(b.at.first))))
	})
	var taken []subscription
	for i, sub := range fit {
		if slices.ContainsFunc(taken, func(o subscription) bool { return overlaps(o.at, sub.at) }) {
			continue
		}
		for _, o := range fit[i+1:] {
			if overlaps(o.at, sub.at) && o.lag < 2*sub.lag+s.coarsest {
				s.fact("the orderer's log tells of several Deliver streams that may be this peer's: when blocks were sent to it is left open")
				return
			}
		}
		taken = append(taken, sub)
	}
	blocks := 0
	for _, sub := range taken {
		blocks += s.fill(sub.table, colDelivering, event.Sent, false)
	}
	if blocks > 0 {
		s.fact("sent is the time at which the orderer began to send, from %d of %d Deliver streams in its log, told apart by their times (%s)", len(taken), len(s.ordered.subscribers), english.Plural(blocks, "block", ""))
	} else {
		s.fact("the orderer's log tells of %s, and none fits this peer: when blocks were sent to it is left open", english.Plural(len(s.ordered.subscribers), "Deliver stream", ""))
	}
}

func overlaps(a, b span) bool { return a.first <= b.last && b.first <= a.last }

// subscription reports whether t can be this peer's.
func (s *stream) subscription(t *table) (subscription, bool) {
	at, _, ok := t.span()
	if !ok {
		return subscription{}, false
	}
	asked := len(s.seen.pulls) == 0 || slices.ContainsFunc(s.seen.pulls, func(p pull) bool { return p.from == at.first })
	if !asked {
		return subscription{}, false
	}
	var lags []int64
	late := 0
	for i := range s.Len() {
		sent := t.value(colDelivering, uint64(s.Block(i)))
		intake := s.firstSign(i)
		if sent == missing || intake == missing {
			continue
		}
		if intake-sent <= -s.coarsest {
			late++
		}
		lags = append(lags, intake-sent)
	}
	if len(lags) == 0 || late*100 > len(lags) {
		return subscription{}, false
	}
	slices.Sort(lags)
	return subscription{t, at, lags[len(lags)/2]}, true
}
