package fabricnet

import (
	"errors"
	"io"
	"sync/atomic"
	"time"

	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// payloads writes blocks to a trace of their own, off the receive path. What finds the
// queue full is dropped and counted.
type payloads struct {
	queue   chan traces.Payload
	limit   int64
	waiting atomic.Int64 // bytes
	dropped atomic.Uint64
	done    chan struct{}

	writer *traces.Writer
	err    error // the first one; read it after close
}

// maxWaiting bounds the number of payloads in the queue, beside their bytes.
const maxWaiting = 1 << 14

func newPayloads(w io.Writer, h traces.Header, limit int) (*payloads, error) {
	writer, err := traces.NewWriter(w, h, traces.WriterConfig{})
	if err != nil {
		return nil, err
	}
	p := &payloads{queue: make(chan traces.Payload, maxWaiting), limit: int64(limit), done: make(chan struct{}), writer: writer}
	go p.run()
	return p, nil
}

// put hands the bytes over: nobody may change them any more. It never waits.
func (p *payloads) put(channel string, n event.BlockNum, block []byte) {
	size := int64(len(block))
	if p.waiting.Add(size) > p.limit {
		p.waiting.Add(-size)
		p.dropped.Add(1)
		return
	}
	select {
	case p.queue <- traces.Payload{Channel: channel, Block: n, Bytes: block}:
	default:
		p.waiting.Add(-size)
		p.dropped.Add(1)
	}
}

// close writes what waits. There must be no put after it.
func (p *payloads) close() error {
	close(p.queue)
	<-p.done
	return errors.Join(p.err, p.writer.Close())
}

func (p *payloads) run() {
	defer close(p.done)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case b, open := <-p.queue:
			if !open {
				return
			}
			err := p.writer.Payload(b.Channel, b.Block, b.Bytes)
			p.waiting.Add(-int64(len(b.Bytes)))
			if err != nil {
				p.dropped.Add(1)
				p.keep(err)
			}
		case <-tick.C:
			p.keep(p.writer.Flush())
		}
	}
}

func (p *payloads) keep(err error) {
	if p.err == nil {
		p.err = err
	}
}
