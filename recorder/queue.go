package recorder

import (
	"sync"

	"github.com/blockreel/blockreel/traces/event"
)

// A queue holds the events of one stream that wait to be written. A lock and two
// slices that are swapped: most streams have one producer, so the lock is free
// nearly always and costs less than a channel, and the consumer comes once for
// thousands of events.
type queue struct {
	mu      sync.Mutex
	events  []event.Event // at most its capacity
	dropped uint64        // in all

	noted uint64 // drops that notes tell of; not under mu
	_     [64]byte
}

// put appends e and returns the number of events that wait, 0 when it was dropped.
func (q *queue) put(e event.Event) int {
	q.mu.Lock()
	n := len(q.events)
	if n == cap(q.events) {
		q.dropped++
		q.mu.Unlock()
		return 0
	}
	q.events = append(q.events, e)
	q.mu.Unlock()
	return n + 1
}

// swap returns the events that wait and leaves an empty slice in their place.
func (q *queue) swap(empty []event.Event) []event.Event {
	q.mu.Lock()
	defer q.mu.Unlock()
	events := q.events
	q.events = empty
	return events
}

// lose counts n more drops.
func (q *queue) lose(n uint64) {
	q.mu.Lock()
	q.dropped += n
	q.mu.Unlock()
}
