package fabricnet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/blockreel/blockreel/internal/fabric"
	"github.com/blockreel/blockreel/internal/fabric/deliver"
)

// A subscription follows one channel at one node, across connections: from the node's
// height on for ever, or up to there, for the blocks that were there before.
type subscription struct {
	node    *node
	channel string
	// start is where it begins; afterwards it goes on at next.
	start deliver.Position
	begun bool
	// until is the first block that it does not read; 0: it has no end.
	until uint64
	// ended: all up to there is read.
	ended atomic.Bool
	// chain holds the orderer's blocks to each other. A peer's filtered blocks have no
	// hashes: their numbers are counted.
	chain fabric.Chain
	// next and known are read by Status. known is the node's height when the connection
	// was made: blocks below it are older than the connection.
	next, known atomic.Uint64
	first       height
	retry       backoff
	// take is given every block once, in order; live ones came as they were made.
	take func(d *deliver.Delivered, live bool)
	// watch is told when the observation begins, ends and goes on, and why it has ended or
	// which blocks were missed; seen is when it was last known to stand.
	watch watcher
	seen  time.Time
	// away is when the stream was lost, in ns of the wall clock; 0 while it stands. It
	// stands again when it is level, after left more blocks of which the first was missed:
	// what comes behind older blocks is as late as they.
	away   atomic.Int64
	missed uint64
	left   uint64
}

// watcher is told of a subscription's observation. Its methods are called from the
// subscription's goroutine.
type watcher interface {
	stands(s *subscription, at time.Time)
	lost(s *subscription, since time.Time, cause error)
	back(s *subscription, at time.Time, missed string)
}

// run follows the channel until ctx ends (nil) or the node refuses.
func (s *subscription) run(ctx context.Context) error {
	s.seen = s.first.at
	s.watch.stands(s, s.seen)
	for {
		err := s.follow(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if hopeless(err) {
			return s.node.fail(s.channel, err)
		}
		if err := s.reconnect(ctx, err); err != nil || ctx.Err() != nil {
			return err
		}
	}
}

// read reads what was there before until it has all (nil), ctx ends (nil), or the node
// refuses. Nothing has a time here, so that a cut is no loss.
func (s *subscription) read(ctx context.Context) error {
	for {
		err := s.follow(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, io.EOF):
			s.ended.Store(true)
			return nil
		case hopeless(err):
			return s.node.fail(s.channel, err)
		case !s.begun && deliver.NotFound(err):
			return s.node.fail(s.channel, fmt.Errorf("it does not have the first of the older blocks, %v, any more: %w", s.start, err))
		}
		if !s.retry.pause(ctx) {
			return nil
		}
	}
}

// hopeless reports whether another try fails as well.
func hopeless(err error) bool {
	var broken *fabric.ChainError
	return deliver.Permanent(err) || errors.As(err, &broken) || errors.Is(err, fabric.ErrMalformed)
}

// reconnect waits until the node tells its height again, and tells what was not observed.
func (s *subscription) reconnect(ctx context.Context, cause error) error {
	if s.away.Load() == 0 {
		lost := s.lost()
		s.away.Store(lost.UnixNano())
		s.missed = s.next.Load()
		s.watch.lost(s, lost, cause)
	}
	for s.retry.pause(ctx) {
		h, err := s.node.height(ctx, s.channel)
		if err != nil {
			if deliver.Permanent(err) && ctx.Err() == nil {
				return s.node.fail(s.channel, err)
			}
			continue
		}
		s.known.Store(max(h.blocks, s.known.Load()))
		if s.left = s.known.Load() - s.next.Load(); s.left == 0 {
			s.back(h.at)
		}
		return nil
	}
	return nil
}

// level is called when all blocks below the last known height are read, and asks for the
// height again: it is level if there is nothing more, or as much as the time before, which
// is what is made during a question.
func (s *subscription) level(ctx context.Context) error {
	h, err := s.node.height(ctx, s.channel)
	if err != nil {
		return err
	}
	left := h.blocks - min(h.blocks, s.next.Load())
	if left == 0 || left >= s.left {
		s.back(h.at)
		return nil
	}
	s.left = left
	s.known.Store(h.blocks)
	return nil
}

// back ends an outage: blocks from the known height on have their times again.
func (s *subscription) back(at time.Time) {
	s.seen = at
	s.away.Store(0)
	missed := ""
	if known := s.known.Load(); known == s.missed+1 {
		missed = fmt.Sprintf("block %d", s.missed)
	} else if known > s.missed {
		missed = fmt.Sprintf("blocks %d to %d", s.missed, known-1)
	}
	s.watch.back(s, at, missed)
}

// lost is until when a subscription that has broken was known to stand: its last block,
// or the last answer on its connection.
func (s *subscription) lost() time.Time {
	if answered := s.node.lastAnswer(); answered.After(s.seen) {
		return answered
	}
	return s.seen
}

// lostFor is for how long the stream has not been observed; 0 while it is.
func (s *subscription) lostFor() time.Duration {
	if at := s.away.Load(); at != 0 {
		return max(time.Since(time.Unix(0, at)), 1)
	}
	return 0
}

// follow subscribes once and reads until an error; io.EOF when all is read.
func (s *subscription) follow(ctx context.Context) error {
	seek := deliver.Seek{Channel: s.channel, Start: s.start}
	if s.begun {
		seek.Start = deliver.At(s.next.Load())
	}
	if s.until > 0 {
		seek.Stop = deliver.At(s.until - 1)
	}
	stream, err := s.node.conn.Deliver(ctx, s.node.service, s.node.signer, seek)
	if err != nil {
		return err
	}
	defer stream.Close()
	for {
		d, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return io.ErrUnexpectedEOF // it ends with its last block, or never
		}
		if err != nil {
			return err
		}
		fresh, err := s.check(&d)
		if err != nil {
			return err
		}
		if !fresh {
			continue
		}
		s.retry.reset()
		s.seen = d.Arrived
		live := s.until == 0 && d.Number() >= s.known.Load()
		s.next.Store(d.Number() + 1)
		s.begun = true
		s.take(&d, live)
		if s.away.Load() != 0 && d.Number()+1 >= s.known.Load() {
			if err := s.level(ctx); err != nil {
				return err
			}
		}
		if s.until > 0 && d.Number()+1 >= s.until {
			return io.EOF
		}
	}
}

// check holds the block to those before it; fresh is false for one that has been.
func (s *subscription) check(d *deliver.Delivered) (fresh bool, err error) {
	if d.Filtered == nil {
		err = s.chain.Next(&d.Block)
	} else if next := s.next.Load(); s.begun && d.Number() != next {
		broken := &fabric.ChainError{Number: d.Number(), Want: next, Err: fabric.ErrHole}
		if d.Number() < next {
			broken.Err = fabric.ErrOld
		}
		err = broken
	}
	if errors.Is(err, fabric.ErrOld) {
		return false, nil
	}
	return err == nil, err
}
