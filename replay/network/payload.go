package network

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/blockreel/blockreel/internal/fabric"
	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

const (
	// payloadBytesPerSecond bounds what is handed on while a run is under way, so that
	// compressing it takes about 1/32 of a core. The rest follows after the run.
	payloadBytesPerSecond = 10_000_000
	// leastRest is long enough for a timer.
	leastRest = 10 * time.Millisecond
)

// Payloads hands on the blocks that the orderer offers, whole or without their transactions,
// a channel's in their order. It reads them from the orderer's file and may fall behind.
// When ctx ends, it hands on the rest of those that are offered by then as fast as they are
// taken. Several goroutines call take at once, which may wait.
func (n *Network) Payloads(ctx context.Context, headersOnly bool, take func(traces.Payload)) error {
	var group errgroup.Group
	for _, ch := range n.channels {
		group.Go(func() error {
			if err := ch.chain.payloads(ctx, payloadBytesPerSecond/len(n.channels), headersOnly, take); err != nil {
				return fmt.Errorf("payloads: %w", err)
			}
			return nil
		})
	}
	return group.Wait()
}

func (c *chain) payloads(ctx context.Context, bytesPerSecond int, headersOnly bool, take func(traces.Payload)) error {
	var rest time.Duration
	for number := uint64(firstBlock); ; number++ {
		if c.height.wait(ctx, number) != nil && number >= c.Height() {
			return nil
		}
		raw, err := c.read(number)
		if err != nil {
			return err
		}
		if rest += time.Duration(len(raw)) * time.Second / time.Duration(bytesPerSecond); rest > leastRest {
			_ = pause(ctx, rest) // returns at once when ctx is done
			rest = 0
		}
		if headersOnly {
			b, err := fabric.ParseBlock(raw)
			if err != nil {
				return err
			}
			raw = b.WithoutData()
		}
		take(traces.Payload{Channel: c.channel, Block: event.BlockNum(number), Bytes: raw})
	}
}
