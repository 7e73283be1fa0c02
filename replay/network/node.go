package network

import (
	"errors"
	"fmt"
	"net"
	"sync/atomic"

	"google.golang.org/grpc"

	"github.com/blockreel/blockreel/internal/fabric/deliver"
	"github.com/blockreel/blockreel/internal/fabric/pki"
	"github.com/blockreel/blockreel/traces/event"
)

// A Node is the orderer or a peer as a client sees it.
type Node struct {
	// Name of the node, as the streams of the trace have it, and Host, the name in its
	// TLS certificate, which is good for localhost and its address as well.
	Name, Host string
	// MSPID of the node's organization.
	MSPID string
	// Address is where the node listens, host:port.
	Address string
	// MSPDir is the MSP directory of a user of the organization, whom all nodes answer.
	// TLSDir has the node's TLS CA, ca.crt, and the user's client.crt and client.key.
	MSPDir, TLSDir string
}

// A NodeStatus is what a node reports to its monitoring.
type NodeStatus struct {
	Name     string
	Channels []ChannelStatus
}

// A ChannelStatus is a channel at a node.
type ChannelStatus struct {
	Channel string
	// Height of the node's ledger.
	Height event.Height
	// Buffered is the number of blocks in a peer's payloads buffer; 0 of an orderer.
	Buffered int
	// Sent and SentFiltered are the blocks that the node's Deliver services have sent, to
	// all their readers.
	Sent, SentFiltered uint64
}

// counts are what a node has sent of a channel.
type counts struct{ full, filtered atomic.Uint64 }

// server is a node's gRPC service.
type server struct {
	node     Node
	member   *member
	register func(*grpc.Server)
	trust    trust
	sent     map[string]*counts // by channel; never changed

	grpc *grpc.Server
	done chan error
}

func newServer(c *Config, m *member, t trust) *server {
	s := &server{
		node:   Node{Name: m.name, Host: m.host, MSPID: m.org.MSPID},
		member: m, trust: t, sent: map[string]*counts{},
	}
	for i := range c.Channels {
		s.sent[channelName(i)] = &counts{}
	}
	return s
}

// count is a hook of the deliver.Server.
func (s *server) count(r *deliver.Request) {
	c := s.sent[r.Seek.Channel]
	if r.Service == deliver.PeerFiltered {
		c.filtered.Add(1)
	} else {
		c.full.Add(1)
	}
}

func (s *server) status(channel string, height uint64) ChannelStatus {
	c := s.sent[channel]
	return ChannelStatus{Channel: channel, Height: event.Height(height), Sent: c.full.Load(), SentFiltered: c.filtered.Load()}
}

// start listens and serves.
func (s *server) start(address string) error {
	config, err := pki.ServerConfig(s.member.tls, s.trust.clients)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("%s: %w", s.node.Name, err)
	}
	s.node.Address = listener.Addr().String()
	s.grpc, s.done = grpc.NewServer(deliver.ServerOptions(config)...), make(chan error, 1)
	s.register(s.grpc)
	go func(g *grpc.Server, done chan<- error) { done <- g.Serve(listener) }(s.grpc, s.done)
	return nil
}

// stop cuts all streams and waits for their end.
func (s *server) stop() error {
	if s.grpc == nil {
		return nil
	}
	s.grpc.Stop()
	s.grpc = nil
	if err := <-s.done; !errors.Is(err, grpc.ErrServerStopped) {
		return err
	}
	return nil
}
