package ledger

import (
	"bytes"
	"cmp"
	"context"
	"fmt"

	"github.com/syndtr/goleveldb/leveldb/memdb"

	"github.com/blockreel/blockreel/internal/fabric"
	peerpb "github.com/blockreel/blockreel/internal/fabric/proto/peer"
)

// mvcc is the state as the transactions of one block see it: committed versions, and over them the
// writes of earlier transactions (core/ledger/kvledger/txmgmt/validation).
type mvcc struct {
	slots []slot
	byKey map[string]int
	room  []byte
	// marked are the marks (layout.go) of namespaces that get metadata in this block.
	marked map[string]bool
	// changed are the slots with an update, in the order of the first one.
	changed []int
	sorted  []int
	// ordered has the first inOrder of changed by their keys. Nil: no range was read.
	ordered *memdb.DB
	inOrder int

	// believed counts reads and range queries of this block; unknown: it has changed a key whose
	// value is not here.
	believed int64
	unknown  bool
}

// slot is one key of the state.
type slot struct {
	key string
	// wanted: the committed version is read; whole: value and metadata, too.
	wanted, whole bool
	// committed: the key is there, with this version; deleted if so.
	committed bool
	old       stateValue
	// final: the block's change of the key is stored already, by an interrupted commit.
	final bool
	// updated: an earlier transaction of the block has written it.
	updated bool
	new     stateValue
}

func (m *mvcc) reset() {
	clear(m.slots)
	m.slots, m.changed = m.slots[:0], m.changed[:0]
	switch {
	case m.inOrder == 0:
	case m.ordered.Capacity() > keepBatch:
		m.ordered = nil
	default:
		m.ordered.Reset()
	}
	m.inOrder = 0
	if len(m.byKey) > 1<<16 || m.byKey == nil {
		m.byKey, m.marked = make(map[string]int), make(map[string]bool)
	}
	clear(m.byKey)
	clear(m.marked)
	m.believed, m.unknown = 0, false
}

// slot finds or makes the one of a key. The pointer is good until the next call.
func (m *mvcc) slot(namespace, key []byte) *slot { return &m.slots[m.index(namespace, key)] }

func (m *mvcc) index(namespace, key []byte) int {
	m.room = appendStateKey(m.room[:0], namespace, key)
	i, ok := m.byKey[string(m.room)]
	if !ok {
		i = len(m.slots)
		k := string(m.room)
		m.slots = append(m.slots, slot{key: k})
		m.byKey[k] = i
	}
	return i
}

// sets calls each with the public set of each namespace and the hashed ones of its collections.
func sets(set *fabric.ReadWriteSet, each func(namespace []byte, n *fabric.NamespaceSet)) {
	for i := range set.Namespaces {
		n := &set.Namespaces[i]
		each(n.Namespace, n)
		for _, c := range n.Collections {
			each(appendCollection(nil, n.Namespace, c.Collection), &fabric.NamespaceSet{
				Reads: c.Reads, Writes: c.Writes, Metadata: c.Metadata,
			})
		}
	}
}

// applyState leaves in l.state what the block's valid transactions write. It looks for conflicts
// unless the block is made up or committed again.
func (l *Ledger) applyState(ctx context.Context, c *candidate) error {
	m := &l.state
	m.reset()
	for i := range c.transactions {
		if t := &c.transactions[i]; t.Code == valid {
			sets(&t.Set, l.want)
		}
	}
	if err := l.preload(ctx, c); err != nil {
		return fmt.Errorf("block %d: state: %w", c.number(), err)
	}
	for i := range c.transactions {
		t := &c.transactions[i]
		if t.Code != valid {
			continue
		}
		if !c.madeUp && !c.again {
			believed := m.believed
			code, err := l.conflicts(ctx, &t.Set)
			if err != nil {
				return fmt.Errorf("block %d: transaction %d: state: %w", c.number(), i, err)
			}
			if t.Code = code; m.believed > believed {
				c.adoptConflict(i)
			}
			if t.Code != valid {
				continue
			}
		}
		at := version{c.number(), uint32(i)}
		sets(&t.Set, func(namespace []byte, n *fabric.NamespaceSet) { l.apply(namespace, n, at) })
	}
	return nil
}

