package driver

import (
	"slices"

	"github.com/blockreel/blockreel/traces/event"
)

// orderer is the part of the orderer's ledger that the committer lacks: blocks that
// are offered and not popped, in the order of the Source.
type orderer struct {
	blocks []Arrival
	first  int // of the blocks that are still lacked
	unsent int // the first that the machine was not given yet; at least first
}

func (o *orderer) push(a Arrival) {
	if len(o.blocks) == cap(o.blocks) && o.first > len(o.blocks)/2 {
		n := copy(o.blocks, o.blocks[o.first:])
		clear(o.blocks[n:])
		o.blocks, o.unsent, o.first = o.blocks[:n], o.unsent-o.first, 0
	}
	if len(o.blocks) == cap(o.blocks) {
		o.blocks = slices.Grow(o.blocks, max(16, len(o.blocks))) // append alone would grow by less, and copy more
	}
	o.blocks = append(o.blocks, a)
}

// behind reports whether there are blocks that the machine was not given yet.
func (o *orderer) behind() bool { return o.unsent < len(o.blocks) }

// send returns the next block for the machine.
func (o *orderer) send() *Arrival {
	o.unsent++
	return &o.blocks[o.unsent-1]
}

// take moves block n to dst. The machine was given it, mostly as the first of the
// blocks that are still lacked.
func (o *orderer) take(n event.BlockNum, dst *Arrival) {
	i := o.first
	for o.blocks[i].Number != n {
		i++
	}
	*dst = o.blocks[i]
	copy(o.blocks[o.first+1:i+1], o.blocks[o.first:i])
	o.blocks[o.first] = Arrival{}
	o.first++
}
