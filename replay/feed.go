package replay

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// readAhead is the number of bytes of payloads that a feed holds for its ledger, beside
// the chunk of the trace that it reads: enough for a second of blocks, and little
// memory. A larger block is held alone.
const readAhead = 32 << 20

// maxAhead bounds the blocks that are held, however small.
const maxAhead = 1024

// A feed reads the payloads of a stream ahead of its ledger, block by block in order, so
// that neither the disk that the trace is on nor decompression counts as the ledger's
// work.
type feed struct {
	blocks chan payload
	room   *semaphore.Weighted
	stop   context.CancelFunc
	done   chan struct{}
	// waited is the time for which next has waited, but for the first payload.
	waited time.Duration
	begun  bool
}

type payload struct {
	number event.BlockNum
	bytes  []byte
	weight int64
	err    error
}

// newFeed begins to read the payloads of the n blocks of a channel from first on.
func newFeed(ctx context.Context, file *traces.PayloadFile, channel string, first event.BlockNum, n int) *feed {
	ctx, stop := context.WithCancel(ctx)
	f := &feed{
		blocks: make(chan payload, maxAhead), room: semaphore.NewWeighted(readAhead),
		stop: stop, done: make(chan struct{}),
	}
	go func() {
		defer close(f.done)
		defer close(f.blocks)
		for p, err := range file.Blocks(channel, first, n) {
			next := payload{number: p.Block, err: err}
			if err == nil {
				next.weight = min(max(int64(len(p.Bytes)), 1), readAhead)
				if f.room.Acquire(ctx, next.weight) != nil {
					return
				}
				next.bytes = append(make([]byte, 0, len(p.Bytes)), p.Bytes...)
			}
			select {
			case f.blocks <- next:
			case <-ctx.Done():
				return
			}
		}
	}()
	return f
}

// next returns the payload of block n, which is the one after the last that it returned.
func (f *feed) next(ctx context.Context, n event.BlockNum) ([]byte, error) {
	start := time.Now()
	defer func() {
		if f.begun {
			f.waited += time.Since(start)
		}
		f.begun = true
	}()
	select {
	case p, ok := <-f.blocks:
		switch {
		case !ok && ctx.Err() != nil:
			return nil, ctx.Err()
		case !ok:
			return nil, fmt.Errorf("payload of block %d: the trace has no more", n)
		case p.err != nil:
			return nil, fmt.Errorf("payload of block %d: %w", n, p.err)
		case p.number != n:
			return nil, fmt.Errorf("payload of block %d: the trace has that of block %d next", n, p.number)
		}
		f.room.Release(p.weight)
		return p.bytes, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// close ends the reading; it returns when nothing reads any more.
func (f *feed) close() {
	f.stop()
	<-f.done
}
