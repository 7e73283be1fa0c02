package interop_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"sync"
	"testing"

	"google.golang.org/grpc"

	"github.com/blockreel/blockreel/internal/fabric/blocktest"
	"github.com/blockreel/blockreel/internal/fabric/deliver"
	"github.com/blockreel/blockreel/internal/fabric/pki"
)

// ledger is a chain whose newest block comes when a reader waits for it.
type ledger struct {
	mu     sync.Mutex
	height int
	blocks [][]byte
}

func (l *ledger) Oldest() uint64 { return 0 }

func (l *ledger) Height() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return uint64(l.height)
}

func (l *ledger) Block(ctx context.Context, n uint64) ([]byte, error) {
	l.mu.Lock()
	if n == uint64(l.height) && l.height < len(l.blocks) {
		l.height++
	}
	ready := n < uint64(l.height)
	l.mu.Unlock()
	if ready {
		return l.blocks[n], nil
	}
	<-ctx.Done()
	return nil, ctx.Err()
}

// nodeName is in the TLS certificate, which knows nothing of 127.0.0.1: readers need the
// host name override.
const nodeName = "node.org1.example.com"

// subscription is stream.js's standard input.
type subscription struct {
	Reader     string   `json:"reader"`
	Service    string   `json:"service"`
	URL        string   `json:"url"`
	ServerName string   `json:"serverName"`
	CA         string   `json:"ca"`
	TLS        *keyPair `json:"tls,omitempty"`
	Unbound    bool     `json:"unbound,omitempty"`
	MSPID      string   `json:"mspid"`
	Cert       string   `json:"cert"`
	Key        string   `json:"key"`
	Channel    string   `json:"channel"`
	Start      any      `json:"start"`
	Stop       any      `json:"stop,omitempty"`
	Last       int      `json:"last"`
	Profile    string   `json:"profile,omitempty"`
}

type keyPair struct {
	Cert string `json:"cert"`
	Key  string `json:"key"`
}

