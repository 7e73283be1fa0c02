package serve

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/blockreel/blockreel/internal/fabric"
	"github.com/blockreel/blockreel/internal/fabric/deliver"
)

// PeerError says which peer has refused to report its commits, for good.
type PeerError struct {
	Peer, Channel string
	Err           error
}

func (e *PeerError) Error() string {
	return fmt.Sprintf("peer %s, channel %s: %v", e.Peer, e.Channel, e.Err)
}

func (e *PeerError) Unwrap() error { return e.Err }

func (p Peer) host() string {
	host, _, _ := net.SplitHostPort(p.Address)
	return host
}

// follow follows a peer's commits on a channel, across connections. It returns nil when ctx
// ends, and a *PeerError when the peer refuses. A peer that is down, or that has yet to join the channel, is tried
// again.
func (s *stream) follow(ctx context.Context, to Peer) error {
	r, name, fresh := s.recording, s.channel.name, false
	feed := deliver.Follow(deliver.Subscription{
		Endpoint: deliver.Endpoint{Address: to.Address, TLS: to.TLS}, Service: deliver.PeerFiltered, Signer: r.Signer, Heights: true,
		Seek:  deliver.Seek{Channel: name, Start: deliver.NextCommit},
		Retry: deliver.Backoff{First: r.RetryAfter, Most: r.RetryAtMost},
		Lost: func(err error) {
			if r.Lost != nil {
				r.Lost(to, name, err)
			}
		},
		Subscribed: func(h deliver.Height) error {
			fresh = true
			return s.subscribed(to, h)
		},
	})
	defer feed.Close()
	for {
		d, err := feed.Recv(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err == nil && fresh {
			err = s.recognize(&d)
			fresh = false
		}
		if err != nil {
			return &PeerError{to.Name, name, err}
		}
		if !d.Old {
			s.committed(d.Number(), d.Arrived, d.Invalid())
		}
	}
}

// subscribed takes a height that the peer has reported; its commits follow from there on.
func (s *stream) subscribed(to Peer, h deliver.Height) error {
	if err := s.recognize(&h.Newest); err != nil {
		return err
	}
	if end := s.channel.end(); h.Blocks > end && s.height() == 0 {
		return fmt.Errorf("its height is %d, and the trace ends at height %d: %w", h.Blocks, end, ErrBeyond)
	}
	s.reached(h.Blocks, h.Took)
	s.once.Do(func() { close(s.followed) })
	if told := s.recording.Followed; told != nil {
		told(to, s.channel.name, h.Blocks, s.channel.end())
	}
	return nil
}

var (
	// ErrForeign: a peer's block is not the trace's.
	ErrForeign = errors.New("this is another chain than the trace's: the peer does not take its blocks from here")
	// ErrBeyond: a peer has more blocks than the trace before it is sent any.
	ErrBeyond = errors.New("there is nothing that it could be sent: take a peer that has just joined the channel, or a longer trace")
)

// recognize compares a block of the peer's with the trace's by the id of its first transaction.
// Blocks that the trace does not hold, and transactions without an id, say nothing.
func (s *stream) recognize(d *deliver.Delivered) error {
	i := d.Number() - s.channel.first()
	if d.Number() < s.channel.first() || d.Number() >= s.channel.end() || len(d.Filtered.FilteredTransactions) == 0 {
		return nil
	}
	raw, err := s.recording.spool.read(s.channel.places[i])
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
