package serve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/blockreel/blockreel/internal/fabric"
	"github.com/blockreel/blockreel/internal/fabric/deliver"
	peerpb "github.com/blockreel/blockreel/internal/fabric/proto/peer"
)

// PeerError says which peer has refused to tell of its commits, for good.
type PeerError struct {
	Peer, Channel string
	Err           error
}

func (e *PeerError) Error() string {
	return fmt.Sprintf("peer %s, channel %s: %v", e.Peer, e.Channel, e.Err)
}

func (e *PeerError) Unwrap() error { return e.Err }

func (p Peer) host() string {
	host, _, _ := net.SplitHostPort(p.Endpoint.Address)
	return host
}

// follower follows a peer's commits on a channel, across connections. A peer that is down,
// or that has yet to join the channel, is tried again.
type follower struct {
	*stream
	to    Peer
	pause time.Duration
	// lost tells that Recording.Lost was called and Followed was not since.
	lost bool
}

// run returns nil when ctx ends, and a *PeerError when the peer refuses.
func (f *follower) run(ctx context.Context) error {
	for {
		err := f.follow(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if deliver.Permanent(err) || errors.Is(err, ErrForeign) || errors.Is(err, ErrBeyond) {
			return &PeerError{f.to.Name, f.channel.name, err}
		}
		if told := f.recording.Lost; told != nil && !f.lost {
			told(f.to, f.channel.name, err)
		}
		f.lost = true
		f.pause = min(max(2*f.pause, f.recording.RetryAfter), f.recording.RetryAtMost)
		timer := time.NewTimer(f.pause)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
}

// follow asks for the peer's height, and subscribes to the blocks from there on: each of
// them is committed while it is looked at.
func (f *follower) follow(ctx context.Context) error {
	conn, err := deliver.Dial(ctx, f.to.Endpoint)
	if err != nil {
		return err
	}
	defer conn.Close()
	asked := time.Now()
	newest, err := f.subscribe(ctx, conn, deliver.Seek{Start: deliver.Newest, Stop: deliver.Newest})
	if err != nil {
		return err
	}
	defer newest.Close()
	d, err := newest.Recv()
	if err != nil {
		return noEnd(err)
	}
	if err := f.recognize(&d); err != nil {
		return err
	}
	height := d.Number() + 1
	if end := f.channel.end(); height > end && f.height() == 0 {
		return fmt.Errorf("its height is %d, and the trace ends at height %d: %w", height, end, ErrBeyond)
	}
	f.reached(height, d.Arrived.Sub(asked))
	commits, err := f.subscribe(ctx, conn, deliver.Seek{Start: deliver.At(height)})
	if err != nil {
		return err
	}
	defer commits.Close()
	f.lost, f.pause = false, 0
	f.once.Do(func() { close(f.followed) })
	if told := f.recording.Followed; told != nil {
		told(f.to, f.channel.name, height, f.channel.end())
	}
	for next := height; ; next++ {
		d, err := commits.Recv()
		if err != nil {
			return noEnd(err)
		}
		if d.Number() != next {
			return fmt.Errorf("the peer tells of block %d instead of %d", d.Number(), next)
		}
		if next == height {
			if err := f.recognize(&d); err != nil {
				return err
			}
		}
		f.committed(next, d.Arrived, refusedTransactions(d.Filtered))
	}
}

func refusedTransactions(b *peerpb.FilteredBlock) (n int64) {
	for _, tx := range b.FilteredTransactions {
		if tx.TxValidationCode != peerpb.TxValidationCode_VALID {
			n++
		}
	}
	return n
}

var (
	// ErrForeign: a peer's block is not the trace's.
	ErrForeign = errors.New("this is another chain than the trace's: the peer does not take its blocks from here")
	// ErrBeyond: a peer has more blocks than the trace before it is sent any.
	ErrBeyond = errors.New("there is nothing that it could be sent: take a peer that has just joined the channel, or a longer trace")
)

// recognize holds a block of the peer's to the trace's by the id of its first transaction.
// Blocks that the trace does not hold, and transactions without an id, say nothing.
func (f *follower) recognize(d *deliver.Delivered) error {
	i := d.Number() - f.channel.first()
	if d.Number() < f.channel.first() || d.Number() >= f.channel.end() || len(d.Filtered.FilteredTransactions) == 0 {
		return nil
	}
	raw, err := f.recording.spool.read(f.channel.places[i])
	if err != nil {
		return err
	}
	block, err := fabric.ParseBlock(raw)
	if err != nil {
		return err
	}
	for _, envelope := range block.Envelopes() {
		ours, err := fabric.ParseTransaction(envelope)
		theirs := d.Filtered.FilteredTransactions[0].Txid
		if err == nil && ours.TxID != "" && theirs != "" && ours.TxID != theirs {
			return fmt.Errorf("block %d: %w", d.Number(), ErrForeign)
		}
		break
	}
	return nil
}

func (f *follower) subscribe(ctx context.Context, conn *deliver.Conn, seek deliver.Seek) (*deliver.Stream, error) {
	seek.Channel = f.channel.name
	return conn.Deliver(ctx, deliver.PeerFiltered, f.recording.Signer, seek)
}

// noEnd: io.EOF is no end of what has none.
func noEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
