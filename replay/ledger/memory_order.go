package ledger

import "slices"

// order has the keys of a table in order for scans, of which most traces have none: it is made by
// the first, and given up when as many blocks as are kept were written since the last.
type order struct {
	made bool
	// keys without those that came since the last scan: fresh. A key that is gone stays
	// until the order is made anew.
	keys, fresh []string
	used        int // the number of blocks at the last scan
}

// orderSlack is how many keys an order may have beyond twice the table's.
const orderSlack = 1024

func (o *order) add(key string) {
	if o.made {
		o.fresh = append(o.fresh, key)
	}
}

// thin gives up what is not worth its room.
func (m *memory) thin(t table) {
	o := &m.order[t]
	most := 2*m.count(t) + orderSlack
	if m.blocks-o.used > len(m.recent) || len(o.keys)+len(o.fresh) > most {
		*o = order{used: m.blocks}
	}
}

// count is at least how many keys a table has.
func (m *memory) count(t table) int {
	if t == stateTable {
		return max(len(m.values), len(m.tables[t]))
	}
	return len(m.tables[t])
}

// inOrder brings a table's order up to date.
func (m *memory) inOrder(t table) []string {
	o := &m.order[t]
	o.used = m.blocks
	if !o.made {
		o.made = true
		for key := range m.tables[t] {
			o.fresh = append(o.fresh, key)
		}
		if t == stateTable {
			for key := range m.values {
				o.fresh = append(o.fresh, key)
			}
		}
	}
	if len(o.fresh) > 0 {
		slices.Sort(o.fresh)
		o.keys = merged(o.keys, o.fresh)
		clear(o.fresh)
		o.fresh = o.fresh[:0]
	}
	return o.keys
}

// merged gives the keys of two ordered lists, each once; the first list's room is used.
func merged(a, b []string) []string {
	n := len(a)
	a = append(a, b...)
	i, k := n-1, len(b)-1
	for at := len(a) - 1; k >= 0; at-- {
		if i >= 0 && a[i] > b[k] {
			a[at] = a[i]
			i--
		} else {
			a[at] = b[k]
			k--
		}
	}
	return slices.Compact(a)
}
