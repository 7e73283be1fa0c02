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

// appendMarshalled appends the marshalled common.Block that a ledger file's record stands for,
// with the bytes that the peer's Deliver service sends: fields in order, header, data
// and metadata always there, and nothing in the header that is zero.
// (common/ledger/blkstorage/block_serialization.go: serializeBlock)
func appendMarshalled(dst, record []byte) ([]byte, error) {
	c := recordCursor{b: record}
	number := c.uvarint()
	dataHash, previousHash := c.bytes(), c.bytes()
	data, metadata := c.entries(), c.entries()
	if c.err == nil && len(c.b) > 0 {
		c.err = fmt.Errorf("%d bytes behind its metadata", len(c.b))
	}
	if c.err != nil {
		return dst, c.err
	}
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
	dst = appendField(dst, fieldHeader, header)
	dst = data.append(dst, fieldData)
	return metadata.append(dst, fieldMetadata), nil
}

func appendField(dst []byte, field protowire.Number, v []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(dst, field, protowire.BytesType), v)
}

// A recordCursor walks through a record; after an error it gives zero values.
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

// entries passes over a list, so that its size is known before it is copied.
func (c *recordCursor) entries() entries {
	e := entries{count: c.uvarint(), raw: c.b}
	for range e.count {
		v := c.bytes()
		if c.err != nil {
			return entries{}
		}
		e.size += protowire.SizeTag(fieldEntry) + protowire.SizeBytes(len(v))
	}
	e.raw = e.raw[:len(e.raw)-len(c.b)]
	return e
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
