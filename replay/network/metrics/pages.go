package metrics

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/blockreel/blockreel/replay/network"
	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// Pages are those of an embedded network.
type Pages struct {
	status  func() []network.NodeStatus
	streams []*stream // as in the trace's header
	nodes   []*page   // orderers, then peers
	servers []*http.Server
	ended   chan error
}

// page is one node's.
type page struct {
	name    string
	pages   *Pages
	streams []*stream // of a peer
	handler http.Handler
	url     string
}

// New makes the pages of the nodes of these streams, as network.Network's Streams and
// Status report on them. Status is called whenever a page is read, from any goroutine.
func New(streams []traces.Stream, status func() []network.NodeStatus) *Pages {
	p := &Pages{status: status}
	for _, s := range streams {
		p.node(s.Orderer)
	}
	for _, s := range streams {
		kept := newStream(s.Channel)
		p.streams = append(p.streams, kept)
		peer := p.node(s.Peer)
		peer.streams = append(peer.streams, kept)
	}
	return p
}

// node finds a node's page, or makes it.
func (p *Pages) node(name string) *page {
	if i := slices.IndexFunc(p.nodes, func(n *page) bool { return n.name == name }); i >= 0 {
		return p.nodes[i]
	}
	n := &page{name: name, pages: p}
	registry := prometheus.NewRegistry()
	registry.MustRegister(n, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	n.handler = promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	p.nodes = append(p.nodes, n)
	return n
}

// Observe takes an event of a stream. It is a driver's Observer, for any goroutine.
func (p *Pages) Observe(e event.Event) { p.streams[e.Stream].observe(e) }

// Describe is empty, since a page's figures become more.
func (n *page) Describe(chan<- *prometheus.Desc) {}

// Collect sends the node's figures.
func (n *page) Collect(to chan<- prometheus.Metric) {
	for _, node := range n.pages.status() {
		if node.Name != n.name {
			continue
		}
		for _, c := range node.Channels {
			collectStatus(to, c)
		}
	}
	for _, s := range n.streams {
		s.collect(to)
	}
}

// Serve listens on the loopback address host:port with the orderer's page, and on the
// ports that follow with those of the peers, in the order of the streams; port 0 is any
// free one for each. Close ends it.
func (p *Pages) Serve(address string) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil || !at.Addr().IsLoopback() {
		return fmt.Errorf("metrics at %q: give a loopback address and a port, as in 127.0.0.1:9443; the pages are for this machine", address)
	}
	if int(at.Port())+len(p.nodes)-1 > 65535 {
		return fmt.Errorf("metrics at %s: there are %d nodes, each with a port of its own", address, len(p.nodes))
	}
	p.ended = make(chan error, len(p.nodes))
	for _, n := range p.nodes {
		listener, err := net.Listen("tcp", at.String())
		if err != nil {
			return errors.Join(fmt.Errorf("metrics of %s: %w", n.name, err), p.Close())
		}
		n.url = "http://" + listener.Addr().String() + "/metrics"
		mux := http.NewServeMux()
		mux.Handle("GET /metrics", n.handler)
		server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute}
		p.servers = append(p.servers, server)
		go func() { p.ended <- server.Serve(listener) }()
		if at.Port() != 0 {
			at = netip.AddrPortFrom(at.Addr(), at.Port()+1)
		}
	}
	return nil
}

// URL is that of a node's page; empty if it has none.
func (p *Pages) URL(node string) string {
	for _, n := range p.nodes {
		if n.name == node {
			return n.url
		}
	}
	return ""
}

// Close ends serving.
func (p *Pages) Close() error {
	var errs []error
	for _, s := range p.servers {
		errs = append(errs, s.Close())
	}
	for range p.servers {
		if err := <-p.ended; !errors.Is(err, http.ErrServerClosed) {
			errs = append(errs, err)
		}
	}
	p.servers = nil
	return errors.Join(errs...)
}
