package fabrictest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/blockreel/blockreel/internal/fabric/deliver"
	"github.com/blockreel/blockreel/internal/fabric/pki"
)

// Peer is a small peer: it pulls from an orderer what its ledgers lack, commits it, and
// serves its ledgers.
type Peer struct {
	Node
	Org *Org
	// Who signs its requests.
	Who     *pki.Member
	Ledgers map[string]*Ledger
}

// NewPeer starts a peer of the organization, with TLS, whose ledgers these are.
func NewPeer(t testing.TB, o *Org, name string, ledgers map[string]*Ledger) *Peer {
	t.Helper()
	p := &Peer{Org: o, Who: o.Identity(t, name, "peer"), Ledgers: ledgers}
	p.TLS = o.ServerTLS(t, false, pki.Request{CommonName: name})
	p.Server = &deliver.Server{Trust: pki.Trust(o.Org), Ledgers: func(channel string) (deliver.Ledger, bool) {
		l, ok := ledgers[channel]
		return l, ok
	}}
	p.Start(t)
	return p
}

// Endpoint is how others reach it.
func (p *Peer) Endpoint(t testing.TB) deliver.Endpoint { return p.Org.Endpoint(t, p.Address, p.TLS) }

// Pull reads every channel until ctx ends, which is no error. Like a real peer it comes
// back whenever it is cut off, and gives up on nothing but a refusal.
func (p *Peer) Pull(ctx context.Context, orderer deliver.Endpoint) error {
	group, ctx := errgroup.WithContext(ctx)
	for channel, ledger := range p.Ledgers {
		group.Go(func() error {
			for {
				err := p.pull(ctx, orderer, channel, ledger)
				if ctx.Err() != nil {
					return nil
				}
				if deliver.Permanent(err) || errors.Is(err, errWrong) {
					return err
				}
				again := time.NewTimer(10 * time.Millisecond)
				select {
				case <-again.C:
				case <-ctx.Done():
				}
				again.Stop()
			}
		})
	}
	return group.Wait()
}

// errWrong: what came is not what a peer can commit.
var errWrong = errors.New("wrong block")

func (p *Peer) pull(ctx context.Context, orderer deliver.Endpoint, channel string, l *Ledger) error {
	conn, err := deliver.Dial(ctx, orderer)
	if err != nil {
		return err
	}
	defer conn.Close()
	stream, err := conn.Deliver(ctx, deliver.Orderer, p.Who.Identity, deliver.Seek{Channel: channel, Start: deliver.At(l.Height())})
	if err != nil {
		return err
	}
	defer stream.Close()
	for {
		d, err := stream.Recv()
		if err != nil {
			return err
		}
		if want := l.Height(); d.Number() != want {
			return fmt.Errorf("channel %s: %w: block %d came, want %d", channel, errWrong, d.Number(), want)
		}
		committed, err := commit(d.Block.Raw)
		if err != nil {
			return fmt.Errorf("channel %s: %w: %w", channel, errWrong, err)
		}
		l.Append(committed)
	}
}
