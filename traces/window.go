package traces

import "github.com/blockreel/blockreel/traces/event"

// A window is a column that grows at both ends while the events of a chunk come in.
type window struct {
	first  uint64 // number of the block at buf[lo]
	lo, hi int    // buf[lo:hi] is the window; everything else in buf is Missing
	buf    []int64
}

// front is the room that an empty window leaves before its first block, for
// neighbours that come out of order.
const front = 16

func (w *window) len() int    { return w.hi - w.lo }
func (w *window) end() uint64 { return w.first + uint64(w.len()) }

// vals returns the values from block w.first on.
func (w *window) vals() []int64 { return w.buf[w.lo:w.hi:w.hi] }

// reach returns how many blocks the window would span with block n in it.
func (w *window) reach(n uint64) uint64 {
	if w.len() == 0 {
		return 1
	}
	return max(w.end(), n+1) - min(w.first, n)
}

// extend makes the window hold the blocks [from, to). The caller has checked that
// the span is not too large.
func (w *window) extend(from, to uint64) {
	if from >= to {
		return
	}
	if w.len() == 0 {
		w.first, w.lo, w.hi = from, front, front
	}
	before := uint64(0)
	if from < w.first {
		before = w.first - from
	}
	after := uint64(0)
	if to > w.end() {
		after = to - w.end()
	}
	if before > uint64(w.lo) || after > uint64(len(w.buf)-w.hi) || len(w.buf) == 0 {
		w.grow(int(before), int(after))
	}
	w.lo -= int(before)
	w.hi += int(after)
	w.first -= before
}

// grow makes room at the ends that need it, and for half as much as the window holds
// already.
func (w *window) grow(before, after int) {
	lo, tail := w.lo, len(w.buf)-w.hi
	if before > lo {
		lo = before + front + w.len()/2
	}
	if after > tail {
		tail = after + front + w.len()/2
	}
	buf := make([]int64, lo+w.len()+tail)
	n := copy(buf[lo:], w.buf[min(w.lo, len(w.buf)):min(w.hi, len(w.buf))])
	fillMissing(buf[:lo])
	fillMissing(buf[lo+n:])
	w.buf, w.lo, w.hi = buf, lo, lo+n
}

// set stores the value of a block. The window grows by at most its reach.
func (w *window) set(block uint64, v int64) {
	if block-w.first >= uint64(w.len()) || w.len() == 0 {
		w.extend(block, block+1)
	}
	w.buf[w.lo+int(block-w.first)] = v
}

// reset empties the window and keeps its memory.
func (w *window) reset() {
	fillMissing(w.buf[w.lo:w.hi])
	w.lo, w.hi = 0, 0
}

func fillMissing(c []int64) {
	for i := range c {
		c[i] = event.Missing
	}
}
