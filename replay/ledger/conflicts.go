package ledger

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"

	"github.com/syndtr/goleveldb/leveldb/comparer"
	"github.com/syndtr/goleveldb/leveldb/iterator"
	"github.com/syndtr/goleveldb/leveldb/memdb"
	"github.com/syndtr/goleveldb/leveldb/util"

	"github.com/blockreel/blockreel/internal/fabric"
	peerpb "github.com/blockreel/blockreel/internal/fabric/proto/peer"
)

// conflicts compares what a transaction has read with the state.
func (l *Ledger) conflicts(ctx context.Context, set *fabric.ReadWriteSet) (peerpb.TxValidationCode, error) {
	code := valid
	var failed error
	sets(set, func(namespace []byte, n *fabric.NamespaceSet) {
		if code != valid || failed != nil {
			return
		}
		for _, r := range n.Reads {
			if !l.current(l.state.index(namespace, r.Key), r) {
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
func (l *Ledger) current(i int, r fabric.Read) bool {
	s, now := &l.state.slots[i], l.now(i)
	switch {
	case now.unknown && !r.Exists:
		return l.believe()
	case s.updated:
		return false
	case now.deleted:
		return !r.Exists
	case s.committed:
		return r.Exists && now.version.is(r.Version)
	}
	return l.older(r) && l.believe()
}

// older: the read saw a version from before the ledger's first block.
func (l *Ledger) older(r fabric.Read) bool {
	return l.partial() && r.Exists && r.Version.Block < uint64(l.first)
}

// believe counts a read or a range query that depends on the state before the ledger's first block.
// It is taken as good, and the peer's verdict is taken over.
func (l *Ledger) believe() bool {
	l.state.believed++
	return true
}

// repeats executes a range query again and compares.
func (l *Ledger) repeats(ctx context.Context, namespace []byte, q *fabric.RangeQuery) (bool, error) {
	prefix := appendNamespace(nil, namespace)
	from := append(bytes.Clone(prefix), q.StartKey...)
	to := append(bytes.Clone(prefix), q.EndKey...)
	switch {
	case len(q.EndKey) == 0:
		to[len(to)-1]++ // the end of the namespace
	case !q.Exhausted:
		to = append(to, 0) // the last key that was seen belongs to the range
	}
	compare := l.compareReads(q.Reads)
	switch {
	case q.Summary != nil && !l.partial():
		compare = compareSummary(q.Summary)
	case q.Summary != nil:
		compare = compareUnseen
	}
	same := true
	err := l.results(ctx, from, to, func(stateKey []byte, r result) bool {
		same = compare(stateKey[len(prefix):], r)
		return same
	})
	if same = same && compare(nil, result{}); same && l.partial() {
		l.believe()
	}
	return same, err
}

// result is a key of a range at this point of the block.
type result struct {
	stateValue
	// put: an earlier transaction of the block wrote it; gone: one deleted a value from before the
	// block.
	put, gone bool
}

// results calls each with the keys of a range in order, deleted ones included, until it returns
// false.
func (l *Ledger) results(ctx context.Context, from, to []byte, each func(stateKey []byte, r result) bool) error {
	if bytes.Compare(from, to) >= 0 {
		return nil
	}
	m := &l.state
	changed := m.changedIn(from, to)
	defer changed.Release()
	next := func() (s *slot) {
		if changed.Next() {
			s = &m.slots[slotOf(changed.Value())]
		}
		return s
	}
	s, more := next(), true
	give := func(before *stateValue) {
		r := result{stateValue: s.new, put: !s.new.deleted && !s.new.unknown}
		r.gone = s.new.deleted && before != nil && !before.deleted && !before.unknown
		more = each([]byte(s.key), r)
		s = next()
	}
	var damaged error
	err := l.store.scan(ctx, stateTable, from, to, func(stateKey, value []byte) bool {
		old, ok := decodeState(value)
		if !ok {
			damaged = fmt.Errorf("key %q: its value is damaged", stateKey)
			return false
		}
		for more && s != nil && s.key < string(stateKey) {
			give(nil)
		}
		switch {
		case !more:
		case s != nil && s.key == string(stateKey):
			give(&old)
		default:
			more = each(stateKey, result{stateValue: old})
		}
		return more
	})
	if err == nil {
		err = damaged
	}
	for err == nil && more && s != nil {
		give(nil)
	}
	return err
}

// changedIn returns the slots of a range that the block has changed so far, in the order of their
// keys.
func (m *mvcc) changedIn(from, to []byte) iterator.Iterator {
	if m.ordered == nil {
		m.ordered = memdb.New(comparer.DefaultComparer, 0)
	}
	for _, i := range m.changed[m.inOrder:] {
		// It has no errors but that of a key to delete.
		_ = m.ordered.Put([]byte(m.slots[i].key), binary.BigEndian.AppendUint64(nil, uint64(i)))
	}
	m.inOrder = len(m.changed)
	return m.ordered.NewIterator(&util.Range{Start: from, Limit: to})
}

// slotOf is the slot of an entry of mvcc.ordered.
func slotOf(value []byte) int { return int(binary.BigEndian.Uint64(value)) }

// A comparison is called with the results of a range in order, and with a nil key at the end. It
// reports whether they are what the query saw.
type comparison func(key []byte, r result) bool

// compareReads compares with recorded results.
func (l *Ledger) compareReads(reads []fabric.Read) comparison {
	return func(key []byte, r result) bool {
		// Results from before the first block are not in this ledger's state.
		for len(reads) > 0 && (key == nil || bytes.Compare(reads[0].Key, key) < 0) && l.older(reads[0]) {
			reads = reads[1:]
		}
		switch {
		case key == nil:
			return len(reads) == 0
		case len(reads) == 0 || !bytes.Equal(reads[0].Key, key):
			return r.deleted || r.unknown
		case r.deleted || !r.version.is(reads[0].Version):
			return false
		}
		reads = reads[1:]
		return true
	}
}

// compareSummary makes the Merkle tree again. A degree of less than 2 makes none; a Fabric peer
// stops on it.
func compareSummary(want *fabric.MerkleSummary) comparison {
	if want.MaxDegree < 2 {
		return func([]byte, result) bool { return false }
	}
	tree := newMerkleTree(want.MaxDegree)
	return func(key []byte, r result) bool {
		if key == nil {
			return tree.equals(want)
		}
		if !r.deleted {
			tree.add(key, r.version)
		}
		return true
	}
}

// compareUnseen is for a query with a summary whose results may be from before the ledger's first
// block: only what this block has changed is certain.
func compareUnseen(_ []byte, r result) bool { return !r.put && !r.gone }
