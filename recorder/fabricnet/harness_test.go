package fabricnet

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"

	"github.com/blockreel/blockreel/internal/fabric"
	"github.com/blockreel/blockreel/internal/fabric/deliver"
	"github.com/blockreel/blockreel/internal/fabric/identity"
	"github.com/blockreel/blockreel/internal/fabric/mint"
	"github.com/blockreel/blockreel/internal/fabric/pki"
	"github.com/blockreel/blockreel/traces"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds what must happen; nothing is asserted about how fast.
const patience = time.Minute

// ledger is a chain in memory that tests can extend.
type ledger struct {
	mu     sync.Mutex
	blocks [][]byte
	grown  chan struct{}
}

func newLedger(blocks ...[]byte) *ledger {
	return &ledger{blocks: slices.Clone(blocks), grown: make(chan struct{})}
}

func (l *ledger) append(blocks ...[]byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.blocks = append(l.blocks, blocks...)
	close(l.grown)
	l.grown = make(chan struct{})
}

func (l *ledger) Oldest() uint64 { return 0 }

func (l *ledger) Height() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return uint64(len(l.blocks))
}

func (l *ledger) Block(ctx context.Context, number uint64) ([]byte, error) {
	for {
		l.mu.Lock()
		grown := l.grown
		if number < uint64(len(l.blocks)) {
			block := l.blocks[number]
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

// fabricOrg is an organization and its blocks.
type fabricOrg struct {
	*pki.Org
	user *pki.Member
}

func newOrg(t testing.TB) *fabricOrg {
	t.Helper()
	org, err := pki.NewOrg("Org1MSP", "org1.example.com")
	if err != nil {
		t.Fatal(err)
	}
	user, err := org.Member("user", "client")
	if err != nil {
		t.Fatal(err)
	}
	return &fabricOrg{Org: org, user: user}
}

// chain mints n blocks of two transactions and four writes, genesis first.
func (o *fabricOrg) chain(t testing.TB, channel string, n, blockBytes int) [][]byte {
	t.Helper()
	b, err := mint.New(mint.Config{Channel: channel, Client: o.user.Identity, Endorsers: []*identity.Identity{o.user.Identity}, Pool: 4})
	if err != nil {
		t.Fatal(err)
	}
	genesis, err := b.Genesis()
	if err != nil {
		t.Fatal(err)
	}
	blocks := [][]byte{genesis}
	for len(blocks) < n {
		block, err := b.Next(mint.Shape{Transactions: 2, Writes: 4, Bytes: blockBytes})
		if err != nil {
			t.Fatal(err)
		}
		blocks = append(blocks, block)
	}
	return blocks
}

// server is a node on loopback that can go down and come back at its address.
type server struct {
	org     *fabricOrg
	ledgers map[string]*ledger
	deliver *deliver.Server
	tls     *tls.Config
	address string
	stop    func()
}

func newServer(t testing.TB, org *fabricOrg, request pki.Request, ledgers map[string]*ledger) *server {
	t.Helper()
	request.CommonName = "node"
	if request.Hosts == nil {
		request.Hosts = []string{"127.0.0.1"}
	}
	keys, err := org.TLSCA.Issue(request)
	if err != nil {
		t.Fatal(err)
	}
	config, err := pki.ServerConfig(keys, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &server{org: org, ledgers: ledgers, tls: config, address: "127.0.0.1:0"}
	s.deliver = &deliver.Server{Trust: pki.Trust(org.Org), Ledgers: func(channel string) (deliver.Ledger, bool) {
		l := ledgers[channel]
		return l, l != nil
	}}
	return s
}

func (s *server) start(t testing.TB) {
	t.Helper()
	server := grpc.NewServer(deliver.ServerOptions(s.tls)...)
	s.deliver.RegisterOrderer(server)
	s.deliver.RegisterPeer(server)
	listener, err := net.Listen("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	s.address = listener.Addr().String()
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Serve(listener); err != nil {
			t.Error(err)
		}
	}()
	s.stop = sync.OnceFunc(func() {
		server.Stop()
		<-done
	})
	t.Cleanup(s.stop)
}

func (s *server) node(name string) Node {
	return Node{Name: name, Endpoint: deliver.Endpoint{Address: s.address, TLS: &deliver.TLS{Roots: s.org.TLSCA.Pool()}}}
}

// testbed is an orderer and a peer of one organization with some channels.
type testbed struct {
	org           *fabricOrg
	chains        map[string][][]byte
	orderer, peer *server
	config        Config
}

// newTestbed starts the nodes; of each chain of n blocks the orderer has the first
// offered, the peer the first committed.
func newTestbed(t testing.TB, n, offered, committed int, channels ...string) *testbed {
	t.Helper()
	b := &testbed{org: newOrg(t), chains: map[string][][]byte{}}
	atOrderer, atPeer := map[string]*ledger{}, map[string]*ledger{}
	for _, name := range channels {
		chain := b.org.chain(t, name, n, 0)
		b.chains[name] = chain
		atOrderer[name] = newLedger(chain[:offered]...)
		atPeer[name] = newLedger()
		atPeer[name].append(commit(t, chain[:committed])...)
	}
	b.orderer = newServer(t, b.org, pki.Request{}, atOrderer)
	b.peer = newServer(t, b.org, pki.Request{}, atPeer)
	b.orderer.start(t)
	b.peer.start(t)
	b.config = Config{
		Orderer: b.orderer.node("orderer"), Peers: []Node{b.peer.node("peer0")}, Channels: channels,
		Signer: b.org.user.Identity, RetryAfter: time.Millisecond, Tool: "test",
	}
	return b
}

// commit is what a peer makes of blocks: the second transaction of each is invalid.
func commit(t testing.TB, blocks [][]byte) (committed [][]byte) {
	t.Helper()
	for _, raw := range blocks {
		b, err := fabric.ParseBlock(raw)
		if err != nil {
			t.Fatal(err)
		}
		flags := make([]byte, b.Transactions)
		if len(flags) > 1 {
			flags[1] = 11
		}
		committed = append(committed, b.Committed(flags, nil))
	}
	return committed
}

// recording is a Run under way.
type recording struct {
	net           *Network
	times, blocks bytes.Buffer
	cancel        context.CancelFunc
	done          chan error
}

func open(t testing.TB, cfg Config) *Network {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	n, err := Open(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return n
}

func record(t testing.TB, cfg Config) *recording {
	t.Helper()
	r := &recording{net: open(t, cfg), done: make(chan error, 1)}
	r.run(t, &r.blocks)
	return r
}

func (r *recording) run(t testing.TB, blocks io.Writer) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	r.cancel = cancel
	t.Cleanup(cancel)
	go func() { r.done <- r.net.Run(ctx, &r.times, blocks) }()
}

// await waits until every stream's status is as wanted.
func (r *recording) await(t testing.TB, what string, holds func(Status) bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); ; {
		if !slices.ContainsFunc(r.net.Status(), func(s Status) bool { return !holds(s) }) {
			return
		}
		select {
		case err := <-r.done:
			t.Fatalf("ended before %s: %v", what, err)
		case <-tick.C:
		}
		if time.Now().After(deadline) {
			t.Fatalf("never %s: %+v", what, r.net.Status())
		}
	}
}

// end interrupts the recording, and gives its trace.
func (r *recording) end(t testing.TB) *traces.Trace {
	t.Helper()
	r.cancel()
	if err := <-r.done; err != nil {
		t.Fatal(err)
	}
	return read(t, r.times.Bytes())
}

// read holds that the trace is whole and free of contradictions.
func read(t testing.TB, file []byte) *traces.Trace {
	t.Helper()
	report, err := traces.Verify(bytes.NewReader(file))
	if err != nil || report.Loss != nil || len(report.Findings) > 0 {
		t.Fatalf("the trace is not sound: %v, %+v", err, report)
	}
	tr, err := traces.Read(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	return tr
}
