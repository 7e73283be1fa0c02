package ledger

import (
	"context"
	"encoding/binary"

	"github.com/syndtr/goleveldb/leveldb/util"

	"github.com/blockreel/blockreel/traces/event"
)

// memoryBackend stores the versions of all keys, and everything else of the last blocks. It grows
// with the number of keys alone. A transaction id that returns after so many blocks is taken for a
// new one.
var memoryBackend = Backend{
	Name: "memory",
	Options: []Option{{
		Name: "blocks", Kind: Count, Default: "256", Min: 1, Max: 1 << 20,
		About: "that are kept, with their index, history and values",
	}},
	About:      "versions of the state and the last blocks in memory: the cost of the pipeline itself",
	Durability: "none",
	Timing:     "each table's own writes to memory",
	Limits: "memory grows by the key and 50 to 85 bytes with every new key; older values are dropped, but not their versions and metadata, " +
		"and the hash of a block that changes that metadata is not compared; a transaction id is known as long as its block is kept",
	InMemory: true,
	open: func(_ context.Context, _ Config, o options) (store, error) {
		return newMemory(o.count("blocks")), nil
	},
}

type memory struct {
	// tables has the entries as they are; of the state, the ledger's own, marks of keys without a
	// value, and the metadata of values with some.
	tables [tables]map[string][]byte
	values map[string]place
	// recent has what leaves with each of the last blocks, at its number modulo their count.
	recent []leaving
	blocks int // written
	order  [tables]order
	room   []byte
}

// place is where a value of the state is, as long as recent has its block. Its 16 bytes are most of
// what the ledger grows by.
type place struct {
	block           event.BlockNum
	transaction, at uint32
}

// leaving is a block's own.
type leaving struct {
	number uint64
	values []byte // each with its length (4) before it
	keys   []tableKey
}

type tableKey struct {
	table table
	key   string
}

func newMemory(window int) *memory {
	m := &memory{recent: make([]leaving, window), values: make(map[string]place)}
	for t := range m.tables {
		m.tables[t] = make(map[string][]byte)
	}
	return m
}

// get returns a value that is good until the next call.
func (m *memory) get(t table, key []byte) ([]byte, bool) {
	if t == stateTable {
		if p, ok := m.values[string(key)]; ok {
			return m.at(p, key), true
		}
	}
	v, ok := m.tables[t][string(key)]
	return v, ok
}

// at returns a value; if its block is gone, its version and metadata.
func (m *memory) at(p place, key []byte) []byte {
	if l := &m.recent[uint64(p.block)%uint64(len(m.recent))]; l.number == uint64(p.block) {
		size := binary.BigEndian.Uint32(l.values[p.at:])
		return l.values[p.at+4:][:size:size]
	}
	if withMetadata, ok := m.tables[stateTable][string(key)]; ok {
		return withMetadata
	}
	m.room = (&stateValue{version: version{p.block, p.transaction}, forgotten: true}).append(m.room[:0])
	return m.room
}

func (m *memory) read(_ context.Context, t table, keys [][]byte, each func(int, []byte)) error {
	for i, key := range keys {
		if v, ok := m.get(t, key); ok {
			each(i, v)
		}
	}
	return nil
}

func (m *memory) scan(_ context.Context, t table, from, to []byte, each func(key, value []byte) bool) error {
	it := m.inOrder(t).NewIterator(&util.Range{Start: from, Limit: to})
	defer it.Release()
	for it.Next() {
		if v, ok := m.get(t, it.Key()); ok && !each(it.Key(), v) {
			break
		}
	}
	return nil
}

func (m *memory) write(_ context.Context, b *batch) error {
	var block *leaving // nil: the ledger begins
	for e := range b.entries(blockTable) {
		if n, ok := number(e.key); ok {
			block = m.enter(n)
		}
	}
	for t := range table(tables) {
		for e := range b.entries(t) {
			switch {
			case e.deleted:
				delete(m.tables[t], string(e.key))
				m.order[t].remove(string(e.key))
				if t == stateTable {
					delete(m.values, string(e.key))
				}
			case t == stateTable:
				m.putState(e, block)
			default:
				m.put(t, e, block)
			}
		}
		m.thin(t)
		b.wrote(t)
	}
	return nil
}

// enter makes room for a block, and drops the one that leaves.
func (m *memory) enter(n uint64) *leaving {
	m.blocks++
	l := &m.recent[n%uint64(len(m.recent))]
	for _, k := range l.keys {
		delete(m.tables[k.table], k.key)
		m.order[k.table].remove(k.key)
	}
	clear(l.keys)
	if cap(l.values) > keepBatch {
		l.values = nil
	}
	l.number, l.values, l.keys = n, l.values[:0], l.keys[:0]
	return l
}

func (m *memory) put(t table, e entry, block *leaving) {
	old, there := m.tables[t][string(e.key)]
	if there && len(old) == len(e.value) {
		copy(old, e.value)
		return
	}
	key := string(e.key)
	m.tables[t][key] = append([]byte(nil), e.value...)
	if there {
		return
	}
	// Savepoints and the like have keys of one byte, and stay.
	if len(key) > 1 && block != nil {
		block.keys = append(block.keys, tableKey{t, key})
	}
	m.order[t].add(key)
}

// putState stores a value with its block, and apart from it what must outlive the block.
func (m *memory) putState(e entry, block *leaving) {
	s, ok := decodeState(e.value)
	here := ok && block != nil && uint64(s.version.block) == block.number
	if !here || s.deleted || s.unknown || s.forgotten {
		delete(m.values, string(e.key))
		m.put(stateTable, e, nil)
		return
	}
	if _, there := m.values[string(e.key)]; !there {
		m.order[stateTable].add(string(e.key))
	}
	m.values[string(e.key)] = place{s.version.block, s.version.transaction, uint32(len(block.values))}
	block.values = binary.BigEndian.AppendUint32(block.values, uint32(len(e.value)))
	block.values = append(block.values, e.value...)
	if len(s.metadata) > 0 {
		s.forgotten = true
		m.tables[stateTable][string(e.key)] = s.append(nil)
	} else if len(m.tables[stateTable]) > 0 {
		delete(m.tables[stateTable], string(e.key))
	}
}

func (m *memory) close() error {
	*m = memory{}
	return nil
}
