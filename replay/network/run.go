package network

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/blockreel/blockreel/internal/fabric/deliver"
	"github.com/blockreel/blockreel/replay/driver"
	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

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
			err = errors.Join(err, s.source.Open(n.living))
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
		launch(func() error { return ch.offer(inner, n.start, load, watch) })
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

// over returns when the load is offered and committed, and the orderer has reported all
// that it has sent: a block can be committed before its Send returns.
func (n *Network) over(ctx context.Context) error {
	for _, ch := range n.channels {
		select {
		case <-ch.offered:
		case <-ctx.Done():
			return ctx.Err()
		}
		for _, s := range ch.streams {
			last := ch.chain.Height() - 1
			if last < uint64(firstBlock) {
				continue
			}
			if err := errors.Join(s.height.wait(ctx, last), s.sent.wait(ctx, last)); err != nil {
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
		s.sent.reach(b.Number + 1)
	}
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
