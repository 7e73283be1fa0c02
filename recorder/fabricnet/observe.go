package fabricnet

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/dustin/go-humanize/english"

	"github.com/blockreel/blockreel/internal/fabric/deliver"
	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// channel is one channel at the orderer, and its streams to the peers.
type channel struct {
	name    string
	net     *Network
	orderer *subscription
	streams []*stream
	// opened: every node has reported its height. What stands below, and first and start of
	// the subscriptions, is set before.
	opened atomic.Bool
	// past are the blocks of before, at the nodes that have some.
	past []*subscription
	// told are the nodes that were waited for.
	told map[string]bool

	bytes atomic.Uint64
	// unreadable counts blocks whose transactions cannot all be read.
	unreadable atomic.Uint64
}

// stream is a channel's way to one peer.
type stream struct {
	index   int
	channel *channel
	peer    *subscription
	// from is the first block whose commit is recorded.
	from   uint64
	blocks atomic.Uint64
	order  order
	// transactions, and those that the peer has found invalid.
	transactions, invalid atomic.Uint64
}

// begin notes what is known before the first block, and takes the blocks.
func (c *channel) begin() {
	c.orderer.take = c.offered
	for _, s := range c.streams {
		s.peer.take = s.committed
		s.note(traces.NoteFact, "offered is the arrival of the orderer's block at the recorder, committed the arrival of the peer's event, both by the recorder's own clock; "+
			"arrivals are late by the way from the node, for which the series %s is a bound, by the transfer of a large block, and by what the node takes to begin sending; "+
			"a request for the newest block took %v at the orderer and %v at the peer when the recording began",
			SeriesRoundTrip, c.orderer.first.Took.Round(time.Microsecond), s.peer.first.Took.Round(time.Microsecond))
		if from, to := s.backlog(); from < to {
			s.note(traces.NoteWarning, "%s in the orderer's ledger before the recording began: offered is its beginning here, "+
				"delivery took longer than it seems, and nothing is known of the rate of offers", blocksWere(from, to))
		}
	}
	for _, p := range c.past {
		if p.node == c.orderer.node {
			p.take = c.old
			continue
		}
		for _, s := range c.streams {
			if s.peer.node == p.node {
				p.take = func(d *deliver.Delivered) { s.verdicts(d) }
			}
		}
	}
}

// backlog is what the peer had yet to commit when the recording began, of what is
// recorded; to is the first block after it.
func (s *stream) backlog() (from, to uint64) {
	return s.from, s.channel.orderer.first.Blocks
}

// blocksWere begins a sentence about the blocks below to.
func blocksWere(from, to uint64) string {
	if from+1 == to {
		return fmt.Sprintf("block %d was", from)
	}
	return fmt.Sprintf("blocks %d to %d were", from, to-1)
}

func (c *channel) observing(s *subscription, at time.Time, v float64) {
	c.net.sample(traces.Series{Name: traces.SeriesObserving, Node: s.node.Name, Channel: c.name}, at, v)
}

// offered takes a block that came from the orderer after the recording began.
func (c *channel) offered(d *deliver.Delivered) {
	n := d.Number()
	for _, s := range c.streams {
		if n >= s.peer.first.Blocks {
			s.order.offered(n, c.net.time(d.Arrived), !d.Old, func(at int64) { s.observe(event.Offered, n, at) })
		}
	}
	c.measure(d)
	c.net.stir()
	c.net.endIfCaughtUp()
}

// old takes a block that the orderer had before.
func (c *channel) old(d *deliver.Delivered) {
	n := d.Number()
	for _, s := range c.streams {
		if from, to := s.backlog(); n >= from && n < to {
			s.observe(event.Offered, n, c.net.time(c.orderer.first.At))
		}
	}
	c.measure(d)
}

// measure takes what is in a block.
func (c *channel) measure(d *deliver.Delivered) {
	n := d.Number()
	writes, err := d.Block.Writes()
	if err != nil {
		c.unreadable.Add(1)
	}
	c.bytes.Add(uint64(len(d.Block.Raw)))
	for _, s := range c.streams {
		if n < s.peer.first.Blocks && c.net.cfg.From == nil {
			continue // another peer's backlog
		}
		s.observe(event.Transactions, n, int64(d.Block.Transactions))
		s.observe(event.Bytes, n, int64(len(d.Block.Raw)))
		s.observe(event.Writes, n, int64(writes.Count))
	}
	switch c.net.cfg.Payload {
	case PayloadFull:
		c.net.rec.Payload(traces.Payload{Channel: c.name, Block: event.BlockNum(n), Bytes: d.Block.Raw})
	case PayloadHeaders:
		c.net.rec.Payload(traces.Payload{Channel: c.name, Block: event.BlockNum(n), Bytes: d.Block.WithoutData()})
	}
}

// committed takes a peer's event.
func (s *stream) committed(d *deliver.Delivered) {
	n := d.Number()
	if n >= s.from {
		s.verdicts(d)
	}
	if n >= s.from && !d.Old {
		at := s.channel.net.time(d.Arrived)
		s.observe(event.Committed, n, at)
		s.blocks.Add(1)
		if n >= s.channel.orderer.first.Blocks {
			s.order.committed(n, at, func(at int64) { s.observe(event.Offered, n, at) })
		}
	}
	s.channel.net.endIfCaughtUp()
}

// verdicts counts what the peer says of a block's transactions.
func (s *stream) verdicts(d *deliver.Delivered) {
	invalid := d.Invalid()
	s.transactions.Add(uint64(len(d.Filtered.FilteredTransactions)))
	s.invalid.Add(uint64(invalid))
	s.observe(event.InvalidTransactions, d.Number(), invalid)
}

// end notes what only the whole recording can tell.
func (c *channel) end() {
	for _, p := range c.past {
		if !p.ended.Load() {
			c.net.note(-1, traces.NoteWarning, "the recording ended before all blocks below %d of %s were read from %s %s: it had come to %d",
				p.until, c.name, p.node.role(), p.node.Name, p.feed.Next())
		}
	}
	if n := c.unreadable.Load(); n > 0 {
		c.net.note(-1, traces.NoteWarning, "transactions of %s of %s cannot be read: their writes are not counted", english.Plural(int(n), "block", ""), c.name)
	}
	for _, s := range c.streams {
		if all := s.transactions.Load(); all > 0 {
			s.note(traces.NoteFact, "by the peer's verdicts, %d of %d transactions are invalid", s.invalid.Load(), all)
		}
		if s.order.count > 0 {
			commits := fmt.Sprintf("%d commits were", s.order.count)
			if s.order.count == 1 {
				commits = "1 commit was"
			}
			s.note(traces.NoteWarning, "%s seen before the block came from the orderer, whose way to the recorder is the longer one: "+
				"such a block counts as offered when its commit was seen", commits)
		}
		if c.net.cfg.Payload == PayloadHeaders {
			s.note(traces.NotePayloads, "they are blocks without their transactions")
		}
	}
}

func (n *Network) time(t time.Time) int64 { return int64(t.Sub(n.base)) }

func (s *stream) observe(k event.Kind, block uint64, v int64) {
	s.channel.net.rec.Observe(event.Event{Stream: s.index, Kind: k, Block: event.BlockNum(block), Value: v})
}

func (s *stream) note(kind, format string, args ...any) {
	s.channel.net.note(s.index, kind, format, args...)
}
