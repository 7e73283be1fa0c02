package fabricnet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/blockreel/blockreel/internal/fabric"
	"github.com/blockreel/blockreel/internal/fabric/deliver"
	"github.com/blockreel/blockreel/recorder"
	"github.com/blockreel/blockreel/recorder/fabricnet/scrape"
	"github.com/blockreel/blockreel/traces"
)

// Network is a Fabric network that is connected and ready to be recorded once.
type Network struct {
	cfg      Config
	nodes    []*node // the orderer, then the peers
	channels []*channel
	metrics  *metrics
	// base is Time 0 of the trace, with its monotonic reading.
	base     time.Time
	caughtUp context.CancelFunc

	mu       sync.Mutex // Status reads these two while Run sets them
	rec      *recorder.Recorder
	payloads *payloads
}

// Open connects to every node and asks for the channels' heights. The caller closes the
// Network. A failure is a *NodeError, or about the Config.
func Open(ctx context.Context, cfg Config) (*Network, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	pages, err := newMetrics(cfg.Metrics)
	if err != nil {
		return nil, err
	}
	n := &Network{cfg: cfg, metrics: pages}
	for i, to := range append([]Node{cfg.Orderer}, cfg.Peers...) {
		service := deliver.Orderer
		if i > 0 {
			service = deliver.PeerFiltered
		}
		nd := &node{Node: to, service: service, signer: cfg.Signer, retry: backoff{first: cfg.RetryAfter, most: cfg.RetryAtMost}}
		err := n.insist(ctx, nd, "", func() (err error) {
			nd.conn, err = deliver.Dial(ctx, to.Endpoint)
			return err
		})
		if err != nil {
			n.Close()
			return nil, err
		}
		n.nodes = append(n.nodes, nd)
	}
	if err := n.wait(ctx); err != nil {
		n.Close()
		return nil, err
	}
	for _, name := range cfg.Channels {
		c, err := n.open(ctx, name)
		if err != nil {
			n.Close()
			return nil, err
		}
		n.channels = append(n.channels, c)
		if at := c.orderer.first.at; n.base.IsZero() || at.Before(n.base) {
			n.base = at
		}
	}
	return n, nil
}

