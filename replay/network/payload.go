package network

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/blockreel/blockreel/internal/fabric"
	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

const (
	// flushEvery is the longest time between two flushes of payloads.
	flushEvery = time.Second
	// While a run is under way its payloads are written in 1/32 of the time, which
	// is enough for some 10 MB/s; what they fall behind is made good afterwards. Rests are
	// long enough for a timer.
	restFactor = 31
	leastRest  = 10 * time.Millisecond
)

// WritePayloads writes a trace of the blocks alone, as the orderer offers them, whole or
// without their transactions. It reads them from the orderer's file, so that it is in
// nobody's way and holds a block of each channel; it takes its time, and may fall behind.
// When ctx ends, it writes the rest of those that are offered by then as fast as it can,
// and the end of the trace.
func (n *Network) WritePayloads(ctx context.Context, w io.Writer, h traces.Header, headersOnly bool) error {
	writer, err := traces.NewWriter(w, h, traces.WriterConfig{})
	if err != nil {
		return err
	}
	blocks, failed := make(chan traces.Payload), make(chan struct{})
	errs := make([]error, len(n.channels))
	var readers sync.WaitGroup
	for i, ch := range n.channels {
		readers.Go(func() { errs[i] = ch.chain.follow(ctx, headersOnly, blocks, failed) })
	}
	go func() {
		readers.Wait()
		close(blocks)
	}()
	if err := writePayloads(ctx, writer, blocks); err != nil {
		close(failed)
		readers.Wait()
		return errors.Join(fmt.Errorf("payloads: %w", err), writer.Close())
	}
	return errors.Join(append(errs, writer.Close())...)
}

func writePayloads(ctx context.Context, w *traces.Writer, blocks <-chan traces.Payload) error {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	var rest time.Duration
	for {
		var began time.Time
		select {
		case <-tick.C:
			began = time.Now()
			if err := w.Flush(); err != nil {
				return err
			}
		case b, more := <-blocks:
			if !more {
				return nil
			}
			began = time.Now()
			if err := w.Payload(b.Channel, b.Block, b.Bytes); err != nil {
				return err
			}
		}
		if rest += restFactor * time.Since(began); rest > leastRest {
			_ = pause(ctx, rest) // none when ctx is done
			rest = 0
		}
	}
}

// follow hands on the channel's blocks from the first that was offered, until ctx is done
// and all are handed on, or nobody takes them.
func (c *chain) follow(ctx context.Context, headersOnly bool, to chan<- traces.Payload, failed <-chan struct{}) error {
	for number := uint64(firstBlock); ; number++ {
		if c.height.wait(ctx, number) != nil && number >= c.Height() {
			return nil
		}
		raw, err := c.read(number)
		if err != nil {
			return err
		}
		if headersOnly {
			b, err := fabric.ParseBlock(raw)
			if err != nil {
				return err
			}
			raw = b.WithoutData()
		}
		select {
		case to <- traces.Payload{Channel: c.channel, Block: event.BlockNum(number), Bytes: raw}:
		case <-failed:
			return nil
		}
	}
}
