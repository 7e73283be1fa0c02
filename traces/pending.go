package traces

import (
	"cmp"
	"slices"

	"github.com/blockreel/blockreel/traces/event"
)

// A pending column has the values of one kind of one stream that wait for their chunk.
type pending struct {
	spans    []span // of the values, in the order of their coming
	values   []int64
	disorder bool // a value came after that of a later block, or of its own
}

func (p *pending) add(block uint64, v int64) {
	p.extend(block, 1)
	p.values = append(p.values, v)
}

// addAll adds values of neighbouring blocks, of which some may be missing.
func (p *pending) addAll(first uint64, values []int64) {
	for i := 0; i < len(values); {
		n := slices.Index(values[i:], event.Missing)
		if n < 0 {
			n = len(values) - i
		}
		if n > 0 {
			p.extend(first+uint64(i), n)
			p.values = append(p.values, values[i:i+n]...)
		}
		i += n + 1
	}
}

func (p *pending) extend(block uint64, n int) {
	last := len(p.spans) - 1
	if last >= 0 {
		end := p.spans[last].first + uint64(p.spans[last].n)
		if end == block {
			p.spans[last].n += n
			return
		}
		p.disorder = p.disorder || block < end
	}
	p.spans = append(p.spans, span{block, n})
}

func (p *pending) reset() { p.spans, p.values, p.disorder = p.spans[:0], p.values[:0], false }

// settle brings the values into the order of their blocks; of two values of a block the later
// stays.
func (p *pending) settle() {
	if !p.disorder {
		return
	}
	type entry struct {
		block uint64
		value int64
	}
	entries := make([]entry, 0, len(p.values))
	for _, s := range p.spans {
		for i := range s.n {
			entries = append(entries, entry{s.first + uint64(i), p.values[len(entries)]})
		}
	}
	slices.SortStableFunc(entries, func(a, b entry) int { return cmp.Compare(a.block, b.block) })
	p.reset()
	for i, e := range entries {
		if i+1 == len(entries) || entries[i+1].block != e.block {
			p.add(e.block, e.value)
		}
	}
}
