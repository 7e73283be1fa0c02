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

// ReadWriteSet is a view of what a simulation has read and wrote: a marshalled
// rwset.TxReadWriteSet. Its slices are parts of the message.
type ReadWriteSet struct {
	Namespaces []NamespaceSet
}

// NamespaceSet is the part of one namespace, as a rule a chaincode's.
type NamespaceSet struct {
	Namespace []byte
	Reads     []Read
	Queries   []RangeQuery
	Writes    []Write
	Metadata  []MetadataWrite
	// Collections hold the hashes of what is private.
	Collections []CollectionSet
}

// CollectionSet has the hashes of the keys and values of a private data collection: the
// Key of a Read or Write is the SHA-256 of the key, the Value that of the value.
type CollectionSet struct {
	Collection []byte
	Reads      []Read
	Writes     []Write
	Metadata   []MetadataWrite
}

// Read is a key and the version that the simulation saw.
type Read struct {
	Key []byte
	// Exists: the key had a value. Else Version is zero.
	Exists  bool
	Version Version
}

// Version is the place of the transaction that wrote a value.
type Version struct{ Block, Transaction uint64 }

// Write is a key with its new value, or one that was deleted. Fabric takes a value of no
// bytes for a deletion (rwsetutil: IsKVWriteDelete).
type Write struct {
	Key, Value []byte
	Delete     bool
}

// MetadataWrite sets a key's metadata. Entries are the marshalled entries, one after
// the other with their tags; none delete the metadata.
type MetadataWrite struct {
	Key, Entries []byte
}

// A view may take so many times the bytes of its message, and a little that is always there.
// An empty entry is two bytes of a message and up to 144 here; those that a
// simulation makes have a key and stay below the factor.
const (
	viewFactor = 10
	viewAlways = 4 << 10
)

// viewer makes a ReadWriteSet; left is what memory its lists may still take.
type viewer struct{ left int }

// ParseReadWriteSet makes a view of a marshalled rwset.TxReadWriteSet. It fails with
// ErrMalformed, also if the view would take more than about ten times the memory of
// the message. The data model is not looked at, as Fabric does not.
func ParseReadWriteSet(results []byte) (ReadWriteSet, error) {
	var set ReadWriteSet
	v := viewer{left: viewFactor*len(results) + viewAlways}
	n, err := tally(results)
	if err == nil {
		err = reserve(&v, &set.Namespaces, n[2])
	}
	f := fields{rest: results, err: err}
	for f.next() {
		switch f.num {
		case 1:
			f.want(protowire.VarintType)
		case 2:
			if f.want(protowire.BytesType) {
				f.err = v.namespace(add(&set.Namespaces), f.bytes)
			}
		}
	}
	if f.err != nil {
		return ReadWriteSet{}, fmt.Errorf("read-write set: %w", f.err)
	}
	return set, nil
}

