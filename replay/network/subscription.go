package network

import (
	"context"
	"fmt"
	"time"

	"github.com/blockreel/blockreel/internal/fabric"
	"github.com/blockreel/blockreel/internal/fabric/deliver"
	"github.com/blockreel/blockreel/internal/fabric/identity"
	"github.com/blockreel/blockreel/replay/block"
	"github.com/blockreel/blockreel/replay/driver"
	"github.com/blockreel/blockreel/traces/event"
)

// Fabric's backoff between two tries to reach the orderer
// (internal/pkg/peer/blocksprovider: backOffExponentBase, minRetryDelay, maxRetryDelay).
const (
	firstRetry  = 100 * time.Millisecond
	longestWait = 10 * time.Second
	retryGrowth = 1.2
)

// subscription is a peer's Deliver client on one channel: a driver.Receiver that
// reconnects and goes on at the next number.
type subscription struct {
	endpoint deliver.Endpoint
	signer   *identity.Identity
	channel  string
	chain    fabric.Chain // what came so far

	conn    *deliver.Conn
	stream  *deliver.Stream
	bound   bool
	breaks  int // streams that broke and were taken up again
	waiting time.Duration
}

// subscribe makes the subscription of a peer that has the genesis block.
func subscribe(ep deliver.Endpoint, signer *identity.Identity, chain *chain) (*subscription, error) {
	s := &subscription{endpoint: ep, signer: signer, channel: chain.channel}
	raw, err := chain.read(0)
	if err != nil {
		return nil, err
	}
	genesis, err := fabric.ParseBlock(raw)
	if err != nil {
		return nil, err
	}
	return s, s.chain.Next(&genesis)
}

// open asks for the blocks that are lacked. The stream lives no longer than ctx.
func (s *subscription) open(ctx context.Context) error {
	if s.conn == nil {
		conn, err := deliver.Dial(ctx, s.endpoint)
		if err != nil {
			return err
		}
		s.conn = conn
	}
	var err error
	s.stream, err = s.conn.Deliver(ctx, deliver.Orderer, s.signer, deliver.Seek{Channel: s.channel, Start: deliver.At(s.chain.Height())})
	return err
}

// bind lets a stream that was opened before the run end with it.
func (s *subscription) bind(ctx context.Context) {
	if !s.bound && s.stream != nil {
		context.AfterFunc(ctx, s.stream.Close)
	}
	s.bound = true
}

// Recv gives the next block of the chain, whatever becomes of the connection. It fails
// when the orderer refuses the peer, when the chain breaks, or when ctx is done.
func (s *subscription) Recv(ctx context.Context) (driver.Received, error) {
	s.bind(ctx)
	for {
		var d deliver.Delivered
		var err error
		if s.stream == nil {
			err = s.open(ctx)
		}
		if err == nil {
			d, err = s.stream.Recv()
		}
		if err == nil {
			s.waiting = 0
			return s.accept(&d)
		}
		if ctx.Err() != nil {
			return driver.Received{}, ctx.Err()
		}
		if deliver.Permanent(err) {
			return driver.Received{}, err
		}
		if s.stream != nil {
			s.stream = nil
			s.breaks++
		}
		s.waiting = min(max(firstRetry, time.Duration(float64(s.waiting)*retryGrowth)), longestWait)
		if err := pause(ctx, s.waiting); err != nil {
			return driver.Received{}, err
		}
	}
}

// pause waits for as long as d, or until ctx is done.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// accept holds the block against the chain.
func (s *subscription) accept(d *deliver.Delivered) (driver.Received, error) {
	b := &d.Block
	if err := s.chain.Next(b); err != nil {
		return driver.Received{}, fmt.Errorf("channel %s: %w", s.channel, err)
	}
	writes, err := b.Writes()
	if err != nil {
		return driver.Received{}, fmt.Errorf("channel %s: %w", s.channel, err)
	}
	return driver.Received{At: d.Arrived, Block: block.Block{
		Number: event.BlockNum(b.Number), Transactions: b.Transactions, Writes: writes.Count, Bytes: len(b.Raw), Payload: b.Raw,
	}}, nil
}

func (s *subscription) close() error {
	if s.conn == nil {
		return nil
	}
	return s.conn.Close()
}
