package fabrictest

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/blockreel/blockreel/internal/fabric/deliver"
)

// Patience bounds what must happen.
const Patience = time.Minute

// Ledger is a chain in memory that can grow while it is read.
type Ledger struct {
	mu     sync.Mutex
	oldest uint64
	blocks [][]byte
	grown  chan struct{}
}

// NewLedger makes a ledger that begins at block oldest.
func NewLedger(oldest uint64, blocks ...[]byte) *Ledger {
	return &Ledger{oldest: oldest, blocks: slices.Clone(blocks), grown: make(chan struct{})}
}

// Append adds blocks.
func (l *Ledger) Append(blocks ...[]byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.blocks = append(l.blocks, blocks...)
	close(l.grown)
	l.grown = make(chan struct{})
}

// Oldest is the first block's number.
func (l *Ledger) Oldest() uint64 { return l.oldest }

// Height is the number of the block that comes next.
func (l *Ledger) Height() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.oldest + uint64(len(l.blocks))
}

// Block waits for a block.
func (l *Ledger) Block(ctx context.Context, number uint64) ([]byte, error) {
	for {
		l.mu.Lock()
		grown, i := l.grown, number-l.oldest
		if i < uint64(len(l.blocks)) {
			defer l.mu.Unlock()
			return l.blocks[i], nil
		}
		l.mu.Unlock()
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-grown:
		}
	}
}

// Node is a Deliver server at work, which can be stopped and started again at its address.
type Node struct {
	Server  *deliver.Server
	TLS     *tls.Config
	Options []grpc.ServerOption
	// Register is which of its services it has. Nil: all.
	Register func(grpc.ServiceRegistrar)
	Address  string
	Stop     func()
}

// Start listens at Address, a free port of loopback if it is empty.
func (n *Node) Start(t testing.TB) {
	t.Helper()
	if n.Address == "" {
		n.Address = "127.0.0.1:0"
	}
	listener, err := net.Listen("tcp", n.Address)
	if err != nil {
		t.Fatal(err)
	}
	n.Address = listener.Addr().String()
	server := grpc.NewServer(append(deliver.ServerOptions(n.TLS), n.Options...)...)
	if n.Register != nil {
		n.Register(server)
	} else {
		n.Server.RegisterOrderer(server)
		n.Server.RegisterPeer(server)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		// Stop can come before Serve has begun.
		if err := server.Serve(listener); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			t.Error(err)
		}
	}()
	n.Stop = sync.OnceFunc(func() {
		server.Stop()
		<-done
	})
	t.Cleanup(n.Stop)
}

// Open subscribes with a deadline, so that a test that would hang fails.
func Open(t testing.TB, ep deliver.Endpoint, service deliver.Service, o *Org, seek deliver.Seek) *deliver.Stream {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	t.Cleanup(cancel)
	conn, err := deliver.Dial(ctx, ep)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	stream, err := conn.Deliver(ctx, service, o.User.Identity, seek)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stream.Close)
	return stream
}
