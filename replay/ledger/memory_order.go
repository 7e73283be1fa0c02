package ledger

import "slices"

// order has the keys of a table in order for scans. It is made by the first scan, and dropped when
// no scan came for as many blocks as are kept.
type order struct {
	made bool
	// keys without fresh ones, which came since the last scan. A deleted key stays until the order
	// is dropped.
	keys, fresh []string
	used        int // the number of blocks at the last scan
}

// orderSlack is how many keys an order may have beyond twice those of the table.
const orderSlack = 1024

func (o *order) add(key string) {
	if o.made {
		o.fresh = append(o.fresh, key)
	}
}

// thin drops an order that is not used, or has too many deleted keys.
func (m *memory) thin(t table) {
	o := &m.order[t]
	most := 2*m.count(t) + orderSlack
	if m.blocks-o.used > len(m.recent) || len(o.keys)+len(o.fresh) > most {
		*o = order{used: m.blocks}
	}
}

// count is at least the number of keys of a table.
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

// merged returns the keys of two ordered lists, each once, in the memory of the first.
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
