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
	note func(text string)
	cuts int
}

// maxCutNotes bounds the notes of a connection that comes and goes.
const maxCutNotes = 100

// run follows the channel until ctx ends (nil) or the node refuses.
func (s *subscription) run(ctx context.Context) error {
	for {
		err := s.follow(ctx)
		var broken *fabric.ChainError
		switch {
		case ctx.Err() != nil:
			return nil
		case deliver.Permanent(err), errors.As(err, &broken), errors.Is(err, fabric.ErrMalformed):
			return s.node.fail(s.channel, err)
		}
		if err := s.reconnect(ctx, err, time.Now()); err != nil || ctx.Err() != nil {
			return err
		}
	}
}

// reconnect waits until the node tells its height again, and notes what was not observed.
func (s *subscription) reconnect(ctx context.Context, cause error, lost time.Time) error {
	for s.retry.pause(ctx) {
		h, err := s.node.height(ctx, s.channel)
		if err != nil {
			if deliver.Permanent(err) && ctx.Err() == nil {
				return s.node.fail(s.channel, err)
			}
			continue
		}
		s.known.Store(max(h.blocks, s.known.Load()))
		if s.cuts++; s.cuts > maxCutNotes {
			return nil
		}
		missed := "no block came in between"
		if next := s.next.Load(); s.begun && h.blocks > next {
			missed = fmt.Sprintf("blocks %d to %d came in between and have no time from it", next, h.blocks-1)
		}
		s.note(fmt.Sprintf("%s %s was not observed for %v: %s (%v)", s.role(), s.node.Name,
			h.at.Sub(lost).Round(time.Millisecond), missed, cause))
		return nil
	}
	return nil
}

func (s *subscription) role() string {
	if s.node.service == deliver.Orderer {
		return "orderer"
	}
	return "peer"
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
