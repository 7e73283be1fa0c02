package network

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/blockreel/blockreel/internal/fabric/deliver"
	"github.com/blockreel/blockreel/replay/driver"
	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// firstBlock is the first that is offered: a peer has block 0, the genesis block,
// when it joins.
const firstBlock event.BlockNum = 1

// A Network is an orderer and its peers. Its nodes answer from Open to Close; it runs once.
type Network struct {
	cfg       Config
	temporary string // to be removed
	orderer   *server
	peers     []*server
	channels  []*channel
	streams   []*stream
	committed atomic.Int64

	// The minters live from Prepare to Close.
	prepare sync.Once
	minting sync.WaitGroup
	stop    context.CancelFunc
	living  context.Context

	start   time.Time // of the trace; zero before Header and Run
	running atomic.Pointer[running]
}

// running is what the orderer's hook needs of a run.
type running struct {
	start    time.Time
	observer driver.Observer
}

// Open makes the keys, opens the ledgers and starts the nodes of a network, which must
// be closed.
func Open(cfg Config) (_ *Network, err error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("network: %w", err)
	}
	n := &Network{cfg: cfg}
	n.living, n.stop = context.WithCancel(context.Background())
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("network: %w", err), n.Close())
		}
	}()
	dir := cfg.Dir
	if dir == "" {
		if dir, err = os.MkdirTemp("", "blockreel-"); err != nil {
			return nil, err
		}
		n.temporary = dir
	}
	orderer, peers, err := members(&n.cfg)
	if err != nil {
		return nil, err
	}
	if err := n.open(dir, orderer, peers); err != nil {
		return nil, err
	}
	return n, n.serve(dir, orderer, peers)
}

// open opens the peers' ledgers, and makes the channels if all of them are new.
func (n *Network) open(dir string, orderer *member, peers []*member) error {
	for i, s := range n.cfg.streams() {
		st, err := openStream(&n.cfg, dir, i, s, peers[i%n.cfg.Orgs])
		if st != nil {
			n.streams = append(n.streams, st)
		}
		if err != nil {
			return err
		}
	}
	for i := range n.cfg.Channels {
		ch, err := newChannel(&n.cfg, dir, i, orderer, peers)
		if ch != nil {
			n.channels = append(n.channels, ch)
		}
		if err != nil {
			return err
		}
		ch.streams = n.streams[i*n.cfg.Orgs : (i+1)*n.cfg.Orgs]
		for _, s := range ch.streams {
			s.chain = ch.chain
		}
	}
	return nil
}

// serve starts the nodes and makes the peers' clients ready.
func (n *Network) serve(dir string, orderer *member, peers []*member) error {
	t := newTrust(&n.cfg, append([]*member{orderer}, peers...)...)
	n.orderer = newOrderer(&n.cfg, orderer, t, n.channels, n.sent)
	addresses := append([]string{n.cfg.Listen.Orderer}, n.cfg.Listen.Peers...)
	nodes := []*server{n.orderer}
	for _, m := range peers {
		p := newPeer(&n.cfg, m, t, n.streams)
		n.peers, nodes = append(n.peers, p), append(nodes, p)
	}
	for i, s := range nodes {
		if err := errors.Join(s.start(addresses[i]), s.member.write(dir, &s.node)); err != nil {
			return err
		}
	}
	for _, s := range n.streams {
		ep, err := endpoint(&n.cfg, orderer, s.peer, n.orderer.node.Address)
		if err != nil {
			return err
		}
		if s.source, err = subscribe(ep, s.peer.node.Identity, s.chain); err != nil {
			return err
		}
	}
	return nil
}

// Nodes returns the orderer and the peers, one for each organization, in this order.
func (n *Network) Nodes() []Node {
	nodes := []Node{n.orderer.node}
	for _, p := range n.peers {
		nodes = append(nodes, p.node)
	}
	return nodes
}

// Streams returns the streams of the trace, by their index in events.
func (n *Network) Streams() []traces.Stream {
	var all []traces.Stream
	for _, s := range n.streams {
		all = append(all, s.Stream)
	}
	return all
}

// Status returns where the nodes stand, in the order of Nodes. It may be called at any
// time between Open and Close, from any goroutine.
func (n *Network) Status() []NodeStatus {
	all := []NodeStatus{{Name: n.orderer.node.Name}}
	for _, ch := range n.channels {
		all[0].Channels = append(all[0].Channels, n.orderer.status(ch.chain.channel, ch.chain.Height()))
	}
	for org, p := range n.peers {
		status := NodeStatus{Name: p.node.Name}
		for _, ch := range n.channels {
			s := ch.streams[org]
			c := p.status(s.Channel, s.Height())
			c.Buffered = int(s.buffered.Load())
			status.Channels = append(status.Channels, c)
		}
		all = append(all, status)
	}
	return all
}

// Block returns a marshalled block of a channel as the orderer has it, by the channel's
// index. It waits until the block is offered.
func (n *Network) Block(ctx context.Context, channel int, number event.BlockNum) ([]byte, error) {
	return n.channels[channel].chain.Block(ctx, uint64(number))
}

// Expected returns the number of blocks that all streams together will commit, about
// so for a load that is bounded in time, and 0 for one that is not bounded.
func (n *Network) Expected() int64 {
	l := n.cfg.Load
	rate := l.Rate
	if l.Profile == Ramp {
		rate = (l.Rate + l.StartRate) / 2
	}
	blocks := int64(l.Blocks)
	if within := int64(rate * l.Duration.Seconds()); l.Duration > 0 && (blocks == 0 || within < blocks) {
		blocks = within
	}
	return blocks * int64(len(n.streams))
}