// wait returns when every node has every channel, if it should wait at all: a height that
// was told while others were waited for would be old when the recording begins.
func (n *Network) wait(ctx context.Context) error {
	if !n.cfg.Wait {
		return nil
	}
	for _, nd := range n.nodes {
		for _, name := range n.cfg.Channels {
			err := n.insist(ctx, nd, name, func() error {
				_, err := nd.height(ctx, name)
				return err
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// open asks for the heights of a channel, first at the orderer: what a peer commits
// after that is never older than what the orderer has.
func (n *Network) open(ctx context.Context, name string) (*channel, error) {
	c := &channel{name: name, net: n}
	for i, nd := range n.nodes {
		s := &subscription{node: nd, channel: name, retry: nd.retry}
		err := n.insist(ctx, nd, name, func() (err error) {
			s.first, err = nd.height(ctx, name)
			return err
		})
		if err != nil {
			return nil, err
		}
		s.known.Store(s.first.blocks)
		if i == 0 {
			c.orderer = s
			continue
		}
		c.streams = append(c.streams, &stream{index: len(n.channels)*len(n.cfg.Peers) + i - 1, channel: c, peer: s})
	}
	lowest := c.orderer.first.blocks
	for _, s := range c.streams {
		lowest = min(lowest, s.peer.first.blocks)
		n.begin(s.peer, s.peer.first.blocks)
	}
	n.begin(c.orderer, lowest)
	return c, nil
}

// begin sets where a subscription starts: current, unless the Config says otherwise.
func (n *Network) begin(s *subscription, current uint64) {
	if n.cfg.From != nil {
		s.start = *n.cfg.From
		return
	}
	s.start = deliver.At(current)
	s.next.Store(current)
	s.chain = fabric.ChainAt(current)
}

// Close ends the connections.
func (n *Network) Close() error {
	var errs []error
	for _, nd := range n.nodes {
		errs = append(errs, nd.conn.Close())
	}
	return errors.Join(errs...)
}

// header is that of the trace: a stream for every channel and peer.
func (n *Network) header() traces.Header {
	h := traces.Header{Base: n.base.UTC(), Tool: n.cfg.Tool, Source: "fabric"}
	for _, channel := range n.cfg.Channels {
		for _, peer := range n.cfg.Peers {
			h.Streams = append(h.Streams, traces.Stream{Channel: channel, Orderer: n.cfg.Orderer.Name, Peer: peer.Name, Settings: n.cfg.Settings})
		}
	}
	return h
}

// Run records until ctx ends, which is no error, or a node refuses. The trace of times
// goes to w and is readable after every second; payloads go to a second trace, blocks,
// which may be nil if there are none: see merge.Files. Run may be called once.
func (n *Network) Run(ctx context.Context, w, blocks io.Writer) (err error) {
	if n.rec != nil {
		return errors.New("a network is recorded once: open it again")
	}
	if err := n.write(w, blocks); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.finish()) }()
	ctx, n.caughtUp = context.WithCancel(ctx)
	defer n.caughtUp()
	group, ctx := errgroup.WithContext(ctx)
	for _, c := range n.channels {
		c.begin()
		group.Go(func() error { return c.orderer.run(ctx) })
		for _, s := range c.streams {
			group.Go(func() error { return s.peer.run(ctx) })
		}
	}
	for _, nd := range n.nodes {
		group.Go(func() error { n.measure(ctx, nd); return nil })
	}
	for i, page := range n.metrics.pages {
		name, told := n.metrics.nodes[i], 0
		group.Go(func() error {
			page.Run(ctx, func(at time.Time, all []scrape.Sample) { n.take(name, at, all) },
				func(o scrape.Outage) { n.away(name, o, &told) })
			return nil
		})
	}
	n.endIfCaughtUp()
	err = group.Wait()
	for _, nd := range n.nodes {
		n.tellTrips(nd)
	}
	for _, c := range n.channels {
		c.end()
	}
	return err
}

// write begins the traces.
func (n *Network) write(w, blocks io.Writer) (err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.rec, err = recorder.New(w, n.header(), n.cfg.Recorder); err != nil || n.cfg.Payload == PayloadNone {
		return err
	}
	if n.payloads, err = newPayloads(blocks, n.header(), n.cfg.QueueBytes); err != nil {
		return errors.Join(fmt.Errorf("write payloads: %w", err), n.rec.Close())
	}
	return nil
}

// finish ends the traces; that of times tells what the one of payloads lacks.
func (n *Network) finish() error {
	var err error
	if n.payloads != nil {
		if err = n.payloads.close(); err != nil {
			err = fmt.Errorf("write payloads: %w", err)
		}
		if lost := n.payloads.dropped.Load(); lost > 0 {
			n.rec.Note(traces.Note{Stream: -1, Kind: traces.NoteWarning, Text: fmt.Sprintf(
				"payloads of %d blocks came faster than they could be written and were dropped; their times are whole", lost)})
		}
	}
	return errors.Join(err, n.rec.Close())
}

// endIfCaughtUp ends the recording once every peer has what its orderer has.
func (n *Network) endIfCaughtUp() {
	if !n.cfg.UntilCaughtUp {
		return
	}
	behind := func(s *stream) bool { return s.behind() }
	if !slices.ContainsFunc(n.channels, func(c *channel) bool { return slices.ContainsFunc(c.streams, behind) }) {
		n.caughtUp()
	}
}

// Status is how far a stream has come.
type Status struct {
	// Name is channel@peer.
	Name, Channel string
	// Offered is the orderer's height and Committed the peer's, as far as is known here.
	Offered, Committed uint64
	// OrdererLost and PeerLost are for how long the node has not been observed; 0 while
	// it is.
	OrdererLost, PeerLost time.Duration
	// Blocks is the number of commits that were recorded, Bytes the size of the blocks
	// that came from the orderer.
	Blocks, Bytes uint64
	// Dropped is the number of events that could not be written in time,
	// DroppedPayloads that of blocks of all channels, DroppedSamples that of samples.
	Dropped, DroppedPayloads, DroppedSamples uint64
	// Depth is the peer's payloads buffer in blocks, by its metrics page; −1 if that is
	// not known.
	Depth int64
}

// Status may be called from any goroutine while Run runs, and after it.
func (n *Network) Status() (all []Status) {
	n.mu.Lock()
	rec, payloads := n.rec, n.payloads
	n.mu.Unlock()
	for _, c := range n.channels {
		for _, s := range c.streams {
			st := Status{
				Name:        c.name + "@" + s.peer.node.Name,
				Channel:     c.name,
				Offered:     c.orderer.height(),
				Committed:   s.peer.height(),
				Blocks:      s.blocks.Load(),
				Bytes:       c.bytes.Load(),
				OrdererLost: c.orderer.lostFor(),
				PeerLost:    s.peer.lostFor(),
				Depth:       n.metrics.depth(s.peer.node.Name, c.name),
			}
			if rec != nil {
				st.DroppedSamples = rec.DroppedSamples()
				st.Dropped = rec.Dropped(s.index)
			}
			if payloads != nil {
				st.DroppedPayloads = payloads.dropped.Load()
			}
			all = append(all, st)
		}
	}
	return all
}
