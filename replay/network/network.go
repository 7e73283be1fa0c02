package network

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"sync/atomic"
	"time"

	"github.com/blockreel/blockreel/replay/block"
	"github.com/blockreel/blockreel/replay/driver"
	"github.com/blockreel/blockreel/replay/ledger"
	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// firstBlock is the first that is offered: a peer has block 0, the genesis block,
// when it joins.
const firstBlock event.BlockNum = 1

// A Network is an orderer and its peers, ready to run once.
type Network struct {
	cfg       Config
	streams   []traces.Stream
	ledgers   []*ledger.Ledger
	temporary string // to be removed
	committed atomic.Int64
}

// Open opens the ledgers of a network, which must be closed.
func Open(cfg Config) (_ *Network, err error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("network: %w", err)
	}
	n := &Network{cfg: cfg, streams: cfg.streams()}
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
	for _, s := range n.streams {
		c := ledger.Config{Dir: ledgerDir(dir, s), Channel: s.Channel, First: firstBlock}
		l, err := ledger.Open(cfg.Ledger, c)
		if err != nil {
			return nil, err
		}
		n.ledgers = append(n.ledgers, l)
		if h := l.Height(); h != event.Height(firstBlock) {
			return nil, fmt.Errorf("the ledger in %s has a height of %d already: choose another directory or remove it", c.Dir, h)
		}
	}
	return n, nil
}

// Header describes the run for its trace. The trace begins now: call it right
// before Run.
func (n *Network) Header(tool string) traces.Header {
	return traces.Header{Base: time.Now().UTC(), Tool: tool, Source: "run", Streams: n.streams}
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

// Run offers the load and returns when every block of it is committed, ctx is done, or
// a ledger fails. The end of ctx is no error but the Summary's Interrupted: what the
// observer has got by then is a run of its own. The observer may be nil.
func (n *Network) Run(ctx context.Context, o driver.Observer) (Summary, error) {
	runs, stop := n.runs(o)
	defer stop()
	results, err := driver.Wall{}.Run(ctx, runs...)
	s := Summary{ledger: n.cfg.Ledger}
	if err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		s.Interrupted, err = true, nil
	}
	for i, r := range results {
		s.Streams = append(s.Streams, StreamSummary{n.streams[i].Name(), r})
	}
	if err != nil {
		return s, fmt.Errorf("network: %w", err)
	}
	return s, nil
}

// runs are what the driver is to run, until stop is called.
func (n *Network) runs(o driver.Observer) (runs []driver.Stream, stop func()) {
	var stops []func()
	for i, l := range n.ledgers {
		next, stop := iter.Pull(n.cfg.Offers(n.cfg.channel(i)))
		stops = append(stops, stop)
		runs = append(runs, driver.Stream{
			Index:    i,
			Config:   n.cfg.Pipeline,
			Height:   l.Height(),
			Source:   &source{cfg: &n.cfg, next: next, number: firstBlock},
			Ledger:   l,
			Observer: counter{&n.committed, o},
		})
	}
	return runs, func() {
		for _, stop := range stops {
			stop()
		}
	}
}

// Close closes the ledgers and removes them if they were temporary.
func (n *Network) Close() error {
	var errs []error
	for _, l := range n.ledgers {
		errs = append(errs, l.Close())
	}
	if n.temporary != "" {
		errs = append(errs, os.RemoveAll(n.temporary))
	}
	return errors.Join(errs...)
}

// source is the orderer's side of one stream.
type source struct {
	cfg    *Config
	next   func() (event.Time, bool)
	number event.BlockNum
}

// Next makes the next block, without contents.
func (s *source) Next() (driver.Arrival, bool) {
	at, ok := s.next()
	if !ok {
		return driver.Arrival{}, false
	}
	a := driver.Arrival{Offered: at, Block: block.Block{
		Number: s.number, Transactions: s.cfg.Transactions, Writes: s.cfg.Writes, Bytes: s.cfg.Bytes,
	}}
	s.number++
	return a, true
}

// counter counts commits on the way to the observer.
type counter struct {
	committed *atomic.Int64
	to        driver.Observer
}

func (c counter) Observe(e event.Event) {
	if e.Kind == event.Committed {
		c.committed.Add(1)
	}
	if c.to != nil {
		c.to.Observe(e)
	}
}