// serve starts a node of one organization, orderer and peer at once, and gives how a client
// of the organization reaches it.
func serve(t *testing.T, mutual bool, channels map[string][][]byte) subscription {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	org, err := pki.NewOrg("Org1MSP", "org1.example.com")
	must(err)
	user, err := org.Member("user", "client")
	must(err)
	keys, err := org.ServerTLS(nodeName)
	must(err)
	clients := org.TLSCA.Pool()
	if !mutual {
		clients = nil
	}
	config, err := pki.ServerConfig(keys, clients)
	must(err)
	node := &deliver.Server{
		Trust: pki.Trust(org),
		// Every stream finds the ledger one block short of what will come.
		Ledgers: func(channel string) (deliver.Ledger, bool) {
			blocks, ok := channels[channel]
			return &ledger{height: len(blocks) - 1, blocks: blocks}, ok
		},
	}
	server := grpc.NewServer(deliver.ServerOptions(config)...)
	node.RegisterOrderer(server)
	node.RegisterPeer(server)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	done := make(chan error)
	go func() { done <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	out := subscription{
		URL: "grpcs://" + listener.Addr().String(), ServerName: nodeName, CA: string(org.TLSCA.PEM()),
		MSPID: org.MSPID, Cert: string(user.Keys.CertPEM), Key: string(user.Keys.KeyPEM),
	}
	if mutual {
		pair, err := org.ClientTLS("user")
		must(err)
		out.TLS = &keyPair{string(pair.CertPEM), string(pair.KeyPEM)}
	}
	return out
}

// line is what stream.js writes.
type line struct {
	Index    int
	Block    *Block
	Filtered *Filtered
	Status   int
	Error    string
}

// streams reads all subscriptions, and gives the lines of each.
func streams(t *testing.T, all []subscription) [][]line {
	t.Helper()
	input, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	lines := make([][]line, len(all))
	node(t, "stream.js", nil, bytes.NewReader(input), func(raw []byte) {
		var l line
		parse(t, raw, &l)
		lines[l.Index] = append(lines[l.Index], l)
	})
	return lines
}

// expected is a subscription, the blocks that it should get, and the status that should end
// it; 0 if the reader leaves.
type expected struct {
	subscription
	name   string
	blocks []Block
	status int
}

// expect has all subscriptions read, and compares; settle, if there is one, fills in what
// is expected once all is read.
func expect(t *testing.T, all []expected, settle func()) {
	t.Helper()
	var subscriptions []subscription
	for _, e := range all {
		subscriptions = append(subscriptions, e.subscription)
	}
	lines := streams(t, subscriptions)
	if settle != nil {
		settle()
	}
	for i := range all {
		t.Run(all[i].name, func(t *testing.T) { all[i].check(t, lines[i]) })
	}
}

func (e *expected) check(t *testing.T, got []line) {
	for _, l := range got {
		if l.Error != "" {
			t.Fatal(l.Error)
		}
	}
	if e.status != 0 {
		if len(got) == 0 || got[len(got)-1].Status != e.status {
			t.Fatalf("%d lines, and no status %d at the end", len(got), e.status)
		}
		got = got[:len(got)-1]
	}
	if len(got) != len(e.blocks) {
		t.Fatalf("%d blocks, not %d", len(got), len(e.blocks))
	}
	for i, l := range got {
		var d string
		switch ours := e.blocks[i]; {
		case e.Service == "filtered":
			d = difference(t, ours.filtered(), l.Filtered)
		case e.Reader == "messages":
			d = difference(t, ours, l.Block)
		default:
			d = difference(t, ours.forDecoder(), l.Block)
		}
		if d != "" {
			t.Errorf("block %d: %s", i, d)
		}
	}
}

// reading lists every official client with every service that it has.
var reading = []struct{ reader, service string }{
	{"eventService", "full"}, {"eventService", "filtered"}, {"gateway", "full"}, {"gateway", "filtered"},
	{"committer", "orderer"}, {"messages", "orderer"}, {"messages", "full"}, {"messages", "filtered"},
}

// TestStreams has every official client read every service, to the newest block and, in
// the other half of the cases, on to one that comes while it waits.
func TestStreams(t *testing.T) {
	packages(t)
	t.Parallel()
	channels := map[string][][]byte{"ch1": blocktest.Sample(t), mintedChannel: committed(t, minted(t))}
	want := map[string][]Block{}
	for channel, blocks := range channels {
		for _, raw := range blocks {
			want[channel] = append(want[channel], describe(t, raw))
		}
	}
	for _, mutual := range []bool{false, true} {
		base := serve(t, mutual, channels)
		var all []expected
		for _, c := range reading {
			for channel := range channels {
				s := base
				s.Reader, s.Service, s.Channel, s.Start = c.reader, c.service, channel, 0
				name := fmt.Sprintf("%s/%s/%s", c.reader, c.service, channel)
				live := s
				live.Last = len(channels[channel]) - 1
				all = append(all, expected{subscription: live, name: name + "/live", blocks: want[channel]})
				if c.reader == "gateway" {
					continue // It has no stop.
				}
				s.Stop, s.Last = "newest", -1
				all = append(all, expected{subscription: s, name: name, blocks: want[channel][:len(want[channel])-1], status: 200})
			}
		}
		t.Run(fmt.Sprintf("mutual=%v", mutual), func(t *testing.T) {
			t.Parallel()
			expect(t, all, nil)
		})
	}
}

// TestRefusals: the statuses as an official client reads them.
func TestRefusals(t *testing.T) {
	packages(t)
	channels := map[string][][]byte{"ch1": blocktest.Sample(t)}
	base := serve(t, true, channels)
	base.Reader, base.Service, base.Channel, base.Start, base.Stop, base.Last = "messages", "full", "ch1", 0, "newest", -1
	stranger := serve(t, true, channels)
	cases := map[string]struct {
		status int
		change func(s *subscription)
	}{
		"no such channel":                 {404, func(s *subscription) { s.Channel = "ch2" }},
		"no such block":                   {404, func(s *subscription) { s.Start, s.Stop = 1000, nil }},
		"another CA's identity":           {403, func(s *subscription) { s.Cert, s.Key = stranger.Cert, stranger.Key }},
		"not bound to the TLS connection": {400, func(s *subscription) { s.Unbound = true }},
	}
	var all []expected
	for name, c := range cases {
		for _, service := range []string{"full", "filtered", "orderer"} {
			s := base
			s.Service = service
			c.change(&s)
			all = append(all, expected{subscription: s, name: name + "/" + service, status: c.status})
		}
	}
	t.Parallel()
	expect(t, all, nil)
}
