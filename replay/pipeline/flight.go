package pipeline

import "github.com/blockreel/blockreel/traces/event"

// parcel is a block on its way from the orderer to the door.
type parcel struct {
	block event.BlockNum
	bytes int64
	at    event.Time // when it arrives, or in a Solver when it is received
}

// flight is a queue of parcels. It grows to the largest number of them, which Link.Window
// bounds, and then stays.
type flight struct {
	ring []parcel // len is 0 or a power of two
	head int
	n    int
}

func (f *flight) front() *parcel { return &f.ring[f.head&(len(f.ring)-1)] }

func (f *flight) pop() {
	f.head++
	f.n--
}

func (f *flight) push(p parcel) {
	if f.n == len(f.ring) {
		f.grow()
	}
	f.ring[(f.head+f.n)&(len(f.ring)-1)] = p
	f.n++
}

func (f *flight) grow() {
	ring := make([]parcel, max(16, 2*len(f.ring)))
	if f.n > 0 { // and so full
		first := f.head & (len(f.ring) - 1)
		copy(ring[copy(ring, f.ring[first:]):], f.ring[:first])
	}
	f.ring, f.head = ring, 0
}
