package network

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"

	"google.golang.org/grpc"

	"github.com/blockreel/blockreel/internal/fabric"
	"github.com/blockreel/blockreel/internal/fabric/deliver"
	"github.com/blockreel/blockreel/replay/block"
	"github.com/blockreel/blockreel/replay/driver"
	"github.com/blockreel/blockreel/replay/ledger"
	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// store is a peer's ledger of one channel.
type store interface {
	driver.Ledger
	Height() event.Height
	// Verdict is that on the block that was committed last, good until the next Validate.
	Verdict() (codes []byte, commitHash [32]byte)
	Close() error
}

// stream is a channel at a peer.
type stream struct {
	traces.Stream
	index    int
	chain    *chain
	peer     *member
	ledger   store
	verdicts *verdicts
	height   height // of ledger
	sent     height // of the blocks that the orderer has reported as sent
	source   *subscription
	buffered atomic.Int64
}

// openStream opens the ledger, in which the genesis block counts as committed.
func openStream(c *Config, dir string, index int, s traces.Stream, peer *member) (*stream, error) {
	open := c.open
	if open == nil {
		open = func(spec string, c ledger.Config) (store, error) { return ledger.Open(spec, c) }
	}
	at := ledger.Config{Dir: ledgerDir(dir, s), Channel: s.Channel, First: firstBlock}
	l, err := open(c.Ledger, at)
	if err != nil {
		return nil, err
	}
	st := &stream{Stream: s, index: index, peer: peer, ledger: l}
	if st.verdicts, err = newVerdicts(filepath.Join(dir, s.Peer), c.most()); err != nil {
		return st, err
	}
	st.height.reach(uint64(firstBlock))
	return st, nil
}

// Validate and Commit are the ledger's: a block counts for the peer's readers as soon as
// it is committed.
func (s *stream) Validate(ctx context.Context, b *block.Block) error {
	return s.ledger.Validate(ctx, b)
}

func (s *stream) Commit(ctx context.Context, b *block.Block) (block.Stages, error) {
	stages, err := s.ledger.Commit(ctx, b)
	if err != nil {
		return stages, err
	}
	codes, commitHash := s.ledger.Verdict()
	if len(codes) != b.Transactions {
		return stages, fmt.Errorf("verdict on block %d: %d transactions, not %d", b.Number, len(codes), b.Transactions)
	}
	if err := s.verdicts.put(uint64(b.Number), codes, commitHash); err != nil {
		return stages, err
	}
	s.height.reach(uint64(b.Number) + 1)
	return stages, nil
}

// Oldest, Height and Block make the stream a deliver.Ledger: what the peer has committed,
// with its ledger's verdicts and commit hash. The bytes are read from the orderer's file, so
// that a block is on disk once for all.
func (s *stream) Oldest() uint64 { return 0 }
func (s *stream) Height() uint64 { return s.height.get() }

func (s *stream) Block(ctx context.Context, number uint64) ([]byte, error) {
	if err := s.height.wait(ctx, number); err != nil {
		return nil, err
	}
	raw, err := s.chain.read(number)
	if err != nil {
		return nil, err
	}
	b, err := fabric.ParseBlock(raw)
	if err != nil {
		return nil, err
	}
	if number < uint64(firstBlock) {
		// As a Fabric peer has the genesis block: valid, and without a commit hash.
		return b.Committed(make([]byte, b.Transactions), nil), nil
	}
	codes, commitHash, err := s.verdicts.get(number, b.Transactions)
	if err != nil {
		return nil, err
	}
	return b.Committed(codes, commitHash), nil
}

// close closes the ledger and what belongs to it, when nobody reads it any more.
func (s *stream) close() error {
	var err error
	if s.verdicts != nil {
		err = s.verdicts.close()
	}
	return errors.Join(err, s.ledger.Close())
}

// newPeer makes a peer's event services.
func newPeer(c *Config, m *member, t trust, streams []*stream) *server {
	s := newServer(c, m, t)
	ledgers := map[string]*stream{}
	for _, st := range streams {
		if st.peer == m {
			ledgers[st.Channel] = st
		}
	}
	deliverer := &deliver.Server{
		Ledgers: func(channel string) (deliver.Ledger, bool) {
			l, ok := ledgers[channel]
			return l, ok
		},
		Trust: t.identities,
		Hooks: deliver.Hooks{Sent: func(r *deliver.Request, _ deliver.Sent) { s.count(r) }},
	}
	s.register = func(g *grpc.Server) { deliverer.RegisterPeer(g) }
	return s
}
