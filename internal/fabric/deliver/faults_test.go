package deliver_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/blockreel/blockreel/internal/fabric"
	"github.com/blockreel/blockreel/internal/fabric/deliver"
	"github.com/blockreel/blockreel/internal/fabric/fabrictest"
	"github.com/blockreel/blockreel/internal/fabric/pki"
	commonpb "github.com/blockreel/blockreel/internal/fabric/proto/common"
)

// connectFails dials and gives the error that must come.
func connectFails(t *testing.T, ep deliver.Endpoint) *deliver.ConnectError {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := deliver.Dial(ctx, ep)
	if err == nil {
		conn.Close()
		t.Fatal("connected")
	}
	var connect *deliver.ConnectError
	if !errors.As(err, &connect) {
		t.Fatalf("%T: %v", err, err)
	}
	if !strings.Contains(err.Error(), ep.Address) {
		t.Errorf("%v does not name %s", err, ep.Address)
	}
	return connect
}

func TestTLSRefusals(t *testing.T) {
	blocks := sample(t)
	t.Run("wrong CA", func(t *testing.T) {
		n := startNode(t, nodeConfig{blocks: blocks})
		other := startNode(t, nodeConfig{})
		err := connectFails(t, deliver.Endpoint{Address: n.address, TLS: &tls.Config{RootCAs: other.org.TLSCA.Pool()}})
		var want x509.UnknownAuthorityError
		if !errors.As(err, &want) || !deliver.Permanent(err) || !strings.Contains(err.Error(), "check the CA file") {
			t.Error(err)
		}
	})
	t.Run("wrong host name", func(t *testing.T) {
		n := startNode(t, nodeConfig{blocks: blocks, hosts: []string{"orderer.example.com"}})
		ep := n.endpoint()
		err := connectFails(t, ep)
		var want x509.HostnameError
		if !errors.As(err, &want) || !deliver.Permanent(err) || !strings.Contains(err.Error(), "hostname override") {
			t.Error(err)
		}
		ep.TLS.ServerName = "orderer.example.com"
		if _, err := drain(open(t, dial(t, ep), deliver.Orderer, n.user, deliver.Seek{Channel: "ch1", Stop: deliver.Newest})); err != nil {
			t.Error("with the override:", err)
		}
	})
	t.Run("expired certificate", func(t *testing.T) {
		n := startNode(t, nodeConfig{blocks: blocks, expired: true})
		err := connectFails(t, n.endpoint())
		var want x509.CertificateInvalidError
		if !errors.As(err, &want) || want.Reason != x509.Expired || !deliver.Permanent(err) || !strings.Contains(err.Error(), "expired") {
			t.Error(err)
		}
	})
	t.Run("no TLS there", func(t *testing.T) {
		n := startNode(t, nodeConfig{blocks: blocks, plain: true})
		err := connectFails(t, n.endpoint())
		if !deliver.Permanent(err) || !strings.Contains(err.Error(), "does not speak TLS") {
			t.Error(err)
		}
		if _, err := drain(open(t, dial(t, deliver.Endpoint{Address: n.address}), deliver.Orderer, n.user, deliver.Seek{Channel: "ch1", Stop: deliver.Newest})); err != nil {
			t.Error("without TLS:", err)
		}
	})
	t.Run("nobody there", func(t *testing.T) {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		address := listener.Addr().String()
		listener.Close()
		refused := connectFails(t, deliver.Endpoint{Address: address})
		var want *net.OpError
		if !errors.As(refused, &want) || deliver.Permanent(refused) {
			t.Error(refused)
		}
	})
	t.Run("not an address", func(t *testing.T) {
		if err := connectFails(t, deliver.Endpoint{Address: "orderer"}); !deliver.Permanent(err) {
			t.Error(err)
		}
	})
}

func clientCertificate(t *testing.T, org *pki.Org) *tls.Certificate {
	t.Helper()
	keys, err := org.ClientTLS("client")
	if err != nil {
		t.Fatal(err)
	}
	cert, err := keys.TLS()
	if err != nil {
		t.Fatal(err)
	}
	return &cert
}

// refusedBy subscribes with an endpoint that the node does not want; with TLS 1.3 the
// refusal may come with the connection or with the stream.
func refusedBy(t *testing.T, n *node, ep deliver.Endpoint) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := deliver.Dial(ctx, ep)
	if err != nil {
		return err
	}
	defer conn.Close()
	stream, err := conn.Deliver(ctx, deliver.Orderer, n.user.Identity, deliver.Seek{Channel: "ch1"})
	if err != nil {
		return err
	}
	_, err = stream.Recv()
	return err
}

