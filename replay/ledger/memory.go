package ledger

import (
	"cmp"
	"context"
	"slices"
)

// memoryBackend keeps the state of all keys, and of the last blocks all else: the state, and the
// order of its keys, grow with the number of keys that a trace writes, nothing else grows. What it has
// forgotten it cannot refuse: a transaction that comes again after so many blocks is
// taken for a new one.
var memoryBackend = Backend{
	Name: "memory",
	Options: []Option{{
		Name: "blocks", Kind: Count, Default: "256", Min: 1, Max: 1 << 20,
		About: "blocks that are kept, with their index and history",
	}},
	About:      "state and the last blocks in memory: the cost of the pipeline itself",
	Durability: "nothing is kept",
	Timing:     "each table's own writes to memory",
	InMemory:   true,
	open: func(_ context.Context, _ Config, o options) (store, error) {
		return newMemory(o.count("blocks")), nil
	},
}

// memory is the cheapest store: maps, and nothing survives close.
type memory struct {
	tables [tables]map[string][]byte
	// recent holds the keys that each of the last blocks will take with it when it
	// leaves the window, in turn.
	recent [][]tableKey
	writes int
	// order has the keys of the scanned tables in order, without those that came after it was
	// made: fresh. A deleted key stays until the next sort, which comes with a scan, or when
	// half of what both hold is more than the table.
	order, fresh [tables][]string
}

// memorySlack is how many keys order and fresh may have beyond twice the table's.
const memorySlack = 1024

type tableKey struct {
	table table
	key   string
}

func newMemory(window int) *memory {
	m := &memory{recent: make([][]tableKey, window)}
	for t := range m.tables {
		m.tables[t] = make(map[string][]byte)
	}
	return m
}

func (m *memory) read(_ context.Context, t table, keys [][]byte, each func(int, []byte)) error {
	for i, key := range keys {
		if v, ok := m.tables[t][string(key)]; ok {
			each(i, v)
		}
	}
	return nil
}

func (m *memory) scan(_ context.Context, t table, from, to []byte, each func(key, value []byte) bool) error {
	if len(m.fresh[t]) > 0 {
		m.sort(t)
	}
	keys := m.order[t]
	i, _ := slices.BinarySearch(keys, string(from))
	for ; i < len(keys) && (to == nil || keys[i] < string(to)); i++ {
		if v, ok := m.tables[t][keys[i]]; ok && !each([]byte(keys[i]), v) {
			break
		}
	}
	return nil
}

// sort brings order up to date.
func (m *memory) sort(t table) {
	all := slices.DeleteFunc(append(m.order[t], m.fresh[t]...), func(key string) bool {
		_, ok := m.tables[t][key]
		return !ok
	})
	slices.SortFunc(all, cmp.Compare[string])
	clear(m.fresh[t])
	m.order[t], m.fresh[t] = slices.Compact(all), m.fresh[t][:0]
}

func (m *memory) write(_ context.Context, b *batch) error {
	slot := &m.recent[m.writes%len(m.recent)]
	m.writes++
	for _, k := range *slot {
		delete(m.tables[k.table], k.key)
	}
	clear(*slot)
	*slot = (*slot)[:0]
	for t := range table(tables) {
		values := m.tables[t]
		for e := range b.entries(t) {
			old, there := values[string(e.key)]
			switch {
			case e.deleted:
				delete(values, string(e.key))
				continue
			case there && len(old) == len(e.value):
				copy(old, e.value)
				continue
			}
			key := string(e.key)
			values[key] = append([]byte(nil), e.value...)
			if there {
				continue
			}
			// Savepoints and the like have keys of one byte, and stay.
			if t != stateTable && len(key) > 1 {
				*slot = append(*slot, tableKey{t, key})
			}
			if t == stateTable || t == historyTable {
				m.fresh[t] = append(m.fresh[t], key)
			}
		}
		if len(m.order[t])+len(m.fresh[t]) > 2*len(values)+memorySlack {
			m.sort(t)
		}
		b.wrote(t)
	}
	return nil
}

func (m *memory) close() error {
	*m = memory{}
	return nil
}
