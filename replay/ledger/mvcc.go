package ledger

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/blockreel/blockreel/internal/fabric"
	peerpb "github.com/blockreel/blockreel/internal/fabric/proto/peer"
)

// mvcc is the state as the transactions of one block find it: committed versions, and
// over them what earlier transactions of the block have written
// (core/ledger/kvledger/txmgmt/validation).
type mvcc struct {
	slots []slot
	byKey map[string]int
	room  []byte
	// metadata names the namespaces some key of which has had metadata; of others a write
	// need not look for the metadata that the key may have. fresh are those of this block.
	metadata map[string]bool
	fresh    []string
	// changed are the slots with an update, in the order of the first one.
	changed []int
	sorted  []int

	believed, merkle int64
}

// slot is one key of the state.
type slot struct {
	key string
	// wanted: the committed version is to be read. whole: value and metadata, too.
	wanted, whole bool
	// committed: the key is there, with this version; deleted if so.
	committed bool
	old       stateValue
	// updated: an earlier transaction of the block has written it.
	updated bool
	new     stateValue
}

func (m *mvcc) reset() {
	clear(m.slots)
	m.slots, m.changed, m.fresh = m.slots[:0], m.changed[:0], m.fresh[:0]
	if len(m.byKey) > 1<<16 || m.byKey == nil {
		m.byKey = make(map[string]int)
	}
	clear(m.byKey)
	m.believed, m.merkle = 0, 0
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

// sets gives the public set of each namespace and the hashed ones of its collections, in
// Fabric's order.
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

// applyState leaves in l.state what the block writes: its transactions that are valid so far
// and, if they are to be judged, have no conflict.
func (l *Ledger) applyState(ctx context.Context, c *candidate, judge bool) error {
	m := &l.state
	m.reset()
	for i := range c.transactions {
		if t := &c.transactions[i]; t.Code == valid {
			sets(&t.Set, m.want)
		}
	}
	if err := l.preload(ctx); err != nil {
		return fmt.Errorf("block %d: state: %w", c.number(), err)
	}
	for i := range c.transactions {
		t := &c.transactions[i]
		if t.Code != valid {
			continue
		}
		if judge {
			believed := m.believed
			code, err := l.conflicts(ctx, &t.Set)
			if err != nil {
				return fmt.Errorf("block %d: transaction %d: state: %w", c.number(), i, err)
			}
			if t.Code = code; code == valid && m.believed > believed {
				c.adoptConflict(i)
			}
			if t.Code != valid {
				continue
			}
		}
		at := version{c.number(), uint32(i)}
		sets(&t.Set, func(namespace []byte, n *fabric.NamespaceSet) { m.apply(namespace, n, at) })
	}
	return nil
}

// adoptConflict takes over the peer's word on a transaction whose reads cannot be checked.
func (c *candidate) adoptConflict(i int) {
	if c.recorded == nil {
		return
	}
	switch code := peerpb.TxValidationCode(c.recorded[i]); code {
	case peerpb.TxValidationCode_MVCC_READ_CONFLICT, peerpb.TxValidationCode_PHANTOM_READ_CONFLICT:
		c.transactions[i].Code, c.adopted[i] = code, true
	}
}

// want notes which keys must be looked up.
func (m *mvcc) want(namespace []byte, n *fabric.NamespaceSet) {
	for _, r := range n.Reads {
		m.slot(namespace, r.Key).wanted = true
	}
	if m.metadata[string(namespace)] {
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

// preload reads all wanted keys at once, which a state database elsewhere answers in one go.
func (l *Ledger) preload(ctx context.Context) error {
	m := &l.state
	keys := l.rooms.keys[:0]
	var at []int
	for i := range m.slots {
		if m.slots[i].wanted {
			at = append(at, i)
		}
	}
	if cap(l.rooms.key) > keepBatch {
		l.rooms.key = nil
	}
	room := l.rooms.key[:0]
	for _, i := range at {
		from := len(room)
		room = append(room, m.slots[i].key...)
		keys = append(keys, room[from:len(room):len(room)])
	}
	l.rooms.keys, l.rooms.key = keys, room
	var damaged error
	whole := func(i int) bool { return m.slots[at[i]].whole }
	err := readState(ctx, l.store, keys, whole, func(i int, value []byte) {
		s := &m.slots[at[i]]
		old, ok := decodeState(value)
		// What a write that was broken off has left of this very block is there when it is
		// committed again; what is written over it is the same.
		if !ok || old.version.block > l.next.number() {
			damaged = fmt.Errorf("key %q: its value is damaged, or from block %d", s.key, old.version.block)
		}
		old.metadata = bytes.Clone(old.metadata)
		if s.whole {
			old.value = bytes.Clone(old.value)
		} else {
			old.value = nil
		}
		s.committed, s.old = true, old
	})
	if err == nil {
		err = damaged
	}
	return err
}

// conflicts judges what a transaction has read.
func (l *Ledger) conflicts(ctx context.Context, set *fabric.ReadWriteSet) (peerpb.TxValidationCode, error) {
	code := valid
	var failed error
	sets(set, func(namespace []byte, n *fabric.NamespaceSet) {
		if code != valid || failed != nil {
			return
		}
		for _, r := range n.Reads {
			if !l.current(l.state.slot(namespace, r.Key), r) {
				code = peerpb.TxValidationCode_MVCC_READ_CONFLICT
				return
			}
		}
		for i := range n.Queries {
			same, err := l.repeats(ctx, namespace, &n.Queries[i])
			if failed = err; err == nil && !same {
				code = peerpb.TxValidationCode_PHANTOM_READ_CONFLICT
			}
			if code != valid || failed != nil {
				return
			}
		}
	})
	return code, failed
}

// current reports whether the state still has what was read.
func (l *Ledger) current(s *slot, r fabric.Read) bool {
	switch {
	case s.updated:
		return false
	case s.committed && !s.old.deleted:
		return r.Exists && s.old.version.is(r.Version)
	case s.committed: // deleted since
		return !r.Exists
	case !r.Exists && l.first == 0:
		return true
	}
	return l.believe(r)
}

// believe takes a read for good that saw the key as it may have been before the ledger's
// first block: absent, or with an older version.
func (l *Ledger) believe(r fabric.Read) bool {
	if r.Exists && r.Version.Block >= uint64(l.first) || l.first == 0 {
		return false
	}
	l.state.believed++
	return true
}

// repeats executes a range query again and compares.
func (l *Ledger) repeats(ctx context.Context, namespace []byte, q *fabric.RangeQuery) (bool, error) {
	m := &l.state
	if q.Hashed {
		m.merkle++
		return true, nil
	}
	from := appendStateKey(nil, namespace, q.StartKey)
	to := appendStateKey(nil, namespace, q.EndKey)
	switch {
	case len(q.EndKey) == 0:
		to[len(to)-1]++ // the end of the namespace
	case !q.Exhausted:
		to = append(to, 0) // the last key that was seen belongs to the range
	}
	if m.changes(from, to, len(namespace)+1, q.Reads) {
		return false, nil
	}
	reads, same := q.Reads, true
	var damaged error
	err := l.store.scan(ctx, stateTable, from, to, func(stateKey, value []byte) bool {
		now, ok := decodeState(value)
		if !ok {
			damaged = fmt.Errorf("key %q: its value is damaged", stateKey)
			return false
		}
		key := stateKey[len(namespace)+1:]
		// Results from before the first block are not in this ledger's state.
		for len(reads) > 0 && bytes.Compare(reads[0].Key, key) < 0 && l.believe(reads[0]) {
			reads = reads[1:]
		}
		seen := len(reads) > 0 && bytes.Equal(reads[0].Key, key)
		if i, ok := m.byKey[string(stateKey)]; now.deleted || ok && m.slots[i].updated {
			same = !seen // gone; a key that was seen must not be
			return same
		}
		if same = seen && now.version.is(reads[0].Version); same {
			reads = reads[1:]
		}
		return same
	})
	for len(reads) > 0 && same && l.believe(reads[0]) {
		reads = reads[1:]
	}
	if err == nil {
		err = damaged
	}
	return same && len(reads) == 0, err
}

// changes reports whether the block itself has changed a range's result: put a key
// into it, or deleted one that was seen.
func (m *mvcc) changes(from, to []byte, namespace int, reads []fabric.Read) bool {
	for _, i := range m.changed {
		s := &m.slots[i]
		if s.key < string(from) || s.key >= string(to) {
			continue
		}
		seen := func(r fabric.Read) bool { return string(r.Key) == s.key[namespace:] }
		if !s.new.deleted || slices.ContainsFunc(reads, seen) {
			return true
		}
	}
	return false
}

// apply puts a transaction's writes over the state.
func (m *mvcc) apply(namespace []byte, n *fabric.NamespaceSet, at version) {
	for _, w := range n.Writes {
		s := m.update(namespace, w.Key)
		var metadata []byte
		if !w.Delete {
			metadata = s.now().metadata
		}
		s.updated, s.new = true, stateValue{version: at, deleted: w.Delete, metadata: metadata, value: w.Value}
	}
	for _, w := range n.Metadata {
		i := m.index(namespace, w.Key)
		now := m.slots[i].now()
		if now.deleted {
			continue // no value, no metadata: as in Fabric
		}
		if len(w.Entries) > 0 && !m.metadata[string(namespace)] {
			m.metadata[string(namespace)] = true
			m.fresh = append(m.fresh, string(namespace))
		}
		s := m.update(namespace, w.Key)
		s.updated, s.new = true, stateValue{version: at, metadata: w.Entries, value: now.value}
	}
}

// update finds the slot of a key that is about to be changed.
func (m *mvcc) update(namespace, key []byte) *slot {
	i := m.index(namespace, key)
	if !m.slots[i].updated {
		m.changed = append(m.changed, i)
	}
	return &m.slots[i]
}

// now is the key's value at this point of the block; deleted when it has none.
func (s *slot) now() stateValue {
	switch {
	case s.updated:
		return s.new
	case s.committed:
		return s.old
	}
	return stateValue{deleted: true}
}

// loadMetadata finds the namespaces that have had metadata.
func (m *mvcc) loadMetadata(ctx context.Context, s store) error {
	m.metadata = map[string]bool{}
	return s.scan(ctx, stateTable, usedMetadata, []byte{0, 2}, func(key, _ []byte) bool {
		m.metadata[string(key[len(usedMetadata):])] = true
		return true
	})
}

// namespaces that had their first metadata in this block, in order.
func (m *mvcc) newMetadata() []string { return slices.Sorted(slices.Values(m.fresh)) }
