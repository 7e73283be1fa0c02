package recorder

import (
	"sync"

	"github.com/blockreel/blockreel/traces"
)

// payloads are blocks that wait to be written. They are bounded by their bytes.
type payloads struct {
	ready chan struct{} // one waits, and the goroutine does not know

	mu      sync.Mutex
	room    sync.Cond // bytes has become less
	waiting []traces.Payload
	bytes   int // of those that wait, and of the one that is being written
	limit   int
	dropped uint64
}

// put appends a payload if there is room for it, or waits until there is. If it need not
// wait, it reports whether it has appended the payload, and counts it as dropped otherwise.
// A payload that waits needs an empty queue if it is larger than the limit.
func (q *payloads) put(p traces.Payload, wait bool) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.bytes+len(p.Bytes) > q.limit && (!wait || q.bytes > 0) {
		if !wait {
			q.dropped++
			return false
		}
		q.room.Wait()
	}
	q.bytes += len(p.Bytes)
	q.waiting = append(q.waiting, p)
	q.tell()
	return true
}

func (q *payloads) tell() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// take returns the next payload, which the caller hands back to written.
func (q *payloads) take() (p traces.Payload, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		return p, false
	}
	p = q.waiting[0]
	q.waiting[0] = traces.Payload{}
	if q.waiting = q.waiting[1:]; len(q.waiting) > 0 {
		q.tell()
	}
	return p, true
}

// written makes room after a payload was written, or could not be.
func (q *payloads) written(p traces.Payload, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.bytes -= len(p.Bytes)
	if err != nil {
		q.dropped++
	}
	q.room.Broadcast()
}

// lost returns the number of drops.
func (q *payloads) lost() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.dropped
}

// Payload takes a block, or drops and counts it if Config.QueuePayloadBytes wait already. It
// waits as little as Observe does, and nobody may change the bytes afterwards. A block is
// written once for its channel.
func (r *Recorder) Payload(p traces.Payload) { r.blocks.put(p, false) }

// PayloadWait takes a block, and waits until there is room for it. It must not be called
// after Close.
func (r *Recorder) PayloadWait(p traces.Payload) { r.blocks.put(p, true) }

// PayloadBytes returns the bytes of the payloads that are not written yet.
func (r *Recorder) PayloadBytes() int {
	r.blocks.mu.Lock()
	defer r.blocks.mu.Unlock()
	return r.blocks.bytes
}

// DroppedPayloads returns how many payloads were dropped so far.
func (r *Recorder) DroppedPayloads() uint64 { return r.blocks.lost() }

// writePayload writes the payload that has waited longest, and reports whether there was one.
func (r *Recorder) writePayload() bool {
	p, ok := r.blocks.take()
	if ok {
		err := r.writer.Payload(p.Channel, p.Block, p.Bytes)
		r.keep(err)
		r.blocks.written(p, err)
	}
	return ok
}
