package ledger

import (
	"context"
	"iter"
	"time"
)

// A store has four tables of ordered keys with values. It is used by one goroutine at a time.
type store interface {
	reader
	// write stores a batch durably, unless the options of the backend say otherwise. A crash may
	// leave the first entries of a batch, in their order; the ledger writes the rest when it is
	// opened.
	//
	// A store that writes the tables one after another calls b.wrote after each. Other writes count
	// for the block store. The store does not keep the batch.
	write(ctx context.Context, b *batch) error
	close() error
}

// A reader reads what has been written.
type reader interface {
	// read calls each with the value of every key that exists, in any order; i is the place of the
	// key. The value is good until each returns.
	read(ctx context.Context, t table, keys [][]byte, each func(i int, value []byte)) error
	// scan calls each with the entries from ≤ key < to in the order of their keys, until it returns
	// false. A nil to is the end of the table. Only state and history are scanned.
	scan(ctx context.Context, t table, from, to []byte, each func(key, value []byte) bool) error
}

// An opener is told when its ledger has been opened. Before that it may still be refused and
// closed.
type opener interface{ opened() }

// A versioner reads versions and metadata of the state much faster than values.
type versioner interface {
	// readVersions is read for the state; it may leave out values.
	readVersions(ctx context.Context, keys [][]byte, each func(i int, value []byte)) error
}

// A table is a part of a ledger, in the order of a batch.
type table uint8

const (
	// blockTable: number → block. Entries are appended and never changed.
	blockTable table = iota
	// indexTable: header hash → number, transaction id → its place.
	indexTable
	stateTable
	historyTable

	tables = iota
)

func (t table) String() string { return [tables]string{"blocks", "index", "state", "history"}[t] }

func (t table) prefix() byte { return "btsh"[t] }

// prefixed appends a key of a table for a store with one key space.
func prefixed(dst []byte, t table, key []byte) []byte {
	return append(append(dst, t.prefix()), key...)
}

// A batch is what a block writes. Its memory is used again for the next block.
type batch struct {
	data  []byte
	parts [tables][]extent
	// key and value are room for the next entry.
	key, value []byte

	clock time.Time
	took  [tables]time.Duration
}

// extent is an entry in data: a prefix byte and the key up to value, the value up to end.
type extent struct {
	key, value, end int
	deleted         bool
}

// entry is a change. Its slices are good until the batch is reset.
type entry struct {
	// prefixed is the key with the prefix of its table.
	key, prefixed []byte
	// value is empty when the key is deleted.
	value   []byte
	deleted bool
}

// keepBatch is the memory that is kept for the next block; larger buffers are freed.
const keepBatch = 8 << 20

func (b *batch) reset() {
	if cap(b.data) > keepBatch {
		*b = batch{}
	}
	b.data = b.data[:0]
	for t := range b.parts {
		b.parts[t] = b.parts[t][:0]
	}
	b.took = [tables]time.Duration{}
	b.clock = time.Now()
}

// wrote adds the time since reset or the last call to table t.
func (b *batch) wrote(t table) {
	now := time.Now()
	b.took[t] += now.Sub(b.clock)
	b.clock = now
}

// entries returns the changes of a table.
func (b *batch) entries(t table) iter.Seq[entry] {
	return func(yield func(entry) bool) {
		for _, e := range b.parts[t] {
			if !yield(b.entry(e)) {
				return
			}
		}
	}
}

// all returns the changes of all tables.
func (b *batch) all() iter.Seq2[table, entry] {
	return func(yield func(table, entry) bool) {
		for t := range table(tables) {
			for _, e := range b.parts[t] {
				if !yield(t, b.entry(e)) {
					return
				}
			}
		}
	}
}

func (b *batch) entry(e extent) entry {
	return entry{
		key: b.data[e.key+1 : e.value : e.value], prefixed: b.data[e.key:e.value:e.value],
		value: b.data[e.value:e.end:e.end], deleted: e.deleted,
	}
}

// put appends an entry, whose value is in parts.
func (b *batch) put(t table, key []byte, value ...[]byte) {
	e := extent{key: len(b.data)}
	b.data = prefixed(b.data, t, key)
	e.value = len(b.data)
	for _, part := range value {
		b.data = append(b.data, part...)
	}
	e.end = len(b.data)
	b.parts[t] = append(b.parts[t], e)
}

func (b *batch) delete(t table, key []byte) {
	b.put(t, key)
	b.parts[t][len(b.parts[t])-1].deleted = true
}