// Committed returns the number of blocks that all streams together have committed. It
// may be called at any time, from any goroutine.
func (n *Network) Committed() int64 { return n.committed.Load() }

// Prepare connects the peers to the orderer and makes the first blocks: so many that the
// load's pace can be kept, if minting is fast enough for it or Config.Ahead… allow it.
// Run does it if nobody has.
func (n *Network) Prepare(ctx context.Context) error {
	var err error
	n.prepare.Do(func() {
		for _, ch := range n.channels {
			n.minting.Go(func() { ch.minter.run(n.living) })
		}
		for _, s := range n.streams {
			err = errors.Join(err, s.source.open(n.living))
		}
	})
	if err != nil {
		return fmt.Errorf("network: %w", err)
	}
	for _, ch := range n.channels {
		select {
		case <-ch.minter.ready:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Header describes the run for its trace. The trace begins now, and the load with Run: call
// it after Prepare and right before Run.
func (n *Network) Header(tool string) traces.Header {
	n.start = time.Now()
	return traces.Header{Base: n.start.UTC(), Tool: tool, Source: "run", Streams: n.Streams()}
}

// Run offers the load and returns when every block of it is committed (unless
// Config.Linger is set), ctx is done, or something fails. The end of ctx is no error but
// the Summary's Interrupted, if the load was not over: what the observer has got by then
// is a run of its own. The observer may be nil; it is called from several goroutines at
// once, a stream's events of one kind in their order.
func (n *Network) Run(ctx context.Context, o driver.Observer) (Summary, error) {
	if err := n.Prepare(ctx); err != nil && ctx.Err() == nil {
		return Summary{}, err
	}
	if n.start.IsZero() {
		n.start = time.Now()
	}
	watch := &tally{n: n, to: o}
	n.running.Store(&running{n.start, watch})
	defer n.running.Store(nil)
	s := Summary{Streams: make([]StreamSummary, len(n.streams)), Interrupted: true, cfg: n.cfg}
	group, grouped := errgroup.WithContext(ctx)
	inner, cancel := context.WithCancel(grouped)
	defer cancel()
	// What ends because the run does has not failed.
	launch := func(f func() error) {
		group.Go(func() error {
			if err := f(); err != nil && (inner.Err() == nil || !errors.Is(err, inner.Err())) {
				return err
			}
			return nil
		})
	}
	for i, st := range n.streams {
		launch(func() (err error) {
			s.Streams[i].Name = st.Name()
			s.Streams[i].Result, err = driver.Live(inner, driver.LiveStream{
				Index: i, Config: n.cfg.Pipeline, Height: event.Height(firstBlock), Start: n.start,
				Receiver: st.source, Ledger: st, Observer: watch,
			})
			return err
		})
	}
	load := time.Now()
	for _, ch := range n.channels {
		ch.minter.started.Store(&load)
		launch(func() error { return ch.offer(inner, n.start, load, &n.cfg, watch) })
	}
	launch(func() error {
		if err := n.over(inner); err != nil {
			return err
		}
		s.Interrupted = false
		if !n.cfg.Linger {
			cancel()
		}
		return nil
	})
	err := group.Wait()
	n.summarize(&s)
	if err != nil {
		return s, fmt.Errorf("network: %w", err)
	}
	return s, nil
}

// over returns when the load is offered and committed.
func (n *Network) over(ctx context.Context) error {
	for _, ch := range n.channels {
		select {
		case <-ch.offered:
		case <-ctx.Done():
			return ctx.Err()
		}
		for _, s := range ch.streams {
			if err := s.height.wait(ctx, ch.chain.Height()-1); err != nil {
				return err
			}
		}
	}
	return nil
}

func (n *Network) summarize(s *Summary) {
	for _, ch := range n.channels {
		s.Channels = append(s.Channels, ChannelSummary{Name: ch.chain.channel, Late: ch.late})
		for _, st := range ch.streams {
			r := &s.Streams[st.index]
			r.Offered, r.Breaks = int(ch.chain.Height()-uint64(firstBlock)), st.source.breaks
		}
	}
}

// sent is the orderer's hook.
func (n *Network) sent(s *stream, b deliver.Sent) {
	if r := n.running.Load(); r != nil {
		r.observer.Observe(event.Event{
			Stream: s.index, Kind: event.Sent, Block: event.BlockNum(b.Number), Value: int64(b.Done.Sub(r.start)),
		})
	}
}

// Close stops the nodes, closes the ledgers, and removes everything if it was temporary.
func (n *Network) Close() error {
	n.stop()
	n.minting.Wait()
	var errs []error
	for _, s := range n.streams {
		if s.source != nil {
			errs = append(errs, s.source.close())
		}
	}
	for _, s := range append(n.peers, n.orderer) {
		if s != nil {
			errs = append(errs, s.stop())
		}
	}
	for _, s := range n.streams {
		errs = append(errs, s.ledger.Close())
	}
	for _, ch := range n.channels {
		errs = append(errs, ch.chain.file.Close())
	}
	if n.temporary != "" {
		errs = append(errs, os.RemoveAll(n.temporary))
	}
	return errors.Join(errs...)
}

// tally counts what happens, on the way to the observer.
type tally struct {
	n  *Network
	to driver.Observer
}

func (t *tally) Observe(e event.Event) {
	switch e.Kind {
	case event.Committed:
		t.n.committed.Add(1)
	case event.Enqueued:
		t.n.streams[e.Stream].buffered.Add(1)
	case event.Dequeued:
		t.n.streams[e.Stream].buffered.Add(-1)
	}
	if t.to != nil {
		t.to.Observe(e)
	}
}
