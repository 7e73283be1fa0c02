package deliver_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"

	"github.com/blockreel/blockreel/internal/fabric/blocktest"
	"github.com/blockreel/blockreel/internal/fabric/deliver"
	"github.com/blockreel/blockreel/internal/fabric/pki"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds what must happen; nothing is asserted about how fast.
const patience = time.Minute

// ledger is a chain in memory that tests can extend.
type ledger struct {
	mu     sync.Mutex
	oldest uint64
	blocks [][]byte
	grown  chan struct{}
	// fail is what Block answers from block number failAt on.
	fail   error
	failAt uint64
}

func newLedger(blocks ...[]byte) *ledger {
	return &ledger{blocks: blocks, grown: make(chan struct{})}
}

func (l *ledger) append(blocks ...[]byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.blocks = append(l.blocks, blocks...)
	close(l.grown)
	l.grown = make(chan struct{})
}

func (l *ledger) Oldest() uint64 { return l.oldest }

func (l *ledger) Height() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.oldest + uint64(len(l.blocks))
}

func (l *ledger) Block(ctx context.Context, number uint64) ([]byte, error) {
	for {
		l.mu.Lock()
		grown := l.grown
		if l.fail != nil && number >= l.failAt {
			l.mu.Unlock()
			return nil, l.fail
		}
		if i := number - l.oldest; i < uint64(len(l.blocks)) {
			block := l.blocks[i]
			l.mu.Unlock()
			return block, nil
		}
		l.mu.Unlock()
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-grown:
		}
	}
}

// node is an organization with a node that has one channel, ch1.
type node struct {
	org     *pki.Org
	user    *pki.Member
	ledger  *ledger
	server  *deliver.Server
	address string
	stop    func()
}

type nodeConfig struct {
	blocks [][]byte
	// plain: no TLS. mutual: client certificates are demanded.
	plain, mutual bool
	// ordererOnly: the node has no peer's services.
	ordererOnly bool
	// expired: the node's TLS certificate.
	expired bool
	// hosts in the TLS certificate; nil: localhost and 127.0.0.1.
	hosts   []string
	hooks   deliver.Hooks
	options []grpc.ServerOption
}

func startNode(t testing.TB, c nodeConfig) *node {
	t.Helper()
	org, err := pki.NewOrg("Org1MSP", "org1.example.com")
	if err != nil {
		t.Fatal(err)
	}
	user, err := org.Member("user", "client")
	if err != nil {
		t.Fatal(err)
	}
	n := &node{org: org, user: user, ledger: newLedger(c.blocks...)}
	n.server = &deliver.Server{
		Ledgers: func(channel string) (deliver.Ledger, bool) { return n.ledger, channel == "ch1" },
		Trust:   pki.Trust(org), Hooks: c.hooks,
	}
	var config *tls.Config
	if !c.plain {
		config = n.tlsConfig(t, c)
	}
	n.start(t, config, c)
	return n
}

func (n *node) tlsConfig(t testing.TB, c nodeConfig) *tls.Config {
	t.Helper()
	if c.hosts == nil {
		c.hosts = []string{"localhost", "127.0.0.1"}
	}
	request := pki.Request{CommonName: "node", Hosts: c.hosts}
	if c.expired {
		request.NotAfter = time.Now().Add(-time.Hour)
	}
	keys, err := n.org.TLSCA.Issue(request)
	if err != nil {
		t.Fatal(err)
	}
	clients := n.org.TLSCA.Pool()
	if !c.mutual {
		clients = nil
	}
	config, err := pki.ServerConfig(keys, clients)
	if err != nil {
		t.Fatal(err)
	}
	return config
}

func (n *node) start(t testing.TB, config *tls.Config, c nodeConfig) {
	t.Helper()
	server := grpc.NewServer(append(deliver.ServerOptions(config), c.options...)...)
	n.server.RegisterOrderer(server)
	if !c.ordererOnly {
		n.server.RegisterPeer(server)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n.address = listener.Addr().String()
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Serve(listener); err != nil {
			t.Error(err)
		}
	}()
	n.stop = sync.OnceFunc(func() {
		server.Stop()
		<-done
	})
	t.Cleanup(n.stop)
}

// endpoint is how a client of the node's organization reaches it.
func (n *node) endpoint() deliver.Endpoint {
	return deliver.Endpoint{Address: n.address, TLS: &tls.Config{RootCAs: n.org.TLSCA.Pool()}}
}

func dial(t testing.TB, ep deliver.Endpoint) *deliver.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := deliver.Dial(ctx, ep)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func (n *node) dial(t testing.TB) *deliver.Conn {
	t.Helper()
	return dial(t, n.endpoint())
}

// open subscribes with a deadline, so that a test that would hang fails.
func open(t testing.TB, conn *deliver.Conn, s deliver.Service, user *pki.Member, seek deliver.Seek) *deliver.Stream {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	stream, err := conn.Deliver(ctx, s, user.Identity, seek)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stream.Close)
	return stream
}

// drain reads to the end and gives the numbers that came, and the error if it is not the
// end that was asked for.
func drain(stream *deliver.Stream) (numbers []uint64, err error) {
	for {
		d, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return numbers, nil
		}
		if err != nil {
			return numbers, err
		}
		numbers = append(numbers, d.Number())
	}
}

func recv(t testing.TB, stream *deliver.Stream) deliver.Delivered {
	t.Helper()
	d, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func sample(t testing.TB) [][]byte { return blocktest.Sample(t) }
