package network

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

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
	} else if err := unused(&n.cfg, dir); err != nil {
		return nil, err
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

// unused reports an error if the directory contains a network, whole or in part. It cannot be
// taken up again, as its keys are gone: what is in the directory is a user's.
func unused(c *Config, dir string) error {
	used := func(path string) error {
		return fmt.Errorf("%s is of an earlier run, which cannot be continued, since every run has keys of its own: "+
			"choose another directory, or remove %s", path, dir)
	}
	for i := range c.Channels {
		if path := chainPath(dir, channelName(i)); exists(path) {
			return used(path)
		}
	}
	for _, s := range c.streams() {
		if path := ledgerDir(dir, s); exists(path) {
			return used(path)
		}
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// open opens the peers' ledgers and makes the channels.
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

// Close stops the nodes, closes the ledgers, and removes everything if it was temporary.
func (n *Network) Close() error {
	n.stop()
	n.minting.Wait()
	var errs []error
	for _, s := range n.streams {
		if s.source != nil {
			errs = append(errs, s.source.Close())
		}
	}
	for _, s := range append(n.peers, n.orderer) {
		if s != nil {
			errs = append(errs, s.stop())
		}
	}
	for _, s := range n.streams {
		errs = append(errs, s.close())
	}
	for _, ch := range n.channels {
		errs = append(errs, ch.chain.file.Close())
	}
	if n.temporary != "" {
		errs = append(errs, os.RemoveAll(n.temporary))
	}
	return errors.Join(errs...)
}
