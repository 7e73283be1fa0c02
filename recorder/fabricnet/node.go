package fabricnet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/blockreel/blockreel/internal/fabric/deliver"
	"github.com/blockreel/blockreel/internal/fabric/identity"
)

// NodeError says which node has failed, and on which channel; Err is what package
// deliver says, or a *fabric.ChainError.
type NodeError struct {
	// Orderer tells whether the node is the orderer; otherwise it is a peer.
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
	signer  *identity.Identity
	conn    *deliver.Conn
	retry   backoff
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

// height is what a node has told of a channel.
type height struct {
	blocks uint64
	// at is when it was told, took the time from request to answer: about an upper bound
	// of the way of a small block from the node to here, as long as both are idle.
	at   time.Time
	took time.Duration
}

// answerWithin bounds the wait for a height: a node that is asked for what it has answers
// at once, even if it is busy.
const answerWithin = 30 * time.Second

// height asks for the newest block's number.
func (n *node) height(ctx context.Context, channel string) (height, error) {
	limited, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	h, err := n.askHeight(limited, channel)
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		err = fmt.Errorf("no answer within %v: %w", answerWithin, err)
	}
	return h, err
}

func (n *node) askHeight(ctx context.Context, channel string) (height, error) {
	asked := time.Now()
	stream, err := n.conn.Deliver(ctx, n.service, n.signer,
		deliver.Seek{Channel: channel, Start: deliver.Newest, Stop: deliver.Newest, HeadersOnly: n.service == deliver.Orderer})
	if err != nil {
		return height{}, err
	}
	defer stream.Close()
	d, err := stream.Recv()
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return height{}, err
	}
	return height{blocks: d.Number() + 1, at: d.Arrived, took: d.Arrived.Sub(asked)}, nil
}

// backoff is the growing pause between tries.
type backoff struct{ first, most, next time.Duration }

func (b *backoff) reset() { b.next = 0 }

// pause waits, and reports whether ctx still stands.
func (b *backoff) pause(ctx context.Context) bool {
	b.next = min(max(2*b.next, b.first), b.most)
	timer := time.NewTimer(b.next)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// dial connects to a node: once only, unless cfg says to wait.
func (n *Network) dial(ctx context.Context, nd *node) error {
	b := nd.retry
	for told := false; ; told = true {
		var err error
		if nd.conn, err = deliver.Dial(ctx, nd.Endpoint); err == nil {
			return nil
		}
		failed := nd.fail("", err)
		if !n.cfg.Wait || deliver.Permanent(err) {
			return failed
		}
		if !told {
			n.cfg.Waiting(failed)
		}
		if !b.pause(ctx) {
			return errors.Join(ctx.Err(), failed)
		}
	}
}
