package fabricnet

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/blockreel/blockreel/internal/fabric/deliver"
)

// NodeError says which node has failed, and on which channel.
type NodeError struct {
	// Orderer reports whether the node is the orderer; otherwise it is a peer.
	Orderer bool
	Name    string
	// Channel is empty when there was no connection at all.
	Channel string
	Err     error
}

func (e *NodeError) Error() string {
	role := role(e.Orderer)
	if e.Channel == "" {
		return fmt.Sprintf("%s %s: %v", role, e.Name, e.Err)
	}
	return fmt.Sprintf("%s %s, channel %s: %v", role, e.Name, e.Channel, bare(e.Err))
}

// bare is an error of a stream without the names of its node and channel.
func bare(err error) error {
	var of *deliver.StreamError
	if errors.As(err, &of) {
		err = of.Err
	}
	var refused *deliver.StatusError
	if errors.As(err, &refused) {
		err = &deliver.StatusError{Status: refused.Status, Reason: refused.Reason}
	}
	return err
}

func (e *NodeError) Unwrap() error { return e.Err }

// Permanent reports whether another try would fail as well: the node has refused the request,
// or a certificate, a name or an identity is wrong.
func (e *NodeError) Permanent() bool { return deliver.Permanent(e.Err) }

func role(orderer bool) string {
	if orderer {
		return "orderer"
	}
	return "peer"
}

// node is a connection to an orderer or a peer, shared by the channels.
type node struct {
	Node
	service deliver.Service
	signer  Signer
	conn    *deliver.Conn
	retry   deliver.Backoff
	outage  outage
	// trips is of the goroutine that measures them; answered is when the last answer came.
	trips    spread
	answered atomic.Pointer[time.Time]
}

// lastAnswer is until when the connection is known to have stood.
func (n *node) lastAnswer() time.Time {
	if t := n.answered.Load(); t != nil {
		return *t
	}
	return time.Time{}
}

func (n *node) role() string { return role(n.service == deliver.Orderer) }

func (n *node) fail(channel string, err error) error {
	return &NodeError{Orderer: n.service == deliver.Orderer, Name: n.Name, Channel: channel, Err: err}
}

// height asks for a channel's height.
func (n *node) height(ctx context.Context, channel string) (deliver.Height, error) {
	return n.conn.Height(ctx, n.service, n.signer, channel)
}

// dial connects to a node: once only, unless cfg says to wait.
func (n *Network) dial(ctx context.Context, nd *node) error {
	b := nd.retry
	for told := false; ; told = true {
		var err error
		if nd.conn, err = deliver.Dial(ctx, deliver.Endpoint{Address: nd.Address, TLS: nd.TLS}); err == nil {
			return nil
		}
		failed := nd.fail("", err)
		if !n.cfg.Wait || deliver.Permanent(err) {
			return failed
		}
		if !told {
			n.cfg.Waiting(failed)
		}
		if !b.Pause(ctx) {
			return errors.Join(ctx.Err(), failed)
		}
	}
}
