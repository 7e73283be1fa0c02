package pipeline

import (
	"github.com/blockreel/blockreel/internal/offheap"
	"github.com/blockreel/blockreel/traces/event"
)

// parcel is a block on its way from the orderer to the door.
type parcel struct {
	block   event.BlockNum
	bytes   int64
	arrives event.Time // at the peer, unless a block before it is still under way; set when sent
}

// flight is a queue of the parcels that are sent and not yet received. It grows to
// the largest number of them, which Link.Window bounds, and then stays.
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

// free gives the memory back.
func (f *flight) free() {
	offheap.Free(f.ring)
	*f = flight{}
}

func (f *flight) grow() {
	ring := offheap.Make[parcel](max(16, 2*len(f.ring)))
	for i := range f.n {
		ring[i] = f.ring[(f.head+i)&(len(f.ring)-1)]
	}
	offheap.Free(f.ring)
	f.ring, f.head = ring, 0
}