// tally counts the fields of a message by number, up to 4.
func tally(msg []byte) (n [5]int, err error) {
	f := fields{rest: msg}
	for f.next() {
		if f.num < 5 {
			n[f.num]++
		}
	}
	return n, f.err
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

// add appends an entry to a list, and gives it to be filled in.
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
	f := fields{rest: msg, err: err}
	for f.next() {
		switch f.num {
		case 1:
			if f.text() {
				n.Namespace = f.bytes
			}
		case 2:
			if f.want(protowire.BytesType) {
				public = f.bytes
			}
		case 3:
			if f.want(protowire.BytesType) {
				f.err = v.collection(add(&n.Collections), f.bytes)
			}
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
	f := fields{rest: msg, err: err}
	for f.next() {
		if f.num > 4 || !f.want(protowire.BytesType) {
			continue
		}
		switch f.num {
		case 1:
			f.err = add(&n.Reads).parse(f.bytes, false)
		case 2:
			f.err = v.query(add(&n.Queries), f.bytes)
		case 3:
			f.err = add(&n.Writes).parse(f.bytes, false)
		case 4:
			f.err = v.metadata(add(&n.Metadata), f.bytes, false)
		}
	}
	return f.err
}

// collection reads a CollectionHashedReadWriteSet and the HashedRWSet in it, whose
// reads, writes and metadata writes have the shape of the public ones.
func (v *viewer) collection(c *CollectionSet, msg []byte) error {
	var set []byte
	f := fields{rest: msg}
	for f.next() {
		switch f.num {
		case 1:
			if f.text() {
				c.Collection = f.bytes
			}
		case 2:
			if f.want(protowire.BytesType) {
				set = f.bytes
			}
		}
	}
	if f.err != nil {
		return fmt.Errorf("collection: %w", f.err)
	}
	lists, err := tally(set)
	if err == nil {
		err = cmp.Or(reserve(v, &c.Reads, lists[1]), reserve(v, &c.Writes, lists[2]), reserve(v, &c.Metadata, lists[3]))
	}
	f = fields{rest: set, err: err}
	for f.next() {
		if f.num > 3 || !f.want(protowire.BytesType) {
			continue
		}
		switch f.num {
		case 1:
			f.err = add(&c.Reads).parse(f.bytes, true)
		case 2:
			f.err = add(&c.Writes).parse(f.bytes, true)
		case 3:
			f.err = v.metadata(add(&c.Metadata), f.bytes, true)
		}
	}
	if f.err != nil {
		return fmt.Errorf("collection: %w", f.err)
	}
	return nil
}

// key is text unless it is a hash.
func (f *fields) key(hashed bool) bool {
	if hashed {
		return f.want(protowire.BytesType)
	}
	return f.text()
}

// parse reads a KVRead, or a KVReadHash.
func (r *Read) parse(msg []byte, hashed bool) error {
	f := fields{rest: msg}
	for f.next() {
		switch f.num {
		case 1:
			if f.key(hashed) {
				r.Key = f.bytes
			}
		case 2:
			if f.want(protowire.BytesType) {
				r.Exists = true
				f.err = r.Version.parse(f.bytes)
			}
		}
	}
	return f.err
}

func (v *Version) parse(msg []byte) error {
	f := fields{rest: msg}
	for f.next() {
		if f.num > 2 || !f.want(protowire.VarintType) {
			continue
		}
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
func (w *Write) parse(msg []byte, hashed bool) error {
	f := fields{rest: msg}
	for f.next() {
		switch f.num {
		case 1:
			if f.key(hashed) {
				w.Key = f.bytes
			}
		case 2:
			if f.want(protowire.VarintType) {
				w.Delete = w.Delete || f.varint != 0
			}
		case 3:
			if f.want(protowire.BytesType) {
				w.Value = f.bytes
			}
		case 4:
			if hashed && f.want(protowire.VarintType) {
				w.Delete = w.Delete || f.varint != 0
			}
		}
	}
	w.Delete = w.Delete || len(w.Value) == 0 || hashed && bytes.Equal(w.Value, hashOfNothing[:])
	return f.err
}

// metadata reads a KVMetadataWrite, or a KVMetadataWriteHash.
func (v *viewer) metadata(m *MetadataWrite, msg []byte, hashed bool) error {
	const entry = 2
	f := fields{rest: msg}
	for f.next() {
		switch f.num {
		case 1:
			if f.key(hashed) {
				m.Key = f.bytes
			}
		case entry:
			if !f.want(protowire.BytesType) {
				continue
			}
			if f.err = checkMetadata(f.bytes); f.err == nil && m.Entries == nil {
				f.err = reserve(v, &m.Entries, len(msg))
			}
			m.Entries = protowire.AppendTag(m.Entries, entry, protowire.BytesType)
			m.Entries = protowire.AppendBytes(m.Entries, f.bytes)
		}
	}
	return f.err
}

// checkMetadata walks a KVMetadataEntry: a name and a value.
func checkMetadata(entry []byte) error {
	f := fields{rest: entry}
	for f.next() {
		switch f.num {
		case 1:
			f.text()
		case 2:
			f.want(protowire.BytesType)
		}
	}
	return f.err
}
