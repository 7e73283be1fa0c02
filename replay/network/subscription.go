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

// subscription is a peer's Deliver client on one channel: a driver.Receiver.
type subscription struct {
	deliver.Subscription
	*deliver.Follower
	breaks int // streams that broke and were taken up again
}

// subscribe makes the subscription of a peer that has the genesis block.
func subscribe(ep deliver.Endpoint, signer *identity.Identity, chain *chain) (*subscription, error) {
	raw, err := chain.read(0)
	if err != nil {
		return nil, err
	}
	genesis, err := fabric.ParseBlock(raw)
	if err != nil {
		return nil, err
	}
	s := &subscription{}
	s.Subscription = deliver.Subscription{
		Endpoint: ep, Service: deliver.Orderer, Signer: signer, Seek: deliver.Seek{Channel: chain.channel},
		Retry: deliver.Backoff{First: firstRetry, Most: longestWait, Growth: retryGrowth},
		Lost:  func(error) { s.breaks++ },
	}
	if err := s.Chain.Next(&genesis); err != nil {
		return nil, err
	}
	s.Follower = deliver.Follow(s.Subscription)
	return s, nil
}

// Recv returns the next block of the chain. It fails when the orderer refuses the peer, when
// the chain breaks, or when ctx is done.
func (s *subscription) Recv(ctx context.Context) (driver.Received, error) {
	d, err := s.Follower.Recv(ctx)
	if err != nil {
		return driver.Received{}, err
	}
	b := &d.Block
	writes, err := b.Writes()
	if err != nil {
		return driver.Received{}, fmt.Errorf("channel %s: %w", s.Seek.Channel, err)
	}
	return driver.Received{At: d.Arrived, Block: block.Block{
		Number: event.BlockNum(b.Number), Transactions: b.Transactions, Writes: writes.Count, Bytes: len(b.Raw), Payload: b.Raw,
	}}, nil
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
