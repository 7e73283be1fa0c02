package network

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"testing"

	"github.com/blockreel/blockreel/internal/fabric"
	"github.com/blockreel/blockreel/internal/fabric/deliver"
	"github.com/blockreel/blockreel/internal/fabric/identity"
	peerpb "github.com/blockreel/blockreel/internal/fabric/proto/peer"
	"github.com/blockreel/blockreel/replay/block"
	"github.com/blockreel/blockreel/replay/ledger"
	"github.com/blockreel/blockreel/traces/event"
)

// client connects to a node with what its directories hold, as any client would.
func client(t testing.TB, n *Network, node int) (*deliver.Conn, *identity.Identity) {
	t.Helper()
	at := n.Nodes()[node]
	id, err := identity.LoadMSP(at.MSPDir, at.MSPID)
	if err != nil {
		t.Fatal(err)
	}
	tls, err := deliver.LoadTLS(filepath.Join(at.TLSDir, "ca.crt"), filepath.Join(at.TLSDir, "client.crt"), filepath.Join(at.TLSDir, "client.key"), "")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := deliver.Dial(within(t), deliver.Endpoint{Address: at.Address, TLS: tls})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn, id
}

// read gets one block of a channel from a node's service.
func read(t testing.TB, n *Network, node, channel int, number uint64, service deliver.Service) deliver.Delivered {
	t.Helper()
	if node > 0 && service == deliver.Orderer {
		service = deliver.Peer
	}
	conn, id := client(t, n, node)
	s, err := conn.Deliver(within(t), service, id, deliver.Seek{Channel: channelName(channel), Start: deliver.At(number), Stop: deliver.At(number)})
	if err != nil {
		t.Fatal(err)
	}
	d, err := s.Recv()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("after the block: %v, want the end", err)
	}
	return d
}

// Any client can follow the chain at the orderer and the commits at a peer, full and
// filtered, over mutual TLS, from genesis on; the trace takes no notice of it.
func TestClients(t *testing.T) {
	c := small()
	c.MutualTLS, c.Transactions = true, 3
	n := opened(t, c)
	type follower struct {
		stream *deliver.Stream
		kind   deliver.Service
	}
	var all []follower
	for node, kind := range []deliver.Service{deliver.Orderer, deliver.Peer, deliver.PeerFiltered} {
		conn, id := client(t, n, node)
		s, err := conn.Deliver(within(t), kind, id, deliver.Seek{Channel: "ch2", Stop: deliver.At(uint64(c.Blocks))})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, follower{s, kind})
	}
	tr, _ := record(t, within(t), n)
	for _, f := range all {
		var chain fabric.Chain
		for number := range uint64(c.Blocks + 1) {
			d, err := f.stream.Recv()
			if err != nil {
				t.Fatal(err)
			}
			if d.Number() != number {
				t.Fatalf("%v: block %d came where %d should", f.kind, d.Number(), number)
			}
			if f.kind == deliver.PeerFiltered {
				for _, tx := range d.Filtered.FilteredTransactions {
					if tx.TxValidationCode != 0 {
						t.Fatalf("block %d: %v", number, tx)
					}
				}
				continue
			}
			if err := chain.Next(&d.Block); err != nil {
				t.Fatalf("%v: %v", f.kind, err)
			}
			if valid, told := d.Block.ValidTransactions(); told != (f.kind == deliver.Peer) || told && valid != d.Block.Transactions {
				t.Fatalf("%v: block %d: %d of %d transactions valid, %v", f.kind, number, valid, d.Block.Transactions, told)
			}
		}
	}
	for _, tl := range tr.Timelines {
		if got := tl.Observed(event.Sent); got != c.Blocks || tl.First != firstBlock {
			t.Errorf("%s: %d blocks sent to the peer, from %d on", tl.Name(), got, tl.First)
		}
	}
	status := n.Status()
	if o, p := status[0].Channels[1], status[2].Channels[1]; o.Sent != uint64(3*c.Blocks+1) || p.SentFiltered != uint64(c.Blocks+1) || p.Sent != 0 {
		t.Errorf("sent: %+v at the orderer, %+v at the second peer", o, p)
	}
}

