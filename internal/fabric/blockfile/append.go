package blockfile

import (
	"encoding/binary"
	"errors"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/blockreel/blockreel/internal/fabric"
)

// ErrForm is the error for a marshalled block that a record does not give back as it
// was: fields in another order, or others than Fabric's, or some that are missing.
var ErrForm = errors.New("not a block as Fabric's nodes marshal it")

// AppendRecord appends the record of a marshalled block, the inverse of AppendBlock, or
// fails with ErrForm. Its metadata has more entries than the block: the caller
// appends so many with AppendEntry.
func AppendRecord(dst, block []byte, more int) ([]byte, error) {
	c := messageCursor{b: block}
	header := messageCursor{b: c.field(fieldHeader)}
	data, metadata := c.field(fieldData), c.field(fieldMetadata)
	number := header.optional(fieldNumber)
	previousHash, dataHash := header.hash(fieldPreviousHash), header.hash(fieldDataHash)
	if c.failed || header.failed || len(c.b)+len(header.b) > 0 {
		return dst, ErrForm
	}
	start := len(dst)
	dst = binary.AppendUvarint(dst, number)
	dst = AppendEntry(dst, dataHash)
	dst = AppendEntry(dst, previousHash)
	dst, ok := appendEntries(dst, data, 0)
	if ok {
		dst, ok = appendEntries(dst, metadata, more)
	}
	if !ok {
		return dst[:start], ErrForm
	}
	return dst, nil
}

// AppendEntry appends bytes as a record has them.
func AppendEntry(dst, entry []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(entry))), entry...)
}

// appendEntries appends a marshalled BlockData or BlockMetadata as a counted list.
func appendEntries(dst, list []byte, more int) ([]byte, bool) {
	count := uint64(more)
	for c := (messageCursor{b: list}); len(c.b) > 0; count++ {
		if c.field(fieldEntry); c.failed {
			return dst, false
		}
	}
	dst = binary.AppendUvarint(dst, count)
	for c := (messageCursor{b: list}); len(c.b) > 0; {
		dst = AppendEntry(dst, c.field(fieldEntry))
	}
	return dst, true
}

// A messageCursor walks through a message that is marshalled in the order of its fields,
// with numbers in as few bytes as they take. After a failure it gives zero values.
type messageCursor struct {
	b      []byte
	failed bool
}

func (c *messageCursor) uvarint() uint64 {
	v, n := binary.Uvarint(c.b)
	if n <= 0 || n != protowire.SizeVarint(v) {
		c.b, c.failed = nil, true
		return 0
	}
	c.b = c.b[n:]
	return v
}

// begins reports whether the field is next, and passes over its tag if so.
func (c *messageCursor) begins(field protowire.Number, kind protowire.Type) bool {
	if len(c.b) == 0 || uint64(c.b[0]) != protowire.EncodeTag(field, kind) {
		return false
	}
	c.b = c.b[1:]
	return true
}

// field reads a field of bytes that must be there.
func (c *messageCursor) field(field protowire.Number) []byte {
	if !c.begins(field, protowire.BytesType) {
		c.b, c.failed = nil, true
		return nil
	}
	n := c.uvarint()
	if n > uint64(len(c.b)) {
		c.b, c.failed = nil, true
		return nil
	}
	v := c.b[:n]
	c.b = c.b[n:]
	return v
}

// hash reads a hash of a header, which is there, or is not.
func (c *messageCursor) hash(field protowire.Number) []byte {
	if len(c.b) == 0 || uint64(c.b[0]) != protowire.EncodeTag(field, protowire.BytesType) {
		return nil
	}
	v := c.field(field)
	c.failed = c.failed || len(v) != fabric.HashSize
	return v
}

// optional reads a number that is there unless it is zero.
func (c *messageCursor) optional(field protowire.Number) uint64 {
	if !c.begins(field, protowire.VarintType) {
		return 0
	}
	v := c.uvarint()
	c.failed = c.failed || v == 0
	return v
}
