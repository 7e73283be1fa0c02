package ledger

import (
	"github.com/syndtr/goleveldb/leveldb/comparer"
	"github.com/syndtr/goleveldb/leveldb/memdb"
)

// order has the keys of a table in order for scans. It is made by the first scan, and dropped when no
// scan came for as many blocks as are kept.
type order struct {
	keys *memdb.DB // nil: there is none
	used int       // the number of blocks at the last scan
}

// orderSlack is how many bytes of deleted keys an order may have beyond those of its keys.
const orderSlack = 64 << 10

func (o *order) add(key string) {
	if o.keys != nil {
		_ = o.keys.Put([]byte(key), nil) // never fails
	}
}

func (o *order) remove(key string) {
	if o.keys != nil {
		_ = o.keys.Delete([]byte(key)) // the key may be missing
	}
}

// thin drops an order that is not used, or has too many deleted keys, whose memory stays.
func (m *memory) thin(t table) {
	o := &m.order[t]
	if o.keys != nil && (m.blocks-o.used > len(m.recent) || o.keys.Capacity()-o.keys.Free() > 2*o.keys.Size()+orderSlack) {
		*o = order{}
	}
}

// inOrder returns a table's keys in order.
func (m *memory) inOrder(t table) *memdb.DB {
	o := &m.order[t]
	o.used = m.blocks
	if o.keys == nil {
		o.keys = memdb.New(comparer.DefaultComparer, 0)
		for key := range m.tables[t] {
			o.add(key)
		}
		if t == stateTable {
			for key := range m.values {
				o.add(key)
			}
		}
	}
	return o.keys
}
