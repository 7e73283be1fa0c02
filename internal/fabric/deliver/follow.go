package deliver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/blockreel/blockreel/internal/fabric"
)

// Subscription says what a Follower follows.
type Subscription struct {
	// Conn is a connection that others use as well. If it is nil, the Follower dials
	// Endpoint, and dials again after each failure.
	Conn     *Conn
	Endpoint Endpoint
	Service  Service
	Signer   Signer
	// Seek is the first request; later ones start after the last block. A Follower that
	// asks for heights starts with NextCommit at the height that the node reports. If Stop is a
	// number, Recv returns io.EOF after that block, and fails if the node does not have the
	// first one.
	Seek Seek
	// Chain checks the first block if it is not zero. Seek starts at its height.
	Chain fabric.Chain
	// Retry is the pause between two tries. It starts again at its first value when a block
	// has arrived.
	Retry Backoff
	// Heights makes the Follower ask for the node's height before it subscribes again, and
	// before it subscribes with NextCommit. Blocks below that height are Delivered.Old.
	Heights bool

	// The Follower calls these functions from within Recv and Open. Nil ones are left out.

	// Subscribed is called after each request for blocks that followed a request for the
	// height. An error ends the Follower.
	Subscribed func(Height) error
	// Lost is called once when the node is lost, with the cause.
	Lost func(cause error)
	// Back is called when blocks arrive as they are made again. The blocks from first to
	// before end were made in the meantime, and are old; at is when the node reported the height.
	Back func(at time.Time, first, end uint64)
}

// A Follower reads the blocks of a channel at one node, each once and in order, across
// connections. One goroutine calls Open and Recv.
type Follower struct {
	s    Subscription
	conn *Conn // its own, if s.Conn is nil
	// stream is the current one, or nil.
	stream *Stream
	// early: Open has opened it, and Recv was not called since. begun: a block has arrived.
	early, begun bool
	chain        fabric.Chain
	// known is the node's height when it was last asked.
	next, known atomic.Uint64
	// lost is set from the call of Lost to that of Back. missed is the first block that was
	// missed, and left the number of old blocks that were to come when the height was asked.
	lost         bool
	missed, left uint64
}

// Follow returns a Follower, which subscribes with its first Recv. The caller closes it.
func Follow(s Subscription) *Follower {
	f := &Follower{s: s, chain: s.Chain}
	if f.chain != (fabric.Chain{}) {
		f.s.Seek.Start = At(f.chain.Height())
	}
	if start, ok := f.s.Seek.Start.Number(); ok {
		f.startAt(start)
	}
	return f
}

func (f *Follower) startAt(number uint64) {
	if f.chain == (fabric.Chain{}) {
		f.chain = fabric.ChainAt(number)
	}
	f.next.Store(number)
	f.known.Store(number)
	f.missed = number
}

// Next is the number of the next block; 0 if that is not known yet. Any goroutine may call
// it.
func (f *Follower) Next() uint64 { return f.next.Load() }

// Height is the node's height as far as it is known: by its answers, or by its blocks. Any
// goroutine may call it.
func (f *Follower) Height() uint64 { return max(f.known.Load(), f.next.Load()) }

// Close ends the stream, and the connection if it is the Follower's own.
func (f *Follower) Close() error {
	if f.stream != nil {
		f.stream.Close()
		f.stream = nil
	}
	if f.conn == nil {
		return nil
	}
	err := f.conn.Close()
	f.conn = nil
	return err
}

// final is an error that ends a Follower.
type final struct{ error }

func (e final) Unwrap() error { return e.error }

// Recv returns the next block, and reconnects if it has to. It fails with io.EOF after the
// stop of the seek, with ctx's error when that is done, or with an error that another try
// would give as well: a refusal (see Permanent), a *fabric.ChainError, fabric.ErrMalformed,
// or an error of Subscribed.
func (f *Follower) Recv(ctx context.Context) (Delivered, error) {
	for {
		d, err := f.recv(ctx)
		if err == nil || errors.Is(err, io.EOF) {
			return d, err
		}
		_ = f.Close()
		if ctx.Err() != nil {
			return Delivered{}, ctx.Err()
		}
		if f.ends(err) {
			var last final
			if errors.As(err, &last) {
				err = last.error
			}
			return Delivered{}, err
		}
		if !f.lost {
			f.lost, f.missed = true, f.next.Load()
			if f.s.Lost != nil {
				f.s.Lost(err)
			}
		}
		if !f.s.Retry.Pause(ctx) {
			return Delivered{}, ctx.Err()
		}
	}
}

// ends reports whether another try would fail as well.
func (f *Follower) ends(err error) bool {
	var broken *fabric.ChainError
	var last final
	if _, bounded := f.s.Seek.Stop.Number(); bounded && !f.begun && NotFound(err) {
		return true
	}
	return Permanent(err) || errors.As(err, &broken) || errors.Is(err, fabric.ErrMalformed) || errors.As(err, &last)
}

// Open subscribes before the first Recv, without another try. The stream ends with ctx, or
// with that of the first Recv.
func (f *Follower) Open(ctx context.Context) error {
	err := f.open(ctx)
	f.early = err == nil
	return err
}

