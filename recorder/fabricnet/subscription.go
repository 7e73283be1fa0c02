package fabricnet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/blockreel/blockreel/internal/fabric/deliver"
)

// A subscription follows one channel at one node: from the node's height on for ever, or up
// to there, for the blocks that were there before.
type subscription struct {
	node    *node
	channel *channel
	// first is the height that the node reported first.
	first deliver.Height
	// until is the first block that it does not read; 0: it has no end.
	until uint64
	// ended: all up to there is read.
	ended atomic.Bool
	feed  *deliver.Follower
	// take gets every block once, in order.
	take func(d *deliver.Delivered)
	// seen is when the stream was last known to stand.
	seen time.Time
	// away is when the stream was lost, in ns of the wall clock; 0 while it stands.
	away atomic.Int64
}

// follow sets what to follow: the blocks from a position on, up to until if that is not 0.
func (s *subscription) follow(start deliver.Position, until uint64) {
	s.until = until
	seek := deliver.Seek{Channel: s.channel.name, Start: start}
	to := deliver.Subscription{Conn: s.node.conn, Service: s.node.service, Signer: s.node.signer, Retry: s.node.retry}
	if until > 0 {
		seek.Stop = deliver.At(until - 1)
	} else {
		to.Heights, to.Lost, to.Back = true, s.lost, s.back
	}
	to.Seek = seek
	s.feed = deliver.Follow(to)
}

// run follows the channel until ctx ends (nil) or the node refuses.
func (s *subscription) run(ctx context.Context) error {
	s.seen = s.first.At
	s.channel.observing(s, s.seen, 1)
	return s.takeAll(ctx)
}

// read reads the blocks from before until it has all (nil), ctx ends (nil), or the node
// refuses. Nothing has a time here, so that a cut is no loss.
func (s *subscription) read(ctx context.Context) error {
	err := s.takeAll(ctx)
	switch {
	case errors.Is(err, io.EOF):
		s.ended.Store(true)
		return nil
	case deliver.NotFound(err):
		return s.node.fail(s.channel.name, fmt.Errorf("the node does not have the first of the older blocks any more: %w", err))
	}
	return err
}

func (s *subscription) takeAll(ctx context.Context) error {
	defer s.feed.Close()
	for {
		d, err := s.feed.Recv(ctx)
		switch {
		case err == nil:
			s.seen = d.Arrived
			s.take(&d)
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, io.EOF):
			return err
		default:
			return s.node.fail(s.channel.name, err)
		}
	}
}

// lost takes it that the stream has broken. It was last known to stand at its last block, or
// at the last answer on its connection.
func (s *subscription) lost(cause error) {
	since := s.seen
	if answered := s.node.lastAnswer(); answered.After(since) {
		since = answered
	}
	s.away.Store(since.UnixNano())
	s.channel.observing(s, since, 0)
	s.channel.net.lose(s.node, s.channel.name, since, cause)
}

// back takes it that the stream stands again: blocks from end on have their times.
func (s *subscription) back(at time.Time, first, end uint64) {
	s.seen = at
	s.away.Store(0)
	missed := ""
	switch {
	case end == first+1:
		missed = fmt.Sprintf("block %d", first)
	case end > first:
		missed = fmt.Sprintf("blocks %d to %d", first, end-1)
	}
	s.channel.observing(s, at, 1)
	s.channel.net.regain(s.node, s.channel.name, at, missed)
	s.channel.net.endIfCaughtUp()
}

// lostFor is for how long the stream has not been observed; 0 while it is.
func (s *subscription) lostFor() time.Duration {
	if at := s.away.Load(); at != 0 {
		return max(time.Since(time.Unix(0, at)), 1)
	}
	return 0
}
