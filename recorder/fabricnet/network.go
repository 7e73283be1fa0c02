package fabricnet

import (
	"context"
	"errors"
	"io"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/blockreel/blockreel/internal/fabric/deliver"
	"github.com/blockreel/blockreel/internal/fabric/scrape"
	"github.com/blockreel/blockreel/recorder"
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
	// chasing: there are older blocks to read; stirred receives when a block arrives. See
	// caughtup.go.
	chasing atomic.Bool
	stirred chan struct{}

	mu       sync.Mutex // Status and Warnings read these while Run sets them
	rec      *recorder.Recorder
	warnings []traces.Note
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
	n := &Network{cfg: cfg, metrics: pages, stirred: make(chan struct{}, 1)}
	for i, to := range append([]Node{cfg.Orderer}, cfg.Peers...) {
		service := deliver.Orderer
		if i > 0 {
			service = deliver.PeerFiltered
		}
		nd := &node{Node: to, service: service, signer: cfg.Signer, retry: deliver.Backoff{First: cfg.RetryAfter, Most: cfg.RetryAtMost}}
		if err := n.dial(ctx, nd); err != nil {
			n.Close()
			return nil, err
		}
		n.nodes = append(n.nodes, nd)
	}
	for i, name := range cfg.Channels {
		c := &channel{name: name, net: n, told: map[string]bool{}}
		for j, nd := range n.nodes {
			s := &subscription{node: nd, channel: c}
			if j == 0 {
				c.orderer = s
			} else {
				c.streams = append(c.streams, &stream{index: i*len(cfg.Peers) + j - 1, channel: c, peer: s})
			}
		}
		n.channels = append(n.channels, c)
	}
	if err := n.openSome(ctx); err != nil {
		n.Close()
		return nil, err
	}
	return n, nil
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
	for _, c := range n.channels {
		for _, s := range c.streams {
			settings := n.cfg.Settings
			if from, to := s.backlog(); c.opened.Load() && from < to {
				settings = maps.Clone(settings)
				if settings == nil {
					settings = traces.Settings{}
				}
				settings.SetInt(traces.SettingBacklogBefore, int64(to))
			}
			h.Streams = append(h.Streams, traces.Stream{Channel: c.name, Orderer: n.cfg.Orderer.Name, Peer: s.peer.node.Name, Settings: settings})
		}
	}
	return h
}

// Run records until ctx ends, which is no error, or a node refuses. The trace is readable
// after every second. Run may be called once.
func (n *Network) Run(ctx context.Context, w io.Writer) (err error) {
	if n.rec != nil {
		return errors.New("a network is recorded once: open it again")
	}
	if err := n.begin(w); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.rec.Close()) }()
	ctx, n.caughtUp = context.WithCancel(ctx)
	defer n.caughtUp()
	group, ctx := errgroup.WithContext(ctx)
	for _, c := range n.channels {
		if c.opened.Load() {
			c.follow(ctx, group)
			continue
		}
		group.Go(func() error {
			if err := n.await(ctx, c); err != nil || !c.opened.Load() {
				return err
			}
			c.follow(ctx, group)
			return nil
		})
	}
	if n.cfg.UntilCaughtUp && !n.chasing.Load() {
		group.Go(func() error { n.endWhenQuiet(ctx); return nil })
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
	n.tell()
	return err
}

// begin begins the trace.
func (n *Network) begin(w io.Writer) (err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.rec, err = recorder.New(w, n.header(), n.cfg.Recorder)
	return err
}

// follow starts the goroutines of a channel that has opened.
func (c *channel) follow(ctx context.Context, group *errgroup.Group) {
	c.begin()
	group.Go(func() error { return c.orderer.run(ctx) })
	for _, s := range c.streams {
		group.Go(func() error { return s.peer.run(ctx) })
	}
	for _, p := range c.past {
		group.Go(func() error {
			err := p.read(ctx)
			c.net.endIfCaughtUp()
			return err
		})
	}
}

// tell notes what is known when all has ended.
func (n *Network) tell() {
	for _, nd := range n.nodes {
		n.tellOutage(nd)
		n.tellTrips(nd)
	}
	n.tellPages()
	for _, c := range n.channels {
		if c.opened.Load() {
			c.end()
		} else {
			n.note(-1, traces.NoteWarning, "channel %s was waited for, and not there at all nodes until the recording ended", c.name)
		}
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
	// Past is the number of older blocks that have yet to be read from the orderer.
	Past uint64
	// Waiting: the channel is not there yet.
	Waiting bool
	// Depth is the peer's payloads buffer in blocks, by its metrics page; −1 if that is
	// not known.
	Depth int64
}

// Status may be called from any goroutine while Run runs, and after it.
func (n *Network) Status() (all []Status) {
	n.mu.Lock()
	rec := n.rec
	n.mu.Unlock()
	for _, c := range n.channels {
		for _, s := range c.streams {
			st := Status{
				Name:        c.name + "@" + s.peer.node.Name,
				Channel:     c.name,
				Blocks:      s.blocks.Load(),
				Bytes:       c.bytes.Load(),
				OrdererLost: c.orderer.lostFor(),
				PeerLost:    s.peer.lostFor(),
				Waiting:     !c.opened.Load(),
				Depth:       n.metrics.depth(s.peer.node.Name, c.name),
			}
			if !st.Waiting {
				st.Offered, st.Committed = c.orderer.feed.Height(), s.peer.feed.Height()
				st.Past = c.unread()
			}
			if rec != nil {
				st.DroppedSamples = rec.DroppedSamples()
				st.Dropped = rec.Dropped(s.index)
				st.DroppedPayloads = rec.DroppedPayloads()
			}
			all = append(all, st)
		}
	}
	return all
}
