package pipeline

// history has the last values of a column, as many as its length, from next on and around.
type history struct {
	ring []int64
	next int
}

func newHistory(n int) history {
	h := history{ring: make([]int64, n)}
	for i := range h.ring {
		h.ring[i] = past
	}
	return h
}

// before makes room in work for the next n values, and returns them after those that are
// len(h.ring) places before them: where the column is longer than the ring, the two overlap.
func (h *history) before(n int, work *[]int64) (before, values []int64) {
	if len(*work) < 2*n {
		*work = make([]int64, 2*n)
	}
	known := min(n, len(h.ring))
	some := copy((*work)[:known], h.ring[h.next:])
	copy((*work)[some:known], h.ring)
	return (*work)[:n], (*work)[known:][:n]
}

// add puts values in the place of the oldest.
func (h *history) add(values []int64) {
	values = values[max(len(values)-len(h.ring), 0):]
	some := copy(h.ring[h.next:], values)
	if h.next += some; some < len(values) {
		h.next = copy(h.ring, values[some:])
	}
}
