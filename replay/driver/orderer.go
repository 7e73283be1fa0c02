package driver

import (
	"github.com/blockreel/blockreel/internal/offheap"
	"github.com/blockreel/blockreel/traces/event"
)

// orderer is the part of the orderer's ledger that the committer lacks. The blocks are the
// Source's; of those that were sent it keeps the places.
type orderer struct {
	source  Source
	offered int // blocks of the source
	unsent  int // the first that the machine was not given yet; at most offered
	// sent[first:] are the places of the blocks that the machine was given and the
	// committer lacks, in order.
	sent  []int
	first int
}

// dry reports whether all blocks are offered.
func (o *orderer) dry() bool { return o.offered == o.source.Len() }

// coming is the next block to be offered.
func (o *orderer) coming() Arrival { return o.source.At(o.offered) }

// behind reports whether there are blocks that the machine was not given yet.
func (o *orderer) behind() bool { return o.unsent < o.offered }

// free gives the memory back.
func (o *orderer) free() {
	offheap.Free(o.sent)
	o.sent = nil
}

// send returns the next block for the machine.
func (o *orderer) send() Arrival {
	if len(o.sent) == cap(o.sent) && o.first > len(o.sent)/2 {
		o.sent, o.first = append(o.sent[:0], o.sent[o.first:]...), 0
	}
	o.sent = offheap.Append(o.sent, o.unsent)
	o.unsent++
	return o.source.At(o.unsent - 1)
}

// take returns block n, which the committer lacks no more. The machine was given it, mostly
// as the first of those that are lacked.
func (o *orderer) take(n event.BlockNum) Arrival {
	i := o.first
	a := o.source.At(o.sent[i])
	for a.Number != n {
		i++
		a = o.source.At(o.sent[i])
	}
	copy(o.sent[o.first+1:i+1], o.sent[o.first:i])
	o.first++
	return a
}
