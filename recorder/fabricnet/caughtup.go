package fabricnet

import (
	"context"
	"slices"
	"time"
)

// When Config.UntilCaughtUp ends a recording: every peer has committed what its orderer
// has, all older blocks that were asked for are read, no channel is waited for, and no node
// is out of sight. If no older blocks were asked for, no block must have come for
// Config.Quiet besides: under a load peers are level, or nearly so, again and again, and a
// recording would be over before it has seen anything.

// behind reports whether blocks have yet to come from the orderer or from the peer.
func (s *stream) behind() bool {
	o := s.channel.orderer
	h := max(o.feed.Height(), s.peer.feed.Height())
	return o.feed.Next() < h || s.peer.feed.Next() < h || o.away.Load() != 0 || s.peer.away.Load() != 0
}

// behind reports whether something of the channel has yet to come.
func (c *channel) behind() bool {
	return !c.opened.Load() ||
		slices.ContainsFunc(c.past, func(p *subscription) bool { return !p.ended.Load() }) ||
		slices.ContainsFunc(c.streams, (*stream).behind)
}

// endIfCaughtUp ends the recording once every peer has what its orderer has.
func (n *Network) endIfCaughtUp() {
	if n.cfg.UntilCaughtUp && n.chasing.Load() && !slices.ContainsFunc(n.channels, (*channel).behind) {
		n.caughtUp()
	}
}

// stir reports that a block has arrived.
func (n *Network) stir() {
	select {
	case n.stirred <- struct{}{}:
	default: // it is reported already
	}
}

// endWhenQuiet ends the recording when all are level and no block has come for a while.
func (n *Network) endWhenQuiet(ctx context.Context) {
	timer := time.NewTimer(n.cfg.Quiet)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.stirred:
		case <-timer.C:
			if !slices.ContainsFunc(n.channels, (*channel).behind) {
				n.caughtUp()
				return
			}
		}
		timer.Reset(n.cfg.Quiet)
	}
}
