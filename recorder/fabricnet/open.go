package fabricnet

import (
	"context"
	"errors"
	"fmt"

	"github.com/blockreel/blockreel/internal/fabric/deliver"
)

// AheadError: the first block that was asked for is not there yet.
type AheadError struct{ From, Height uint64 }

func (e *AheadError) Error() string {
	return fmt.Sprintf("block %d is not there yet: the height is %d", e.From, e.Height)
}

// openSome opens the channels that are there: all of them, or at least one if cfg says to
// wait. The heights are asked for in one go, so that none is old when the recording begins.
func (n *Network) openSome(ctx context.Context) error {
	for b := n.nodes[0].retry; ; {
		opened := false
		var failed error
		for _, c := range n.channels {
			err := n.try(ctx, c)
			if err != nil && (!n.cfg.Wait || deliver.Permanent(err)) {
				return err
			}
			if err != nil {
				failed = err
				continue
			}
			opened = true
			if at := c.orderer.first.At; n.base.IsZero() || at.Before(n.base) {
				n.base = at
			}
		}
		if opened {
			return nil
		}
		if !b.Pause(ctx) {
			return errors.Join(ctx.Err(), failed)
		}
	}
}

// await opens a channel while others are recorded; ctx may end before (nil).
func (n *Network) await(ctx context.Context, c *channel) error {
	for b := n.nodes[0].retry; b.Pause(ctx); {
		if err := n.try(ctx, c); err == nil || deliver.Permanent(err) && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

// try opens a channel once, and reports whom it has to wait for.
func (n *Network) try(ctx context.Context, c *channel) error {
	err := n.open(ctx, c)
	var node *NodeError
	if n.cfg.Wait && errors.As(err, &node) && !deliver.Permanent(err) && ctx.Err() == nil && !c.told[node.Name] {
		c.told[node.Name] = true
		n.cfg.Waiting(err)
	}
	return err
}

// open asks for the heights of a channel, first at the orderer: what a peer commits
// after that is never older than what the orderer has.
func (n *Network) open(ctx context.Context, c *channel) error {
	all := []*subscription{c.orderer}
	for _, s := range c.streams {
		all = append(all, s.peer)
	}
	var start *deliver.Position
	from, numbered := uint64(0), false
	if n.cfg.From != nil {
		position := deliver.Oldest
		if *n.cfg.From != Oldest {
			from, numbered = uint64(*n.cfg.From), true
			position = deliver.At(from)
		}
		start = &position
	}
	for i, s := range all {
		var err error
		if s.first, err = s.node.height(ctx, c.name); err != nil {
			return s.node.fail(c.name, err)
		}
		if i == 0 && numbered && from > s.first.Blocks {
			return s.node.fail(c.name, &AheadError{From: from, Height: s.first.Blocks})
		}
	}
	// What the peers have yet to commit is read beside the blocks that come, and so is what
	// the Config wants: a block that comes must not wait for them.
	lowest := c.orderer.first.Blocks
	for _, s := range c.streams {
		s.from = max(s.peer.first.Blocks, from)
		lowest = min(lowest, s.from)
		s.peer.begin()
		c.read(s.peer, start, s.peer.first.Blocks)
	}
	if start == nil {
		at := deliver.At(lowest)
		start = &at
	}
	c.orderer.begin()
	c.read(c.orderer, start, c.orderer.first.Blocks)
	if n.cfg.From != nil && len(c.past) > 0 {
		n.chasing.Store(true)
	}
	c.opened.Store(true)
	return nil
}

// begin makes a subscription start at the node's height.
func (s *subscription) begin() { s.follow(deliver.At(s.first.Blocks), 0) }

// read adds the blocks of a node from a position on that were there when s began.
func (c *channel) read(s *subscription, from *deliver.Position, until uint64) {
	if from == nil {
		return
	}
	if n, ok := from.Number(); ok && n >= until || until == 0 {
		return
	}
	p := &subscription{node: s.node, channel: c}
	p.follow(*from, until)
	c.past = append(c.past, p)
}

// unread is the number of older blocks that the orderer has yet to send.
func (c *channel) unread() uint64 {
	for _, p := range c.past {
		if p.node == c.orderer.node {
			return p.until - min(p.feed.Next(), p.until)
		}
	}
	return 0
}
