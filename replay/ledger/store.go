package ledger

import (
	"context"
	"iter"
	"time"
)

// A store is a backend: four tables of ordered keys with their values. It is used from
// one goroutine at a time, writes one batch after another, and need not know what the
// keys and values mean (layout.go tells those who want to).
type store interface {
	reader
	// write stores a batch for good, or, where the backend's options say so, as good
	// as the operating system does. All of it appears at once, or its entries appear in
	// their order: an entry is never there without those before it. So a crash leaves
	// the head of a batch, and the ledger writes the rest again when it is opened.
	//
	// A store that writes the tables one after another calls b.wrote after each, so
	// that their times can be told apart; the time of one that does not counts for the
	// block store. The batch is the caller's again when write returns.
	write(ctx context.Context, b *batch) error
	close() error
}

// A reader reads what has been written.
type reader interface {
	// read calls each with the value of every key that is there, in any order; i is the
	// key's place in keys. The value is good until each returns.
	read(ctx context.Context, t table, keys [][]byte, each func(i int, value []byte)) error
	// scan calls each with the entries from ≤ key < to in the order of their keys' bytes,
	// until it returns false. A nil to is the end of the table. Only the tables state and
	// history are scanned.
	scan(ctx context.Context, t table, from, to []byte, each func(key, value []byte) bool) error
}

// An opener is a store that wants to know when its ledger has been opened: until then, it
// may be none, or be refused, and is closed without further consequences.
type opener interface{ opened() }

// A versioner is a store that gives what stands before a value of the state, its version and
// metadata, much sooner than the value.
type versioner interface {
	// readVersions is read for the table state, but what it gives may be without the value.
	readVersions(ctx context.Context, keys [][]byte, each func(i int, value []byte)) error
}

// A table is one of a ledger's parts, in the order in which a batch has them.
type table uint8

const (
	// blockTable: number → block. Entries are appended, never changed.
	blockTable table = iota
	// indexTable: header hash → number, transaction id → its place.
	indexTable
	stateTable
	historyTable

	tables = iota
)

func (t table) String() string { return [tables]string{"blocks", "index", "state", "history"}[t] }

// prefix tells the tables apart where a store keeps them all in one key space.
func (t table) prefix() byte { return "btsh"[t] }

// prefixed appends a key of a table as a store with one key space has it.
func prefixed(dst []byte, t table, key []byte) []byte {
	return append(append(dst, t.prefix()), key...)
}

// A batch is what a block writes, in one piece of memory that is used again for the next.
type batch struct {
	data  []byte
	parts [tables][]extent
	// key and value are room for the next entry.
	key, value []byte

	clock time.Time
	took  [tables]time.Duration
}

// extent is an entry in data: a prefix byte and the key up to value, and the value up to
// end.
type extent struct {
	key, value, end int
	deleted         bool
}

// entry is one change. Its slices are good until the batch is reset.
type entry struct {
	// key in its table; prefixed is the same with the table's prefix before it.
	key, prefixed []byte
	// value is empty when the key is deleted.
	value   []byte
	deleted bool
}

// keepBatch is the room that a batch keeps for the next block; that of a larger one is
// given back.
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

// wrote says that all until now was done for table t: since the reset, or the last call.
func (b *batch) wrote(t table) {
	now := time.Now()
	b.took[t] += now.Sub(b.clock)
	b.clock = now
}

// entries gives the changes of a table in order.
func (b *batch) entries(t table) iter.Seq[entry] {
	return func(yield func(entry) bool) {
		for _, e := range b.parts[t] {
			if !yield(b.entry(e)) {
				return
			}
		}
	}
}

// all gives the changes of all tables in order.
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
