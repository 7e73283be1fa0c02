package blockfile

import (
	"encoding/binary"
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// Numbers of fields in Fabric's common.proto.
const (
	fieldHeader, fieldData, fieldMetadata         = 1, 2, 3 // of Block
	fieldNumber, fieldPreviousHash, fieldDataHash = 1, 2, 3 // of BlockHeader
	fieldEntry                                    = 1       // of BlockData and BlockMetadata
)

var errShort = errors.New("it ends too early")

// A Record is a view of a ledger file's record, without the length before it.
// (common/ledger/blkstorage/block_serialization.go: serializeBlock)
type Record struct {
	Number                 uint64
	DataHash, PreviousHash []byte

	data, metadata entries
}

// ParseRecord makes a view of the whole record.
func ParseRecord(record []byte) (Record, error) {
	c := recordCursor{b: record}
	r := Record{Number: c.uvarint()}
	r.DataHash, r.PreviousHash = c.bytes(), c.bytes()
	r.data, r.metadata = c.entries(), c.entries()
	if c.err == nil && len(c.b) > 0 {
		c.err = fmt.Errorf("%d bytes after its metadata", len(c.b))
	}
	if c.err != nil {
		return Record{}, c.err
	}
	return r, nil
}

// AppendBlock appends the marshalled common.Block as a peer's Deliver service sends it: header,
// data and metadata in order, even if empty, and no zero values in the header.
func (r *Record) AppendBlock(dst []byte) []byte {
	dst = appendHeader(dst, r.Number, r.PreviousHash, r.DataHash)
	dst = r.data.append(dst, fieldData)
	return r.metadata.append(dst, fieldMetadata)
}

func appendHeader(dst []byte, number uint64, previousHash, dataHash []byte) []byte {
	header := make([]byte, 0, maxHeader)
	if number != 0 {
		header = protowire.AppendVarint(protowire.AppendTag(header, fieldNumber, protowire.VarintType), number)
	}
	if len(previousHash) > 0 {
		header = appendField(header, fieldPreviousHash, previousHash)
	}
	if len(dataHash) > 0 {
		header = appendField(header, fieldDataHash, dataHash)
	}
	return appendField(dst, fieldHeader, header)
}

// CutMetadata removes the last entry of the metadata and returns it; nil if there is none.
func (r *Record) CutMetadata() []byte {
	if r.metadata.count == 0 {
		return nil
	}
	c := recordCursor{b: r.metadata.raw}
	for range r.metadata.count - 1 {
		c.bytes()
	}
	r.metadata.raw = r.metadata.raw[:len(r.metadata.raw)-len(c.b)]
	r.metadata.count--
	last := c.bytes()
	r.metadata.size -= entrySize(last)
	return last
}

// SoleTransaction returns the only transaction of a block.
func (r *Record) SoleTransaction() (envelope []byte, ok bool) {
	c := recordCursor{b: r.data.raw}
	if r.data.count != 1 {
		return nil, false
	}
	return c.bytes(), true
}

func appendField(dst []byte, field protowire.Number, v []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(dst, field, protowire.BytesType), v)
}

// A recordCursor reads a record; after an error it returns zero values.
type recordCursor struct {
	b   []byte
	err error
}

func (c *recordCursor) uvarint() uint64 {
	v, n := binary.Uvarint(c.b)
	if n <= 0 {
		c.fail()
		return 0
	}
	c.b = c.b[n:]
	return v
}

func (c *recordCursor) bytes() []byte {
	n := c.uvarint()
	if n > uint64(len(c.b)) {
		c.fail()
		return nil
	}
	v := c.b[:n]
	c.b = c.b[n:]
	return v
}

func (c *recordCursor) fail() {
	if c.err == nil {
		c.err = errShort
	}
	c.b = nil
}

// entries are a counted list within a record: of transactions or of metadata.
type entries struct {
	count uint64
	raw   []byte // each entry behind its length
	size  int    // of the entries as fields of a message
}

// entries reads a list and its size.
func (c *recordCursor) entries() entries {
	e := entries{count: c.uvarint(), raw: c.b}
	for range e.count {
		v := c.bytes()
		if c.err != nil {
			return entries{}
		}
		e.size += entrySize(v)
	}
	e.raw = e.raw[:len(e.raw)-len(c.b)]
	return e
}

func entrySize(entry []byte) int {
	return protowire.SizeTag(fieldEntry) + protowire.SizeBytes(len(entry))
}

// append appends the list as a message of repeated field 1.
func (e entries) append(dst []byte, field protowire.Number) []byte {
	dst = protowire.AppendVarint(protowire.AppendTag(dst, field, protowire.BytesType), uint64(e.size))
	c := recordCursor{b: e.raw}
	for range e.count {
		dst = appendField(dst, fieldEntry, c.bytes())
	}
	return dst
}
