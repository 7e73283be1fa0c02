package fabric

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"fmt"
	"reflect"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// ReadWriteSet is a view of a marshalled rwset.TxReadWriteSet.
type ReadWriteSet struct {
	Namespaces []NamespaceSet
}

// NamespaceSet is the part of one namespace, usually a chaincode's.
type NamespaceSet struct {
	Namespace []byte
	Reads     []Read
	Queries   []RangeQuery
	Writes    []Write
	Metadata  []MetadataWrite
	// Collections have the hashes of private data.
	Collections []CollectionSet
}

// CollectionSet has the SHA-256 of the keys and values of a private data collection.
type CollectionSet struct {
	Collection []byte
	Reads      []Read
	Writes     []Write
	Metadata   []MetadataWrite
}

// Read is a key and the version that the simulation saw.
type Read struct {
	Key []byte
	// Exists: the key had a value.
	Exists  bool
	Version Version
}

// Version is the place of the transaction that wrote a value.
type Version struct{ Block, Transaction uint64 }

// Write is a new value of a key, or its deletion. Fabric takes an empty value for a deletion
// (rwsetutil: IsKVWriteDelete).
type Write struct {
	Key, Value []byte
	Delete     bool
}

// MetadataWrite sets a key's metadata to marshalled entries with their tags. No entries delete it.
type MetadataWrite struct {
	Key, Entries []byte
}

// RangeQuery is a range from StartKey up to and without EndKey. An empty EndKey is the end of the
// namespace.
type RangeQuery struct {
	StartKey, EndKey []byte
	// Exhausted: the simulation saw the whole range. Else EndKey is the last key that it saw, and
	// belongs to the range.
	Exhausted bool
	// Reads are the results. If there were too many, Summary is set.
	Reads   []Read
	Summary *MerkleSummary
}

// MerkleSummary is a level of the Merkle tree over the results of a range query
// (core/ledger/kvledger/txmgmt/rwsetutil: RangeQueryResultsHelper).
type MerkleSummary struct {
	MaxDegree, MaxLevel uint32
	// Hashes are those of MaxLevel.
	Hashes [][]byte
}

// A view takes at most so many times the bytes of its message, and a constant. An empty entry takes
// two bytes of a message and up to 144 here; entries with keys stay below the factor.
const (
	viewFactor = 10
	viewAlways = 4 << 10
)

// viewer makes a ReadWriteSet; left is the memory that its lists may still take.
type viewer struct{ left int }

// ParseReadWriteSet makes a view of a marshalled rwset.TxReadWriteSet. It fails with ErrMalformed,
// also if the view would take more than about ten times the memory of the message. Like Fabric it
// ignores the data model.
func ParseReadWriteSet(results []byte) (ReadWriteSet, error) {
	var set ReadWriteSet
	v := viewer{left: viewFactor*len(results) + viewAlways}
	n, err := tally(results)
	if err == nil {
		err = reserve(&v, &set.Namespaces, n[2])
	}
	f := fields{rest: results, kinds: "vb", err: err}
	for f.next() {
		if f.num == 2 {
			f.err = v.namespace(add(&set.Namespaces), f.bytes)
		}
	}
	if f.err != nil {
		return ReadWriteSet{}, fmt.Errorf("read-write set: %w", f.err)
	}
	return set, nil
}

// tally counts the fields of a message by number, up to 4.
func tally(msg []byte) (n [5]int, err error) {
	for len(msg) > 0 {
		num, _, size := protowire.ConsumeField(msg)
		if size < 0 {
			return n, fmt.Errorf("%w: %w", ErrMalformed, protowire.ParseError(size))
		}
		if num < 5 {
			n[num]++
		}
		msg = msg[size:]
	}
	return n, nil
}

// reserve makes room for n entries.
func reserve[T any](v *viewer, list *[]T, n int) error {
	if n == 0 {
		return nil
	}
	if v.left -= n * int(reflect.TypeFor[T]().Size()); v.left < 0 {
		return fmt.Errorf("%w: its entries would take more than %d times its bytes", ErrMalformed, viewFactor)
	}
	*list = slices.Grow(*list, n)
	return nil
}

// add appends an empty entry to a list and returns it.
func add[T any](list *[]T) *T {
	var none T
	*list = append(*list, none)
	return &(*list)[len(*list)-1]
}

func (v *viewer) namespace(n *NamespaceSet, msg []byte) error {
	var public []byte
	lists, err := tally(msg)
	if err == nil {
		err = reserve(v, &n.Collections, lists[3])
	}
	f := fields{rest: msg, kinds: "sbb", err: err}
	for f.next() {
		switch f.num {
		case 1:
			n.Namespace = f.bytes
		case 2:
			public = f.bytes
		case 3:
			f.err = v.collection(add(&n.Collections), f.bytes)
		}
	}
	if f.err != nil {
		return f.err
	}
	return v.public(n, public)
}

// public reads a KVRWSet.
func (v *viewer) public(n *NamespaceSet, msg []byte) error {
	lists, err := tally(msg)
	if err == nil {
		err = cmp.Or(reserve(v, &n.Reads, lists[1]), reserve(v, &n.Queries, lists[2]),
			reserve(v, &n.Writes, lists[3]), reserve(v, &n.Metadata, lists[4]))
	}
	f := fields{rest: msg, kinds: "bbbb", err: err}
	for f.next() {
		switch f.num {
		case 1:
			f.err = add(&n.Reads).parse(f.bytes, plain)
		case 2:
			f.err = v.query(add(&n.Queries), f.bytes)
		case 3:
			f.err = add(&n.Writes).parse(f.bytes, plain)
		case 4:
			f.err = v.metadata(add(&n.Metadata), f.bytes, plain)
		}
	}
	return f.err
}

