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
	Block    *Block
	Filtered *Filtered
	Status   int
}

func stream(t *testing.T, s subscription) []line {
	t.Helper()
	input, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var lines []line
	node(t, "stream.js", nil, bytes.NewReader(input), func(raw []byte) {
		var l line
		parse(t, raw, &l)
		lines = append(lines, l)
	})
	return lines
}

// TestStreams has every official client read every service, to the newest block and, in
// the other half of the cases, on to one that comes while it waits.
func TestStreams(t *testing.T) {
	packages(t)
	channels := map[string][][]byte{"ch1": blocktest.Sample(t), mintedChannel: committed(t, minted(t))}
	want := map[string][]Block{}
	for channel, blocks := range channels {
		for _, raw := range blocks {
			want[channel] = append(want[channel], describe(t, raw))
		}
	}
	for _, mutual := range []bool{false, true} {
		base := serve(t, mutual, channels)
		for _, c := range []struct{ reader, service string }{
			{"eventService", "full"}, {"eventService", "filtered"}, {"gateway", "full"}, {"gateway", "filtered"},
			{"committer", "orderer"}, {"messages", "orderer"}, {"messages", "full"}, {"messages", "filtered"},
		} {
			for channel := range channels {
				s := base
				s.Reader, s.Service, s.Channel, s.Start = c.reader, c.service, channel, 0
				live := s
				live.Last = len(channels[channel]) - 1
				name := fmt.Sprintf("mutual=%v/%s/%s/%s", mutual, c.reader, c.service, channel)
				t.Run(name+"/live", func(t *testing.T) {
					t.Parallel()
					check(t, live, want[channel], stream(t, live))
				})
				if c.reader == "gateway" {
					continue // It has no stop.
				}
				s.Stop, s.Last = "newest", -1
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					lines := stream(t, s)
					if end := lines[len(lines)-1]; end.Status != 200 {
						t.Fatalf("the stream ends with %+v", end)
					}
					check(t, s, want[channel][:len(want[channel])-1], lines[:len(lines)-1])
				})
			}
		}
	}
}

func check(t *testing.T, s subscription, want []Block, got []line) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d blocks, not %d", len(got), len(want))
	}
	for i, l := range got {
		var d string
		switch ours := want[i]; {
		case s.Service == "filtered":
			d = difference(t, ours.filtered(), l.Filtered)
		case s.Reader == "messages":
			d = difference(t, ours, l.Block)
		default:
			d = difference(t, ours.forDecoder(), l.Block)
		}
		if d != "" {
			t.Errorf("block %d: %s", i, d)
		}
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
	for name, c := range cases {
		for _, service := range []string{"full", "filtered", "orderer"} {
			t.Run(name+"/"+service, func(t *testing.T) {
				t.Parallel()
				s := base
				s.Service = service
				c.change(&s)
				lines := stream(t, s)
				if len(lines) != 1 || lines[0].Status != c.status {
					t.Errorf("%+v, not the status %d alone", lines, c.status)
				}
			})
		}
	}
}
