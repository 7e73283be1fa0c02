package recorder

import "sync"

// A queue holds events of one stream, or samples, that wait to be written. A lock and
// two slices that are swapped: most streams have one producer, so the lock is free
// nearly always and costs less than a channel, and the consumer comes once for
// thousands of events.
type queue[T any] struct {
	mu      sync.Mutex
	waiting []T    // at most its capacity
	dropped uint64 // in all

	noted uint64 // drops that notes report; not under mu
	_     [64]byte
}

// put appends v and returns the number of values that wait, 0 when it was dropped.
func (q *queue[T]) put(v T) int {
	q.mu.Lock()
	n := len(q.waiting)
	if n == cap(q.waiting) {
		q.dropped++
		q.mu.Unlock()
		return 0
	}
	q.waiting = append(q.waiting, v)
	q.mu.Unlock()
	return n + 1
}

// swap returns the values that wait and leaves an empty slice in their place.
func (q *queue[T]) swap(empty []T) []T {
	q.mu.Lock()
	defer q.mu.Unlock()
	waiting := q.waiting
	q.waiting = empty
	return waiting
}

// len returns how many values wait.
func (q *queue[T]) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting)
}

// lose counts n more drops.
func (q *queue[T]) lose(n uint64) {
	q.mu.Lock()
	q.dropped += n
	q.mu.Unlock()
}

// lost returns the number of drops.
func (q *queue[T]) lost() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.dropped
}
