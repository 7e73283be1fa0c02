package deliver_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/blockreel/blockreel/internal/fabric/deliver"
)

// cut makes the ledger fail from a block on; nil: no more.
func (l *ledger) cut(at uint64, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fail, l.failAt = err, at
}

// TestFollow cuts a follower's stream, and lets the ledger grow in the meantime.
func TestFollow(t *testing.T) {
	blocks := sample(t)
	for _, service := range []deliver.Service{deliver.Orderer, deliver.PeerFiltered} {
		n := startNode(t, nodeConfig{blocks: blocks[:3]})
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		var told []string
		tell := func(format string, args ...any) { told = append(told, fmt.Sprintf(format, args...)) }
		f := deliver.Follow(deliver.Subscription{
			Endpoint: n.endpoint(), Service: service, Signer: n.user.Identity, Heights: true,
			Seek: deliver.Seek{Channel: "ch1", Start: deliver.At(1), Stop: deliver.At(8)}, Retry: deliver.Backoff{First: time.Millisecond, Most: time.Millisecond},
			Lost: func(cause error) {
				tell("lost")
				n.ledger.append(blocks[3:5]...)
				n.ledger.cut(0, nil)
			},
			Subscribed: func(h deliver.Height) error { tell("height %d", h.Blocks); return nil },
			Back:       func(_ time.Time, first, end uint64) { tell("back %d-%d", first, end) },
		})
		defer f.Close()
		n.ledger.cut(3, deliver.ErrDisconnect)
		for number := uint64(1); number < 9; number++ {
			d, err := f.Recv(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if d.Number() != number || f.Next() != number+1 {
				t.Fatalf("%v: block %d came, %d is next; want block %d", service, d.Number(), f.Next(), number)
			}
			if old := number >= 3 && number <= 5; d.Old != old {
				t.Errorf("%v: block %d is old: %v", service, number, d.Old)
			}
			switch number {
			case 4:
				n.ledger.append(blocks[5])
			case 5:
				n.ledger.append(blocks[6:9]...)
			}
		}
		if _, err := f.Recv(ctx); !errors.Is(err, io.EOF) {
			t.Errorf("%v: after the last block: %v", service, err)
		}
		// Block 5 was made before block 4 was taken: it comes after old ones, late.
		want := "lost, height 5, back 3-6"
		if got := strings.Join(told, ", "); got != want {
			t.Errorf("%v: told %s, want %s", service, got, want)
		}
	}
}

// TestFollowEnds: a follower returns what another try cannot change.
func TestFollowEnds(t *testing.T) {
	blocks := sample(t)
	n := startNode(t, nodeConfig{blocks: blocks[:3]})
	errOwn := errors.New("not this height")
	for name, c := range map[string]struct {
		change func(*deliver.Subscription)
		is     func(error) bool
	}{
		"stranger": {func(s *deliver.Subscription) { s.Signer = startNode(t, nodeConfig{blocks: blocks}).user.Identity }, deliver.Permanent},
		"first block is gone": {func(s *deliver.Subscription) {
			s.Seek.Start, s.Seek.Stop = deliver.At(7), deliver.At(9)
		}, deliver.NotFound},
		"height is refused": {func(s *deliver.Subscription) {
			s.Heights, s.Seek.Start = true, deliver.NextCommit
			s.Subscribed = func(deliver.Height) error { return errOwn }
		}, func(err error) bool { return errors.Is(err, errOwn) }},
		"end of the context": {func(s *deliver.Subscription) { s.Seek.Channel = "ch2" },
			func(err error) bool { return errors.Is(err, context.Canceled) }},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			s := deliver.Subscription{
				Endpoint: n.endpoint(), Service: deliver.Orderer, Signer: n.user.Identity,
				Seek: deliver.Seek{Channel: "ch1"}, Retry: deliver.Backoff{First: time.Millisecond, Most: time.Hour},
				Lost: func(error) { cancel() },
			}
			c.change(&s)
			f := deliver.Follow(s)
			defer f.Close()
			if d, err := f.Recv(ctx); !c.is(err) {
				t.Errorf("block %d, error %v", d.Number(), err)
			}
		})
	}
}

func TestBackoff(t *testing.T) {
	b := deliver.Backoff{First: time.Microsecond, Most: time.Hour}
	for range 3 {
		if !b.Pause(t.Context()) {
			t.Fatal("the context stands")
		}
	}
	b.First = time.Hour
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if b.Pause(ctx) {
		t.Error("the context has ended")
	}
}
