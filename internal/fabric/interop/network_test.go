package interop_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/blockreel/blockreel/internal/fabric"
	"github.com/blockreel/blockreel/replay/block"
	peerledger "github.com/blockreel/blockreel/replay/ledger"
	"github.com/blockreel/blockreel/replay/network"
	"github.com/blockreel/blockreel/traces/event"
)

// TestNetwork has the official clients read from the orderer and the peers of the embedded
// network while it runs, each as the user of another organization than the node's.
func TestNetwork(t *testing.T) {
	packages(t)
	t.Parallel()
	for _, mutual := range []bool{false, true} {
		t.Run(fmt.Sprintf("mutual=%v", mutual), func(t *testing.T) {
			t.Parallel()
			readNetwork(t, mutual)
		})
	}
}

func readNetwork(t *testing.T, mutual bool) {
	const blocks = 30
	cfg := network.Default()
	cfg.Orgs, cfg.Channels, cfg.Ledger = 2, 2, "memory"
	cfg.Transactions, cfg.Writes, cfg.Bytes = 3, 7, 20_000
	cfg.Load = network.Load{Rate: 10, Blocks: blocks}
	cfg.Dir, cfg.MutualTLS, cfg.Linger = t.TempDir(), mutual, true
	net, err := network.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := net.Run(ctx, nil)
		ended <- err
	}()
	t.Cleanup(func() {
		end()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := net.Close(); err != nil {
			t.Error(err)
		}
	})
	nodes := net.Nodes()
	users := map[string]subscription{}
	for _, n := range nodes {
		users[n.Name] = reach(t, n, mutual)
	}
	var all []expected
	var at []place
	for channel := range cfg.Channels {
		for i, n := range nodes {
			for _, c := range reading {
				if (i == 0) != (c.service == "orderer") {
					continue
				}
				s := users[n.Name]
				other := users[nodes[(i+1)%len(nodes)].Name]
				s.MSPID, s.Cert, s.Key, s.TLS = other.MSPID, other.Cert, other.Key, other.TLS
				s.Reader, s.Service, s.Channel, s.Start, s.Last = c.reader, c.service, net.Status()[i].Channels[channel].Channel, 0, blocks
				all = append(all, expected{subscription: s, name: fmt.Sprintf("%s/%s/%s/%s", n.Name, c.reader, c.service, s.Channel)})
				at = append(at, place{channel, i == 0})
			}
		}
	}
	expect(t, all, func() {
		have := map[place][]Block{}
		for i := range all {
			if have[at[i]] == nil {
				have[at[i]] = at[i].blocks(t, net, blocks)
			}
			all[i].blocks = have[at[i]]
		}
	})
}

// place is a channel at the orderer or at a peer.
type place struct {
	channel int
	orderer bool
}

// blocks describes the channel's blocks up to the last one; peers have them with the
// verdicts and commit hashes that a ledger of the test's own comes to.
func (p place) blocks(t *testing.T, net *network.Network, last int) (all []Block) {
	t.Helper()
	verdict := p.committer(t, net)
	for n := range last + 1 {
		raw, err := net.Block(t.Context(), p.channel, event.BlockNum(n))
		if err != nil {
			t.Fatal(err)
		}
		if !p.orderer {
			b, err := fabric.ParseBlock(raw)
			if err != nil {
				t.Fatal(err)
			}
			raw = b.Committed(verdict(&b))
		}
		all = append(all, describe(t, raw))
	}
	return all
}

// committer returns a function that commits the blocks after genesis in turn and gives
// what a peer adds to them.
func (p place) committer(t *testing.T, net *network.Network) func(*fabric.Block) (codes, commitHash []byte) {
	t.Helper()
	l, err := peerledger.Open(peerledger.Memory, peerledger.Config{Channel: net.Status()[0].Channels[p.channel].Channel, First: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return func(b *fabric.Block) (codes, commitHash []byte) {
		if b.Number == 0 {
			return make([]byte, b.Transactions), nil
		}
		next := &block.Block{Number: event.BlockNum(b.Number), Transactions: b.Transactions, Bytes: len(b.Raw), Payload: b.Raw}
		if err := l.Validate(t.Context(), next); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Commit(t.Context(), next); err != nil {
			t.Fatal(err)
		}
		codes, sum := l.Verdict()
		return codes, sum[:]
	}
}

// reach gives how a node is reached with the files that the network has written.
func reach(t *testing.T, n network.Node, mutual bool) subscription {
	t.Helper()
	file := func(pattern ...string) string {
		t.Helper()
		found, err := filepath.Glob(filepath.Join(pattern...))
		if err != nil || len(found) != 1 {
			t.Fatalf("%v: %v, %v", pattern, found, err)
		}
		data, err := os.ReadFile(found[0])
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	s := subscription{
		URL: "grpcs://" + n.Address, ServerName: n.Host, CA: file(n.TLSDir, "ca.crt"),
		MSPID: n.MSPID, Cert: file(n.MSPDir, "signcerts", "*.pem"), Key: file(n.MSPDir, "keystore", "*"),
	}
	if mutual {
		s.TLS = &keyPair{file(n.TLSDir, "client.crt"), file(n.TLSDir, "client.key")}
	}
	return s
}
