package fabricnet

import (
	"fmt"
	"sync/atomic"
	"time"

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
	bytes   atomic.Uint64
	// unreadable counts blocks whose transactions cannot all be read. Of the orderer's
	// goroutine.
	unreadable int
}

// stream is a channel's way to one peer.
type stream struct {
	index   int
	channel *channel
	peer    *subscription
	blocks  atomic.Uint64
	order   order
	// Of the peer's goroutine: transactions, and those that the peer has found invalid.
	transactions, invalid int
}

// begin notes what is known before the first block, and takes the blocks.
func (c *channel) begin() {
	c.orderer.take, c.orderer.watch = c.offered, c.watch(c.orderer)
	c.orderer.note = func(text string) {
		for _, s := range c.streams {
			s.note(traces.NoteWarning, "%s", text)
		}
	}
	for _, s := range c.streams {
		s.peer.take, s.peer.watch = s.committed, c.watch(s.peer)
		s.peer.note = func(text string) { s.note(traces.NoteWarning, "%s", text) }
		s.note(traces.NoteFact, "offered is the arrival of the orderer's block at the recorder, committed the arrival of the peer's event, both by the recorder's own clock; "+
			"arrivals are late by the way from the node, for which the series %s is a bound, by the transfer of a large block, and by what the node takes to begin sending; "+
			"a request for the newest block took %v at the orderer and %v at the peer when the recording began",
			SeriesRoundTrip, c.orderer.first.took.Round(time.Microsecond), s.peer.first.took.Round(time.Microsecond))
		if from, to := s.peer.first.blocks, c.orderer.first.blocks; from < to {
			s.note(traces.NoteWarning, "blocks %d to %d were in the orderer's ledger before the recording began: they count as offered at its beginning, "+
				"and their delivery took longer than it seems", from, to-1)
		}
	}
}

// watch makes samples of when a node's channel was observed.
func (c *channel) watch(s *subscription) func(time.Time, bool) {
	series := traces.Series{Name: traces.SeriesObserving, Node: s.node.Name, Channel: c.name}
	return func(at time.Time, observing bool) {
		v := 0.0
		if observing {
			v = 1
		}
		c.net.sample(series, at, v)
	}
}

// offered takes a block from the orderer.
func (c *channel) offered(d *deliver.Delivered, live bool) {
	n := d.Number()
	writes, err := d.Block.Writes()
	if err != nil {
		c.unreadable++
	}
	c.bytes.Add(uint64(len(d.Block.Raw)))
	for _, s := range c.streams {
		if n < s.peer.first.blocks && c.net.cfg.From == nil {
			continue // another peer's backlog
		}
		if n < c.orderer.first.blocks && n >= s.peer.first.blocks {
			s.observe(event.Offered, n, c.net.time(c.orderer.first.at))
		}
		s.order.offered(n, c.net.time(d.Arrived), live, func(at int64) { s.observe(event.Offered, n, at) })
		s.observe(event.Transactions, n, int64(d.Block.Transactions))
		s.observe(event.Bytes, n, int64(len(d.Block.Raw)))
		s.observe(event.Writes, n, int64(writes.Count))
	}
	switch c.net.cfg.Payload {
	case PayloadFull:
		c.net.payloads.put(c.name, event.BlockNum(n), d.Block.Raw)
	case PayloadHeaders:
		c.net.payloads.put(c.name, event.BlockNum(n), d.Block.WithoutData())
	}
	c.net.endIfCaughtUp()
}

// committed takes a peer's event.
func (s *stream) committed(d *deliver.Delivered, live bool) {
	n := d.Number()
	for _, tx := range d.Filtered.FilteredTransactions {
		s.transactions++
		if tx.TxValidationCode != 0 {
			s.invalid++
		}
	}
	if live {
		at := s.channel.net.time(d.Arrived)
		s.observe(event.Committed, n, at)
		s.blocks.Add(1)
		s.order.committed(n, at, func(at int64) { s.observe(event.Offered, n, at) })
	}
	s.channel.net.endIfCaughtUp()
}

// end notes what only the whole recording can tell.
func (c *channel) end() {
	for _, s := range c.streams {
		if s.transactions > 0 {
			s.note(traces.NoteFact, "by the peer's verdicts, %d of %d transactions are invalid", s.invalid, s.transactions)
		}
		if s.order.count > 0 {
			s.note(traces.NoteWarning, "%d commits were seen before their block came from the orderer, whose way to the recorder is the longer one: "+
				"these blocks count as offered when their commit was seen", s.order.count)
		}
		if c.unreadable > 0 {
			s.note(traces.NoteWarning, "%d blocks have transactions that cannot be read: their writes are not counted", c.unreadable)
		}
		if c.net.cfg.Payload == PayloadHeaders {
			s.note(traces.NoteFact, "payloads are blocks without their transactions")
		}
	}
}

func (n *Network) time(t time.Time) int64 { return int64(t.Sub(n.base)) }

func (s *stream) observe(k event.Kind, block uint64, v int64) {
	s.channel.net.rec.Observe(event.Event{Stream: s.index, Kind: k, Block: event.BlockNum(block), Value: v})
}

func (s *stream) note(kind, format string, args ...any) {
	s.channel.net.rec.Note(traces.Note{Stream: s.index, Kind: kind, Text: fmt.Sprintf(format, args...)})
}

// height is what is known of the node's: told by it, or by its blocks.
func (s *subscription) height() uint64 { return max(s.known.Load(), s.next.Load()) }

// behind reports whether blocks that the orderer has have yet to come from it, or from
// the peer.
func (s *stream) behind() bool {
	h := s.channel.orderer.height()
	return s.channel.orderer.next.Load() < h || s.peer.next.Load() < max(h, s.peer.height())
}
