package fabricnet

import (
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/blockreel/blockreel/internal/fabric/identity"
	"github.com/blockreel/blockreel/recorder"
	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// Oldest is a Config.From: the first block that a node has.
const Oldest = event.BlockNum(math.MaxUint64)

// Payload says what of a block is kept beside its times and counts.
type Payload int

// What to keep. Headers are blocks without their transactions.
const (
	PayloadNone Payload = iota
	PayloadHeaders
	PayloadFull
)

// Node is an orderer or a peer to subscribe to.
type Node struct {
	// Name stands in the trace. Empty: the address.
	Name string
	// Address is host:port.
	Address string
	// TLS of the connection. Nil: none. If it has no ServerName, the node's certificate must
	// have the address's host. Its first certificate is shown to a node that wants mutual TLS.
	TLS *tls.Config
}

// Signer signs the requests of a member of an MSP: see LoadIdentity.
type Signer interface {
	// Serialize returns the member as a marshalled msp.SerializedIdentity.
	Serialize() []byte
	// Sign signs a message as Fabric does: its SHA-256 with ECDSA and a low S, or the message
	// itself with Ed25519.
	Sign(message []byte) ([]byte, error)
}

// LoadIdentity reads the certificate and the key of an MSP directory, which contains signcerts
// and keystore.
func LoadIdentity(mspDir, mspID string) (Signer, error) {
	id, err := identity.LoadMSP(mspDir, mspID)
	if err != nil {
		return nil, err
	}
	return id, nil
}

// MetricsPage is the metrics page of a node, for Prometheus.
type MetricsPage struct {
	// Node is the name of the orderer or of a peer.
	Node string
	// URL of the page. If it lacks a scheme or a path, these are https if there is TLS and http
	// otherwise, and /metrics.
	URL string
	// Interval is the time from one reading to the next. 0 means 1 s.
	Interval time.Duration
	// TLS of an https page. Nil: the system's CAs, and no client certificate.
	TLS *tls.Config
}

// Config says what to record.
type Config struct {
	Orderer Node
	// Peers, at least one.
	Peers []Node
	// Channels, at least one; every peer is recorded on each of them.
	Channels []string
	// Signer signs the requests: a reader of the channels.
	Signer Signer
	// From is the first block, a number up to the orderer's height; Wait waits for a higher
	// one. Oldest means the first block that each node has. Blocks from before the recording
	// have no times. Nil: each node's height when the recording begins.
	From *event.BlockNum
	// Payload of the blocks, as the orderer sends them.
	Payload Payload
	// Wait makes Open try again until the nodes and one of the channels are there; Run
	// waits for the other channels while it records that one.
	Wait bool
	// Waiting is called with the reason, once for each node and channel that is waited for. Nil: not called.
	Waiting func(error)
	// Tell is called when a node or a metrics page is lost and when it is back. Nil: not called.
	// It and Waiting are called from any goroutine, and delay what they report.
	Tell func(text string)
	// UntilCaughtUp ends the recording when every peer has committed what the orderer has,
	// and the blocks that From asks for are read; if From asks for none, when besides no
	// block has come for Quiet.
	UntilCaughtUp bool
	// Quiet: 0 means 2 s.
	Quiet time.Duration
	// Metrics are the nodes' metrics pages. One that cannot be read is noted, and no error.
	Metrics []MetricsPage
	// RoundTripEvery is the time between two measurements of the way to a node and back.
	// 0 means 5 s.
	RoundTripEvery time.Duration
	// RetryAfter is the first pause before a node is tried again; it doubles up to
	// RetryAtMost. 0 means 200 ms and 10 s.
	RetryAfter, RetryAtMost time.Duration
	// Settings are what is known of the peers' configuration; they stand in the trace.
	Settings traces.Settings
	// Tool names the program in the trace's header.
	Tool string
	// Recorder sets the queues of times and payloads. A block that is larger than the queue
	// of payloads is never kept.
	Recorder recorder.Config
}

func (c *Config) validate() error {
	switch {
	case len(c.Peers) == 0:
		return errors.New("Peers is empty: there is no peer to record")
	case len(c.Channels) == 0:
		return errors.New("Channels is empty: there is no channel to record")
	case c.Signer == nil:
		return errors.New("Signer is missing; nodes answer only signed requests")
	case c.Payload < PayloadNone || c.Payload > PayloadFull:
		return fmt.Errorf("payload mode %d is unknown", c.Payload)
	case c.RetryAfter < 0 || c.RetryAtMost < 0 || c.RoundTripEvery < 0 || c.Quiet < 0:
		return errors.New("RetryAfter, RetryAtMost, RoundTripEvery and Quiet must not be negative")
	}
	named := map[string]bool{}
	for i := range c.Peers {
		if c.Peers[i].Name == "" {
			c.Peers[i].Name = c.Peers[i].Address
		}
		if named[c.Peers[i].Name] {
			return fmt.Errorf("two peers are called %s", c.Peers[i].Name)
		}
		named[c.Peers[i].Name] = true
	}
	if c.Orderer.Name == "" {
		c.Orderer.Name = c.Orderer.Address
	}
	for _, page := range c.Metrics {
		if page.Node != c.Orderer.Name && !named[page.Node] {
			return fmt.Errorf("metrics page %s: no node is called %q", page.URL, page.Node)
		}
	}
	seen := map[string]bool{}
	for _, name := range c.Channels {
		if name == "" || seen[name] {
			return fmt.Errorf("Channels: %q is empty or there twice", name)
		}
		seen[name] = true
	}
	if c.Waiting == nil {
		c.Waiting = func(error) {}
	}
	if c.Tell == nil {
		c.Tell = func(string) {}
	}
	if c.Quiet == 0 {
		c.Quiet = 2 * time.Second
	}
	if c.RoundTripEvery == 0 {
		c.RoundTripEvery = 5 * time.Second
	}
	if c.RetryAfter == 0 {
		c.RetryAfter = 200 * time.Millisecond
	}
	if c.RetryAtMost == 0 {
		c.RetryAtMost = 10 * time.Second
	}
	c.RetryAtMost = max(c.RetryAtMost, c.RetryAfter)
	return nil
}