// What a peer's readers get has its ledger's verdicts: another ledger that begins at the
// genesis block comes to the same ones, and to the same commit hashes. Transactions that
// come back are duplicates.
func TestVerdicts(t *testing.T) {
	c := small()
	c.Channels, c.Orgs, c.Transactions, c.Writes, c.Reused = 1, 1, 3, 6, true
	n := opened(t, c)
	record(t, within(t), n)
	l, err := ledger.Open(ledger.Memory, ledger.Config{Channel: channelName(0)})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	last := deliver.Seek{Channel: channelName(0), Stop: deliver.At(uint64(c.Blocks))}
	conn, id := client(t, n, 1)
	full, err := conn.Deliver(within(t), deliver.Peer, id, last)
	if err != nil {
		t.Fatal(err)
	}
	filtered, err := conn.Deliver(within(t), deliver.PeerFiltered, id, last)
	if err != nil {
		t.Fatal(err)
	}
	for number := range c.Blocks + 1 {
		whole, err := full.Recv()
		if err != nil {
			t.Fatal(err)
		}
		b := block.Block{Number: event.BlockNum(number), Transactions: whole.Block.Transactions, Bytes: len(whole.Block.Raw), Payload: whole.Block.Raw}
		if err := l.Validate(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Commit(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
		part, err := filtered.Recv()
		if err != nil {
			t.Fatal(err)
		}
		for i, tx := range part.Filtered.FilteredTransactions {
			if code := whole.Block.Flags()[i]; byte(tx.TxValidationCode) != code {
				t.Errorf("block %d, transaction %d: code %d in the filtered block, %d in the whole one", number, i, tx.TxValidationCode, code)
			}
		}
	}
	const duplicate = byte(peerpb.TxValidationCode_DUPLICATE_TXID)
	r := l.Report()
	if r.Transactions != int64(1+3*c.Blocks) || r.Compared != r.Transactions || r.Different != 0 {
		t.Errorf("%d of %d transactions have a verdict, %d another one than here, such as %v", r.Compared, r.Transactions, r.Different, r.Differences)
	}
	if r.Codes[0] == 0 || r.Codes[duplicate] == 0 {
		t.Errorf("%d transactions are valid and %d duplicates: there should be both", r.Codes[0], r.Codes[duplicate])
	}
	if r.ComparedHashes != int64(c.Blocks) || r.DifferentHashes != 0 {
		t.Errorf("%d of %d blocks have a commit hash, %d another one than here", r.ComparedHashes, c.Blocks, r.DifferentHashes)
	}
}

// A block is sent to a peer's readers when it is committed, and not before.
func TestEventsFollowCommits(t *testing.T) {
	gate := make(chan struct{})
	c := small()
	c.Channels, c.Orgs = 1, 1
	n := opened(t, with(c, func(ledger.Config) store { return &gated{gate: gate} }))
	seen := newCounter()
	stop := background(t, n, seen)
	seen.wait(t, 0, event.Dequeued, 1)
	conn, id := client(t, n, 1)
	seek := deliver.Seek{Channel: "ch1", Start: deliver.At(1), Stop: deliver.At(1), FailIfNotReady: true}
	s, err := conn.Deliver(within(t), deliver.Peer, id, seek)
	if err != nil {
		t.Fatal(err)
	}
	if d, err := s.Recv(); err == nil {
		t.Fatalf("block %d was sent and is not committed", d.Number())
	}
	close(gate)
	seen.wait(t, 0, event.Committed, c.Blocks)
	if got := read(t, n, 1, 0, 1, deliver.Peer); got.Number() != 1 {
		t.Errorf("block %d, want 1", got.Number())
	}
	if _, err := stop(); err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