// collection reads a CollectionHashedReadWriteSet and the HashedRWSet in it.
func (v *viewer) collection(c *CollectionSet, msg []byte) error {
	var set []byte
	err := pick(msg, "sb", &c.Collection, &set)
	var lists [5]int
	if err == nil {
		lists, err = tally(set)
	}
	if err == nil {
		err = cmp.Or(reserve(v, &c.Reads, lists[1]), reserve(v, &c.Writes, lists[2]), reserve(v, &c.Metadata, lists[3]))
	}
	f := fields{rest: set, kinds: "bbb", err: err}
	for f.next() {
		switch f.num {
		case 1:
			f.err = add(&c.Reads).parse(f.bytes, hashed)
		case 2:
			f.err = add(&c.Writes).parse(f.bytes, hashed)
		case 3:
			f.err = v.metadata(add(&c.Metadata), f.bytes, hashed)
		}
	}
	if f.err != nil {
		return fmt.Errorf("collection: %w", f.err)
	}
	return nil
}

// A keyKind is the kinds (see fields) of a key, text or a hash, and of what follows it.
type keyKind string

const (
	plain  keyKind = "sb"
	hashed keyKind = "bb"
)

// parse reads a KVRead, or a KVReadHash.
func (r *Read) parse(msg []byte, kind keyKind) error {
	f := fields{rest: msg, kinds: string(kind)}
	for f.next() {
		if f.num == 1 {
			r.Key = f.bytes
		} else {
			r.Exists = true
			f.err = r.Version.parse(f.bytes)
		}
	}
	return f.err
}

func (v *Version) parse(msg []byte) error {
	f := fields{rest: msg, kinds: "vv"}
	for f.next() {
		if f.num == 1 {
			v.Block = f.varint
		} else {
			v.Transaction = f.varint
		}
	}
	return f.err
}

var hashOfNothing = sha256.Sum256(nil)

// parse reads a KVWrite, or a KVWriteHash: there is_purge deletes as well, and so does the
// hash of no bytes.
func (w *Write) parse(msg []byte, kind keyKind) error {
	f := fields{rest: msg, kinds: "svb"}
	if kind == hashed {
		f.kinds = "bvbv"
	}
	for f.next() {
		switch f.num {
		case 1:
			w.Key = f.bytes
		case 3:
			w.Value = f.bytes
		default:
			w.Delete = w.Delete || f.varint != 0
		}
	}
	w.Delete = w.Delete || len(w.Value) == 0 || kind == hashed && bytes.Equal(w.Value, hashOfNothing[:])
	return f.err
}

// metadata reads a KVMetadataWrite, or a KVMetadataWriteHash.
func (v *viewer) metadata(m *MetadataWrite, msg []byte, kind keyKind) error {
	f := fields{rest: msg, kinds: string(kind)}
	for f.next() {
		if f.num == 1 {
			m.Key = f.bytes
			continue
		}
		if f.err = pick(f.bytes, "sb"); f.err == nil && m.Entries == nil {
			f.err = reserve(v, &m.Entries, len(msg))
		}
		m.Entries = appendBytes(m.Entries, 2, f.bytes)
	}
	return f.err
}

func (v *viewer) query(q *RangeQuery, msg []byte) error {
	f := fields{rest: msg, kinds: "ssvbb"}
	for f.next() {
		switch f.num {
		case 1:
			q.StartKey = f.bytes
		case 2:
			q.EndKey = f.bytes
		case 3:
			q.Exhausted = f.varint != 0
		case 4:
			q.Summary = nil // of a oneof, the last one counts
			f.err = v.found(q, f.bytes)
		case 5:
			q.Reads = nil
			f.err = v.summary(q, f.bytes)
		}
	}
	return f.err
}

// found reads a QueryReads: the results of a query.
func (v *viewer) found(q *RangeQuery, msg []byte) error {
	lists, err := tally(msg)
	if err == nil {
		err = reserve(v, &q.Reads, lists[1])
	}
	f := fields{rest: msg, kinds: "b", err: err}
	for f.next() {
		f.err = add(&q.Reads).parse(f.bytes, plain)
	}
	return f.err
}

// summary reads a QueryReadsMerkleSummary.
func (v *viewer) summary(q *RangeQuery, msg []byte) error {
	lists, err := tally(msg)
	if err == nil && q.Summary == nil {
		var one []MerkleSummary
		err = reserve(v, &one, 1)
		q.Summary = add(&one)
	}
	s := q.Summary
	if err == nil {
		err = reserve(v, &s.Hashes, lists[3])
	}
	f := fields{rest: msg, kinds: "vvb", err: err}
	for f.next() {
		switch f.num {
		case 1:
			s.MaxDegree = uint32(f.varint)
		case 2:
			s.MaxLevel = uint32(f.varint)
		case 3:
			s.Hashes = append(s.Hashes, f.bytes)
		}
	}
	return f.err
}