// adoptConflict takes over the peer's verdict on reads that cannot be checked.
func (c *candidate) adoptConflict(i int) {
	if c.recorded == nil {
		return
	}
	code := peerpb.TxValidationCode(c.recorded[i])
	switch code {
	case c.transactions[i].Code:
	case peerpb.TxValidationCode_MVCC_READ_CONFLICT, peerpb.TxValidationCode_PHANTOM_READ_CONFLICT:
		c.transactions[i].Code, c.adopted[i] = code, adoptedPast
	}
}

// want notes which keys must be looked up.
func (l *Ledger) want(namespace []byte, n *fabric.NamespaceSet) {
	m := &l.state
	for _, r := range n.Reads {
		m.slot(namespace, r.Key).wanted = true
	}
	if len(l.metadata) > 0 && l.metadata[m.mark(namespace)] {
		for _, w := range n.Writes {
			s := m.slot(namespace, w.Key)
			s.wanted, s.whole = true, true
		}
	}
	for _, w := range n.Metadata {
		s := m.slot(namespace, w.Key)
		s.wanted, s.whole = true, true
	}
}

// preload reads all wanted keys at once: first those of which the version is enough.
func (l *Ledger) preload(ctx context.Context, c *candidate) error {
	m := &l.state
	if cap(l.room) > keepBatch {
		l.room = nil
	}
	for _, whole := range []bool{false, true} {
		keys, room := l.keys[:0], l.room[:0]
		var at []int
		for i := range m.slots {
			if s := &m.slots[i]; s.wanted && s.whole == whole {
				from := len(room)
				room = append(room, s.key...)
				keys, at = append(keys, room[from:]), append(at, i)
			}
		}
		if l.keys, l.room = keys, room; len(at) == 0 {
			continue
		}
		var damaged error
		each := func(i int, value []byte) {
			s := &m.slots[at[i]]
			old, ok := decodeState(value)
			here := old.version.block == c.number()
			if !ok || old.version.block > c.number() || here && !c.again {
				damaged = fmt.Errorf("key %q: its value is damaged, or from block %d", s.key, old.version.block)
			}
			old.metadata = bytes.Clone(old.metadata)
			if whole {
				old.value = bytes.Clone(old.value)
			} else {
				old.value = nil
			}
			s.committed, s.old, s.final = true, old, here
		}
		var err error
		if v, ok := l.store.(versioner); ok && !whole {
			err = v.readVersions(ctx, keys, each)
		} else {
			err = l.store.read(ctx, stateTable, keys, each)
		}
		if err = cmp.Or(err, damaged); err != nil {
			return err
		}
	}
	return nil
}

// apply puts a transaction's writes over the state.
func (l *Ledger) apply(namespace []byte, n *fabric.NamespaceSet, at version) {
	m := &l.state
	for _, w := range n.Writes {
		i := m.index(namespace, w.Key)
		var metadata []byte
		if !w.Delete {
			metadata = l.now(i).metadata
		}
		m.change(i, stateValue{version: at, deleted: w.Delete, metadata: metadata, value: w.Value})
	}
	for _, w := range n.Metadata {
		i := m.index(namespace, w.Key)
		now := l.now(i)
		if now.deleted {
			continue // no value, no metadata: as in Fabric
		}
		if len(w.Entries) > 0 {
			m.marked[m.mark(namespace)] = true
		}
		m.unknown = m.unknown || now.unknown || now.forgotten
		now.version, now.metadata = at, w.Entries
		m.change(i, now)
	}
}

func (m *mvcc) change(i int, v stateValue) {
	s := &m.slots[i]
	if s.final {
		return
	}
	if !s.updated {
		m.changed = append(m.changed, i)
	}
	s.updated, s.new = true, v
}

// now is a key's value at this point of the block.
func (l *Ledger) now(i int) stateValue {
	s := &l.state.slots[i]
	switch {
	case s.updated:
		return s.new
	case s.committed:
		return s.old
	}
	return stateValue{deleted: !l.partial(), unknown: l.partial()}
}

func (m *mvcc) mark(namespace []byte) string {
	m.room = appendMetadataMark(m.room[:0], namespace)
	return string(m.room)
}

func (l *Ledger) loadMetadata(ctx context.Context) error {
	l.metadata = map[string]bool{}
	return l.store.scan(ctx, stateTable, usedMetadata, nameless, func(key, _ []byte) bool {
		l.metadata[string(key)] = true
		return true
	})
}
