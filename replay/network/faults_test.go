package network

import (
	"context"
	"errors"
	"testing"

	"github.com/blockreel/blockreel/internal/fabric"
	"github.com/blockreel/blockreel/internal/fabric/deliver"
	"github.com/blockreel/blockreel/internal/fabric/pki"
	commonpb "github.com/blockreel/blockreel/internal/fabric/proto/common"
	"github.com/blockreel/blockreel/replay/block"
	"github.com/blockreel/blockreel/replay/ledger"
)

var errDisk = errors.New("no space left")

// broken is a ledger that fails at its tenth block.
type broken struct{ gated }

func (b *broken) Commit(ctx context.Context, bl *block.Block) (block.Stages, error) {
	if bl.Number == 10 {
		return block.Stages{}, errDisk
	}
	return b.gated.Commit(ctx, bl)
}

// follow lets the stream follow something else.
func (s *stream) follow(change func(*deliver.Subscription)) {
	change(&s.source.Subscription)
	s.source.Follower = deliver.Follow(s.source.Subscription)
}

// What a peer cannot go on with ends the run with the cause: a chain that forks, an
// orderer that refuses it, a ledger that fails.
func TestRunFails(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*testing.T, *Network)
		is    error
	}{
		"fork": {func(t *testing.T, n *Network) {
			raw, err := n.Block(within(t), 1, 0)
			if err != nil {
				t.Fatal(err)
			}
			genesis, err := fabric.ParseBlock(raw)
			if err != nil {
				t.Fatal(err)
			}
			var other fabric.Chain
			if err := other.Next(&genesis); err != nil {
				t.Fatal(err)
			}
			n.streams[0].follow(func(s *deliver.Subscription) { s.Chain = other })
		}, fabric.ErrFork},
		"refusal": {func(t *testing.T, n *Network) {
			org, err := pki.NewOrg("Org1MSP", "org1.example.com")
			if err != nil {
				t.Fatal(err)
			}
			stranger, err := org.Member("peer0", "peer")
			if err != nil {
				t.Fatal(err)
			}
			n.streams[0].follow(func(s *deliver.Subscription) { s.Signer = stranger.Identity })
		}, &deliver.StatusError{Status: commonpb.Status_FORBIDDEN}},
		"ledger": {func(_ *testing.T, n *Network) { n.streams[3].ledger = &broken{} }, errDisk},
	} {
		t.Run(name, func(t *testing.T) {
			n := opened(t, with(small(), func(ledger.Config) store { return &gated{} }))
			c.spoil(t, n)
			s, err := n.Run(within(t), nil)
			if !errors.Is(err, c.is) || !s.Interrupted {
				t.Errorf("error %v, want %v; %+v", err, c.is, s)
			}
		})
	}
}
