package fabric

import (
	"bytes"
	"crypto/sha256"
	"fmt"

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

// RangeQuery is a range that the simulation went through, from StartKey up to and
// without EndKey; an empty EndKey is the end of the namespace.
type RangeQuery struct {
	StartKey, EndKey []byte
	// Exhausted: the simulation saw the whole range. Else EndKey is the last key that it
	// saw, and belongs to the range.
	Exhausted bool
	// Reads are the results, unless there were too many: then Hashed is set.
	Reads []Read
	// Hashed: the results are recorded as hashes of a Merkle tree.
	Hashed bool
}

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

// maxSetEntries bounds the reads, queries and writes of a transaction: each takes a few
// bytes of the message and ten times as many here.
const maxSetEntries = 1 << 20

// ParseReadWriteSet makes a view of a marshalled rwset.TxReadWriteSet. It fails with
// ErrMalformed, also if there are more than a million reads and writes.
func ParseReadWriteSet(results []byte) (ReadWriteSet, error) {
	var set ReadWriteSet
	left := maxSetEntries
	f := fields{rest: results}
	for f.next() {
		switch f.num {
		case 1:
			if f.want(protowire.VarintType) && f.varint != 0 {
				return set, fmt.Errorf("read-write set: %w: data model %d", ErrMalformed, f.varint)
			}
		case 2:
			if !f.want(protowire.BytesType) {
				break
			}
			parse := func(msg []byte) (NamespaceSet, error) { return parseNamespace(msg, &left) }
			if err := appendParsed(&set.Namespaces, f.bytes, &left, parse); err != nil {
				return set, fmt.Errorf("read-write set: %w", err)
			}
		}
	}
	if f.err != nil {
		return set, fmt.Errorf("read-write set: %w", f.err)
	}
	return set, nil
}

func parseNamespace(msg []byte, left *int) (NamespaceSet, error) {
	var n NamespaceSet
	var public []byte
	f := fields{rest: msg}
	for f.next() {
		if f.num > 3 || !f.want(protowire.BytesType) {
			continue
		}
		switch f.num {
		case 1:
			n.Namespace = f.bytes
		case 2:
			public = f.bytes
		case 3:
			parse := func(msg []byte) (CollectionSet, error) { return parseCollection(msg, left) }
			if err := appendParsed(&n.Collections, f.bytes, left, parse); err != nil {
				return n, fmt.Errorf("collection: %w", err)
			}
		}
	}
	if f.err != nil {
		return n, f.err
	}
	f = fields{rest: public}
	for f.next() {
		if f.num > 4 || !f.want(protowire.BytesType) {
			continue
		}
		var err error
		switch f.num {
		case 1:
			err = appendParsed(&n.Reads, f.bytes, left, parseRead)
		case 2:
			err = appendParsed(&n.Queries, f.bytes, left, func(msg []byte) (RangeQuery, error) { return parseQuery(msg, left) })
		case 3:
			err = appendParsed(&n.Writes, f.bytes, left, parseWrite)
		case 4:
			err = appendParsed(&n.Metadata, f.bytes, left, parseMetadataWrite)
		}
		if err != nil {
			return n, err
		}
	}
	return n, f.err
}

// parseCollection reads a CollectionHashedReadWriteSet and the HashedRWSet in it, whose
// reads, writes and metadata writes have the shape of the public ones.
func parseCollection(msg []byte, left *int) (CollectionSet, error) {
	var c CollectionSet
	var hashed []byte
	f := fields{rest: msg}
	for f.next() {
		if f.num > 2 || !f.want(protowire.BytesType) {
			continue
		}
		if f.num == 1 {
			c.Collection = f.bytes
		} else {
			hashed = f.bytes
		}
	}
	if f.err != nil {
		return c, f.err
	}
	f = fields{rest: hashed}
	for f.next() {
		if f.num > 3 || !f.want(protowire.BytesType) {
			continue
		}
		var err error
		switch f.num {
		case 1:
			err = appendParsed(&c.Reads, f.bytes, left, parseRead)
		case 2:
			err = appendParsed(&c.Writes, f.bytes, left, parseHashedWrite)
		case 3:
			err = appendParsed(&c.Metadata, f.bytes, left, parseMetadataWrite)
		}
		if err != nil {
			return c, err
		}
	}
	return c, f.err
}

func appendParsed[T any](list *[]T, msg []byte, left *int, parse func([]byte) (T, error)) error {
	if *left--; *left < 0 {
		return fmt.Errorf("%w: more than %d entries", ErrMalformed, maxSetEntries)
	}
	v, err := parse(msg)
	*list = append(*list, v)
	return err
}

func parseRead(msg []byte) (Read, error) {
	var r Read
	f := fields{rest: msg}
	for f.next() {
		if f.num > 2 || !f.want(protowire.BytesType) {
			continue
		}
		if f.num == 1 {
			r.Key = f.bytes
			continue
		}
		r.Exists = true
		v := fields{rest: f.bytes}
		for v.next() {
			if v.num > 2 || !v.want(protowire.VarintType) {
				continue
			}
			if v.num == 1 {
				r.Version.Block = v.varint
			} else {
				r.Version.Transaction = v.varint
			}
		}
		if v.err != nil {
			return r, v.err
		}
	}
	return r, f.err
}

// parseHashedWrite reads a KVWriteHash. The hash of no bytes stands for a deletion, too.
func parseHashedWrite(msg []byte) (Write, error) {
	w, err := parseWrite(msg)
	w.Delete = w.Delete || bytes.Equal(w.Value, hashOfNothing[:])
	return w, err
}

var hashOfNothing = sha256.Sum256(nil)

// parseWrite reads a KVWrite, or a KVWriteHash, whose is_purge deletes as well.
func parseWrite(msg []byte) (Write, error) {
	var w Write
	f := fields{rest: msg}
	for f.next() {
		switch f.num {
		case 1, 3:
			if !f.want(protowire.BytesType) {
				continue
			}
			if f.num == 1 {
				w.Key = f.bytes
			} else {
				w.Value = f.bytes
			}
		case 2, 4:
			if f.want(protowire.VarintType) {
				w.Delete = w.Delete || f.varint != 0
			}
		}
	}
	w.Delete = w.Delete || len(w.Value) == 0
	return w, f.err
}

func parseMetadataWrite(msg []byte) (MetadataWrite, error) {
	var m MetadataWrite
	f := fields{rest: msg}
	for f.next() {
		if f.num > 2 || !f.want(protowire.BytesType) {
			continue
		}
		if f.num == 1 {
			m.Key = f.bytes
			continue
		}
		m.Entries = protowire.AppendTag(m.Entries, 2, protowire.BytesType)
		m.Entries = protowire.AppendBytes(m.Entries, f.bytes)
	}
	return m, f.err
}

func parseQuery(msg []byte, left *int) (RangeQuery, error) {
	var q RangeQuery
	f := fields{rest: msg}
	for f.next() {
		switch f.num {
		case 3:
			if f.want(protowire.VarintType) {
				q.Exhausted = f.varint != 0
			}
			continue
		case 1, 2, 4, 5:
			if !f.want(protowire.BytesType) {
				continue
			}
		}
		switch f.num {
		case 1:
			q.StartKey = f.bytes
		case 2:
			q.EndKey = f.bytes
		case 4:
			reads := fields{rest: f.bytes}
			for reads.next() {
				if reads.num != 1 || !reads.want(protowire.BytesType) {
					continue
				}
				if err := appendParsed(&q.Reads, reads.bytes, left, parseRead); err != nil {
					return q, err
				}
			}
			if reads.err != nil {
				return q, reads.err
			}
		case 5:
			q.Hashed = true
		}
	}
	return q, f.err
}