func (f *Follower) open(ctx context.Context) error {
	if f.stream != nil {
		return nil
	}
	conn := f.s.Conn
	if conn == nil {
		var err error
		if f.conn, err = Dial(ctx, f.s.Endpoint); err != nil {
			return err
		}
		conn = f.conn
	}
	var h Height
	asked := f.s.Heights && (f.lost || f.s.Seek.Start == NextCommit)
	if asked {
		var err error
		if h, err = conn.Height(ctx, f.s.Service, f.s.Signer, f.s.Seek.Channel); err != nil {
			return err
		}
		if f.s.Seek.Start == NextCommit {
			f.s.Seek.Start = At(h.Blocks)
			f.startAt(h.Blocks)
		}
		f.known.Store(max(h.Blocks, f.known.Load()))
		f.left = f.known.Load() - f.next.Load()
	}
	if f.begun {
		f.s.Seek.Start = At(f.next.Load())
	}
	var err error
	if f.stream, err = conn.Deliver(ctx, f.s.Service, f.s.Signer, f.s.Seek); err != nil || !asked {
		return err
	}
	if f.s.Subscribed != nil {
		if err := f.s.Subscribed(h); err != nil {
			return final{err}
		}
	}
	if f.lost && f.left == 0 {
		f.back(h.At)
	}
	return nil
}

func (f *Follower) recv(ctx context.Context) (Delivered, error) {
	if stop, ok := f.s.Seek.Stop.Number(); ok && f.begun && f.next.Load() > stop {
		return Delivered{}, io.EOF
	}
	if err := f.open(ctx); err != nil {
		return Delivered{}, notEOF(err)
	}
	if f.early {
		context.AfterFunc(ctx, f.stream.Close)
		f.early = false
	}
	if f.lost && f.s.Heights && f.next.Load() >= f.known.Load() {
		if err := f.level(ctx); err != nil {
			return Delivered{}, err
		}
	}
	for {
		d, err := f.stream.Recv()
		if err == nil {
			err = f.check(&d)
		}
		if errors.Is(err, fabric.ErrOld) {
			continue
		}
		if err != nil {
			return Delivered{}, notEOF(err)
		}
		f.s.Retry.Reset()
		d.Old = d.Number() < f.known.Load()
		f.next.Store(d.Number() + 1)
		f.begun = true
		if !f.s.Heights && f.lost {
			f.back(d.Arrived)
		}
		return d, nil
	}
}

// check compares the block with those before it. Filtered blocks have no hashes, so it
// compares their numbers.
func (f *Follower) check(d *Delivered) error {
	if d.Filtered == nil {
		return f.chain.Next(&d.Block)
	}
	next := f.next.Load()
	switch {
	case f.chain == (fabric.Chain{}) && !f.begun, d.Number() == next:
		return nil
	case d.Number() < next:
		return &fabric.ChainError{Number: d.Number(), Want: next, Err: fabric.ErrOld}
	}
	return &fabric.ChainError{Number: d.Number(), Want: next, Err: fabric.ErrHole}
}

// level is called when all blocks below the known height have arrived. It asks for the height
// again: the Follower has caught up if no more blocks are left than are made during such a
// question, which is the case if they did not become fewer since the last one.
func (f *Follower) level(ctx context.Context) error {
	conn := f.s.Conn
	if conn == nil {
		conn = f.conn
	}
	h, err := conn.Height(ctx, f.s.Service, f.s.Signer, f.s.Seek.Channel)
	if err != nil {
		return err
	}
	left := h.Blocks - min(h.Blocks, f.next.Load())
	if left == 0 || left >= f.left {
		f.back(h.At)
		return nil
	}
	f.left = left
	f.known.Store(h.Blocks)
	return nil
}

func (f *Follower) back(at time.Time) {
	f.lost = false
	if f.s.Back != nil {
		f.s.Back(at, f.missed, max(f.missed, f.known.Load()))
	}
}

// notEOF: a stream that the node ends before its last block is cut.
func notEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Height is what a node says of a channel's height.
type Height struct {
	Blocks uint64
	// Newest is the block below it.
	Newest Delivered
	// At is when the answer arrived, Took the time from the request to the answer: about an
	// upper bound of the way of a small block from the node to here, if both are idle.
	At   time.Time
	Took time.Duration
}

// answerWithin bounds the wait for a height: a node answers at once when it is asked for a
// block that it has, even if it is busy.
const answerWithin = 30 * time.Second

// Height asks a node for a channel's newest block. An orderer may leave out its
// transactions.
func (c *Conn) Height(ctx context.Context, service Service, signer Signer, channel string) (Height, error) {
	limited, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	h, err := c.askHeight(limited, service, signer, channel)
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		err = fmt.Errorf("no answer within %v: %w", answerWithin, err)
	}
	return h, err
}

func (c *Conn) askHeight(ctx context.Context, service Service, signer Signer, channel string) (Height, error) {
	asked := time.Now()
	stream, err := c.Deliver(ctx, service, signer, Seek{Channel: channel, Start: Newest, Stop: Newest, HeadersOnly: service == Orderer})
	if err != nil {
		return Height{}, err
	}
	defer stream.Close()
	d, err := stream.Recv()
	if err != nil {
		return Height{}, notEOF(err)
	}
	return Height{Blocks: d.Number() + 1, Newest: d, At: d.Arrived, Took: d.Arrived.Sub(asked)}, nil
}

// Backoff is a pause that grows from try to try.
type Backoff struct {
	// First is the first pause and Most the longest one.
	First, Most time.Duration
	// Growth is the factor from one pause to the next. 0 means 2.
	Growth float64

	last time.Duration
}

// Reset makes the next pause the first one.
func (b *Backoff) Reset() { b.last = 0 }

// Pause waits, and reports whether ctx still stands.
func (b *Backoff) Pause(ctx context.Context) bool {
	growth := b.Growth
	if growth == 0 {
		growth = 2
	}
	b.last = min(max(time.Duration(growth*float64(b.last)), b.First), b.Most)
	timer := time.NewTimer(b.last)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
