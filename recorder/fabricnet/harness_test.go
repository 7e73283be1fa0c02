package fabricnet

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/blockreel/blockreel/internal/fabric/deliver"
	"github.com/blockreel/blockreel/internal/fabric/fabrictest"
	"github.com/blockreel/blockreel/internal/fabric/pki"
	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = fabrictest.Patience

// server is a node on loopback with these channels.
type server struct {
	fabrictest.Node
	org     *fabrictest.Org
	ledgers map[string]*fabrictest.Ledger
}

func newServer(t testing.TB, org *fabrictest.Org, request pki.Request, ledgers map[string]*fabrictest.Ledger) *server {
	t.Helper()
	s := &server{org: org, ledgers: ledgers}
	s.TLS = org.ServerTLS(t, false, request)
	s.Server = &deliver.Server{Trust: pki.Trust(org.Org), Ledgers: func(channel string) (deliver.Ledger, bool) {
		l := ledgers[channel]
		return l, l != nil
	}}
	return s
}

func (s *server) node(name string) Node {
	return Node{Name: name, Address: s.Address, TLS: &tls.Config{RootCAs: s.org.TLSCA.Pool()}}
}

// testbed is an orderer and a peer of one organization with some channels.
type testbed struct {
	org           *fabrictest.Org
	chains        map[string][][]byte
	orderer, peer *server
	config        Config
}

// newTestbed starts the nodes; of each chain of n blocks the orderer has the first
// offered, the peer the first committed.
func newTestbed(t testing.TB, n, offered, committed int, channels ...string) *testbed {
	t.Helper()
	b := &testbed{org: fabrictest.NewOrg(t), chains: map[string][][]byte{}}
	atOrderer, atPeer := map[string]*fabrictest.Ledger{}, map[string]*fabrictest.Ledger{}
	for _, name := range channels {
		chain := b.org.Chain(t, name, n, 0)
		b.chains[name] = chain
		atOrderer[name] = fabrictest.NewLedger(0, chain[:offered]...)
		atPeer[name] = fabrictest.NewLedger(0)
		atPeer[name].Append(commit(t, chain[:committed])...)
	}
	b.orderer = newServer(t, b.org, pki.Request{}, atOrderer)
	b.peer = newServer(t, b.org, pki.Request{}, atPeer)
	b.orderer.Start(t)
	b.peer.Start(t)
	b.config = Config{
		Orderer: b.orderer.node("orderer"), Peers: []Node{b.peer.node("peer0")}, Channels: channels,
		Signer: b.org.User.Identity, RetryAfter: time.Millisecond, Tool: "test",
	}
	return b
}

// commit is what a peer makes of blocks: the second transaction of each is invalid.
func commit(t testing.TB, blocks [][]byte) (committed [][]byte) {
	t.Helper()
	for _, raw := range blocks {
		committed = append(committed, fabrictest.Commit(t, raw))
	}
	return committed
}

// recording is a Run under way.
type recording struct {
	net    *Network
	file   bytes.Buffer
	cancel context.CancelFunc
	done   chan error
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
	r.run(t, &r.file)
	return r
}

func (r *recording) run(t testing.TB, w io.Writer) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	r.cancel = cancel
	t.Cleanup(cancel)
	go func() { r.done <- r.net.Run(ctx, w) }()
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
	return read(t, r.file.Bytes())
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

func oldest() *event.BlockNum {
	from := Oldest
	return &from
}