func TestMutualTLS(t *testing.T) {
	n := startNode(t, nodeConfig{blocks: sample(t), mutual: true})
	stranger := startNode(t, nodeConfig{}).org
	ep := n.endpoint()
	ep.TLS.Certificates = []tls.Certificate{*clientCertificate(t, n.org)}
	conn := dial(t, ep)
	for _, s := range services {
		if got, err := drain(open(t, conn, s, n.user, deliver.Seek{Channel: "ch1", Stop: deliver.Newest})); len(got) != 14 || err != nil {
			t.Errorf("%s: %v, %v", s, got, err)
		}
	}
	t.Run("request not bound to the certificate", func(t *testing.T) {
		for name, hash := range map[string][]byte{"none": nil, "another's": make([]byte, 32)} {
			r := n.request()
			r.channelHeader.TlsCertHash = hash
			stream, err := conn.DeliverEnvelope(context.Background(), deliver.Orderer, "ch1", r.envelope(t))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := drain(stream); !deliver.HasStatus(err, commonpb.Status_BAD_REQUEST) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
	// The alert may be lost when the node closes the connection: see maxHangups.
	refused := func(err error) bool {
		return strings.Contains(err.Error(), "client certificate") && (deliver.Permanent(err) || strings.Contains(err.Error(), "has hung up"))
	}
	t.Run("no certificate", func(t *testing.T) {
		if err := refusedBy(t, n, n.endpoint()); !refused(err) {
			t.Error(err)
		}
	})
	t.Run("another CA's certificate", func(t *testing.T) {
		ep := n.endpoint()
		ep.TLS.Certificates = []tls.Certificate{*clientCertificate(t, stranger)}
		if err := refusedBy(t, n, ep); !refused(err) {
			t.Error(err)
		}
	})
}

// TestPeerIsNoOrderer asks a node for a service that it does not have.
func TestPeerIsNoOrderer(t *testing.T) {
	n := startNode(t, nodeConfig{ordererOnly: true})
	_, err := open(t, n.dial(t), deliver.PeerFiltered, n.user, deliver.Seek{Channel: "ch1"}).Recv()
	if !deliver.Permanent(err) || !strings.Contains(err.Error(), "this node is no peer") || strings.Contains(err.Error(), "rpc error") {
		t.Error(err)
	}
}

// endless is a ledger that gives the same block for every number.
type endless struct {
	raw     []byte
	granted atomic.Int64
}

func (*endless) Oldest() uint64 { return 0 }
func (*endless) Height() uint64 { return 1 << 40 }
func (e *endless) Block(context.Context, uint64) ([]byte, error) {
	e.granted.Add(1)
	return e.raw, nil
}

// TestSlowReaderBlocksTheSender: without a reader the sender comes to stand after a few
// blocks, by HTTP/2's flow control alone, and goes on when the reader does.
func TestSlowReaderBlocksTheSender(t *testing.T) {
	const quiet = 300 * time.Millisecond
	raw := sample(t)[5]
	supply := &endless{raw: raw}
	progress := make(chan uint64, 1<<16)
	n := startNode(t, nodeConfig{hooks: deliver.Hooks{Sent: func(_ *deliver.Request, s deliver.Sent) { progress <- s.Number }}})
	n.server.Ledgers = func(string) (deliver.Ledger, bool) { return supply, true }
	stream := open(t, n.dial(t), deliver.Orderer, n.user, deliver.Seek{Channel: "ch1"})
	// stands waits for the sender to have sent this many and then nothing more for a
	// while. On a slow machine it may give up early: the test is weaker then, and holds.
	stands := func(atLeast int) (sent int) {
		for {
			select {
			case number := <-progress:
				sent = int(number) + 1
			case <-time.After(quiet):
				if sent >= atLeast {
					return sent
				}
			}
		}
	}
	ahead := stands(1)
	// gRPC's first windows are 64 kB on the stream and 64 kB in the sender's quota.
	if limit := (1 << 20) / len(raw); ahead > limit {
		t.Fatalf("%d blocks of %d bytes sent to a reader that does not read, want 1 to %d", ahead, len(raw), limit)
	}
	t.Logf("%d blocks of %d bytes in flight to a reader that has not begun", ahead, len(raw))
	const read = 400
	for range read {
		recv(t, stream)
	}
	inFlight := stands(read) - read
	// The windows grow with what is read, to 16 MB at the most.
	limit := (16<<20 + 1<<20) / len(raw)
	if inFlight > limit || supply.granted.Load() > int64(read+limit) {
		t.Errorf("%d blocks in flight after %d were read, %d taken from the ledger", inFlight, read, supply.granted.Load())
	}
	t.Logf("%d blocks in flight after %d were read", inFlight, read)
	stream.Close()
	n.stop()
}

func TestOversizeMessage(t *testing.T) {
	if testing.Short() {
		t.Skip("moves 200 MB")
	}
	// A block in form: a header, and one transaction that is too large for Fabric.
	huge := bytes.Repeat([]byte{'x'}, deliver.MaxMessageBytes)
	raw := protowire.AppendBytes([]byte{0x0a, 2, 0x08, 0, 0x12}, protowire.AppendBytes([]byte{0x0a}, huge))
	for name, options := range map[string][]grpc.ServerOption{
		"refused by the sender":   nil,
		"refused by the receiver": {grpc.MaxSendMsgSize(2 * deliver.MaxMessageBytes)},
	} {
		t.Run(name, func(t *testing.T) {
			n := startNode(t, nodeConfig{blocks: [][]byte{raw}, options: options})
			_, err := open(t, n.dial(t), deliver.Orderer, n.user, deliver.Seek{Channel: "ch1"}).Recv()
			if !errors.Is(err, deliver.ErrTooLarge) || !deliver.Permanent(err) {
				t.Error(err)
			}
		})
	}
}

// TestResumesAfterCuts reads a chain through a connection that is cut again and again,
// mostly inside a frame: no hole, no duplicate.
func TestResumesAfterCuts(t *testing.T) {
	blocks := sample(t)
	n := startNode(t, nodeConfig{blocks: blocks})
	p := fabrictest.StartProxy(t, n.address)
	ep := n.endpoint()
	ep.Address = p.Address
	chain := fabric.ChainAt(0)
	cuts := 0
	for budget := int64(20_000); chain.Height() < uint64(len(blocks)); budget += 25_000 {
		p.CutAfter(budget)
		err := follow(t, ep, n, &chain, uint64(len(blocks)))
		if err == nil {
			continue
		}
		cuts++
		if deliver.Permanent(err) {
			t.Fatalf("a cut is no refusal: %v", err)
		}
	}
	if cuts < 3 {
		t.Errorf("only %d cuts", cuts)
	}
}

// follow reads on from the chain's height until the end or an error.
func follow(t *testing.T, ep deliver.Endpoint, n *node, chain *fabric.Chain, height uint64) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := deliver.Dial(ctx, ep)
	if err != nil {
		return err
	}
	defer conn.Close()
	stream, err := conn.Deliver(ctx, deliver.Orderer, n.user.Identity, deliver.Seek{Channel: "ch1", Start: deliver.At(chain.Height())})
	if err != nil {
		return err
	}
	defer stream.Close()
	for chain.Height() < height {
		d, err := stream.Recv()
		if err != nil {
			return err
		}
		if err := chain.Next(&d.Block); err != nil {
			t.Fatal(err)
		}
	}
	return nil
}

// TestConnReconnects opens a second stream on a Conn whose first one was cut.
func TestConnReconnects(t *testing.T) {
	n := startNode(t, nodeConfig{blocks: sample(t)})
	p := fabrictest.StartProxy(t, n.address)
	ep := n.endpoint()
	ep.Address = p.Address
	conn := dial(t, ep)
	stream := open(t, conn, deliver.Orderer, n.user, deliver.Seek{Channel: "ch1", Start: deliver.Newest})
	recv(t, stream)
	p.Cut()
	var connect *deliver.ConnectError
	if _, err := stream.Recv(); !errors.As(err, &connect) || deliver.Permanent(err) {
		t.Fatalf("after a cut: %v", err)
	}
	for deadline := time.Now().Add(patience); ; {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		stream, err := conn.Deliver(ctx, deliver.Orderer, n.user.Identity, deliver.Seek{Channel: "ch1", Stop: deliver.Newest})
		if err == nil {
			var got []uint64
			if got, err = drain(stream); err == nil && len(got) == 14 {
				return
			}
		}
		if !errors.As(err, &connect) || time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// TestRoundTrip measures while blocks flow, and not once the node is gone.
func TestRoundTrip(t *testing.T) {
	n := startNode(t, nodeConfig{blocks: sample(t)})
	conn := n.dial(t)
	stream := open(t, conn, deliver.Orderer, n.user, deliver.Seek{Channel: "ch1"})
	for range 14 {
		recv(t, stream)
		if took, err := conn.RoundTrip(t.Context(), deliver.Orderer); err != nil || took <= 0 || took > patience {
			t.Fatalf("%v, %v", took, err)
		}
	}
	n.stop()
	if _, err := stream.Recv(); err == nil {
		t.Fatal("a block after the end")
	}
	var connect *deliver.ConnectError
	if took, err := conn.RoundTrip(t.Context(), deliver.Orderer); !errors.As(err, &connect) || deliver.Permanent(err) {
		t.Errorf("%v to a node that is gone: %v", took, err)
	}
}

// TestServerStops: a node that goes down ends its streams.
func TestServerStops(t *testing.T) {
	n := startNode(t, nodeConfig{blocks: sample(t)})
	stream := open(t, n.dial(t), deliver.Orderer, n.user, deliver.Seek{Channel: "ch1", Start: deliver.Newest})
	recv(t, stream)
	n.stop()
	_, err := stream.Recv()
	var connect *deliver.ConnectError
	if !errors.As(err, &connect) || deliver.Permanent(err) {
		t.Error(err)
	}
}
