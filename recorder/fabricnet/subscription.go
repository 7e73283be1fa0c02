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

// A subscription follows one channel at one node, across connections.
type subscription struct {
	node    *node
	channel string
	// start is where it begins; afterwards it goes on at next.
	start deliver.Position
	begun bool
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
	// watch is told when the observation begins, ends and goes on; seen is when it was
	// last known to stand.
	watch func(at time.Time, observing bool)
	seen  time.Time
	note  func(text string)
	cuts  int
	// away is when the stream was lost, in ns of the wall clock; 0 while it stands.
	away atomic.Int64
}

// maxCutNotes bounds the notes of a connection that comes and goes.
const maxCutNotes = 100

// run follows the channel until ctx ends (nil) or the node refuses.
func (s *subscription) run(ctx context.Context) error {
	s.seen = s.first.at
	s.watch(s.seen, true)
	for {
		err := s.follow(ctx)
		var broken *fabric.ChainError
		switch {
		case ctx.Err() != nil:
			return nil
		case deliver.Permanent(err), errors.As(err, &broken), errors.Is(err, fabric.ErrMalformed):
			return s.node.fail(s.channel, err)
		}
		if err := s.reconnect(ctx, err); err != nil || ctx.Err() != nil {
			return err
		}
	}
}

// reconnect waits until the node tells its height again, and notes what was not observed.
func (s *subscription) reconnect(ctx context.Context, cause error) error {
	lost := s.lost()
	s.watch(lost, false)
	s.away.Store(lost.UnixNano())
	for s.retry.pause(ctx) {
		h, err := s.node.height(ctx, s.channel)
		if err != nil {
			if deliver.Permanent(err) && ctx.Err() == nil {
				return s.node.fail(s.channel, err)
			}
			continue
		}
		s.known.Store(max(h.blocks, s.known.Load()))
		s.seen = h.at
		s.watch(h.at, true)
		s.away.Store(0)
		if s.cuts++; s.cuts > maxCutNotes {
			return nil
		}
		missed := "no block came in between"
		if next := s.next.Load(); s.begun && h.blocks > next {
			missed = fmt.Sprintf("blocks %d to %d came in between and have no time from it", next, h.blocks-1)
		}
		s.note(fmt.Sprintf("%s %s was not observed for %v: %s (%v)", s.node.role(), s.node.Name,
			h.at.Sub(lost).Round(time.Millisecond), missed, cause))
		return nil
	}
	return nil
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
		return time.Since(time.Unix(0, at))
	}
	return 0
}

// follow subscribes once and reads until an error.
func (s *subscription) follow(ctx context.Context) error {
	start := s.start
	if s.begun {
		start = deliver.At(s.next.Load())
	}
	stream, err := s.node.conn.Deliver(ctx, s.node.service, s.node.signer, deliver.Seek{Channel: s.channel, Start: start})
	if err != nil {
		return err
	}
	defer stream.Close()
	for {
		d, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return io.ErrUnexpectedEOF // there is no end to a subscription
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
		live := d.Number() >= s.known.Load()
		s.next.Store(d.Number() + 1)
		s.begun = true
		s.take(&d, live)
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
