package fabricnet

import "sync"

// An order compares the two times of a stream's blocks: a block was in the
// orderer's ledger before a peer has committed it, so that the arrival of the commit is a
// bound for when it was offered, and sometimes the better one. The orderer's goroutine
// and the peer's call it in any order; who comes second for a block, decides.
type order struct {
	mu sync.Mutex
	// next is the number after the last block that was offered, recent the times of the
	// last ones.
	next   uint64
	recent [1 << 10]struct {
		block uint64
		at    int64
	}
	// early are the commits of blocks that have yet to be offered.
	early map[uint64]int64
	count int
}

// maxEarly bounds the commits that wait for their block.
const maxEarly = 1 << 16

// offered takes a block that came at this time, and records when it was offered; of one
// that is not live nothing is recorded. What is recorded last counts, so that it is done
// under the lock.
func (o *order) offered(n uint64, at int64, live bool, record func(at int64)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.next = n + 1
	committed, ok := o.early[n]
	delete(o.early, n)
	if !live {
		return
	}
	if ok && committed < at {
		o.count++
		at = committed
	}
	r := &o.recent[n%uint64(len(o.recent))]
	r.block, r.at = n, at
	record(at)
}

// committed takes a commit, and records it as the block's offer if that came later.
func (o *order) committed(n uint64, at int64, record func(at int64)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if n >= o.next {
		if o.early == nil {
			o.early = map[uint64]int64{}
		}
		if len(o.early) < maxEarly {
			o.early[n] = at
		}
		return
	}
	if r := &o.recent[n%uint64(len(o.recent))]; r.block == n && at < r.at {
		o.count++
		r.at = at
		record(at)
	}
}
