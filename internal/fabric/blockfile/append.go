package blockfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"iter"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/blockreel/blockreel/internal/fabric"
)

// ErrForm is the error for a marshalled block that a record would not return as it was.
var ErrForm = errors.New("not a block as Fabric's nodes marshal it")

// AppendRecord appends the record of a marshalled block, the inverse of AppendBlock, or fails with
// ErrForm. The caller appends more entries of metadata with AppendEntry.
func AppendRecord(dst, block []byte, more int) ([]byte, error) {
	view, err := fabric.ParseBlock(block)
	if err != nil || !isHash(view.PreviousHash) || !isHash(view.DataHash) {
		return dst, ErrForm
	}
	start := len(dst)
	dst = binary.AppendUvarint(dst, view.Number)
	dst = AppendEntry(dst, view.DataHash)
	dst = AppendEntry(dst, view.PreviousHash)
	dst, data := appendEntries(dst, view.Envelopes(), 0)
	dst, metadata := appendEntries(dst, view.MetadataEntries(), more)
	head := appendHeader(nil, view.Number, view.PreviousHash, view.DataHash)
	head = protowire.AppendVarint(protowire.AppendTag(head, fieldData, protowire.BytesType), uint64(data))
	tail := protowire.AppendVarint(protowire.AppendTag(nil, fieldMetadata, protowire.BytesType), uint64(metadata))
	if len(block) != len(head)+data+len(tail)+metadata || !bytes.HasPrefix(block, head) || !bytes.HasPrefix(block[len(head)+data:], tail) {
		return dst[:start], ErrForm
	}
	return dst, nil
}

func isHash(b []byte) bool { return len(b) == 0 || len(b) == fabric.HashSize }

// AppendEntry appends bytes as a record has them.
func AppendEntry(dst, entry []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(entry))), entry...)
}

// appendEntries appends a counted list, and returns the size of the entries as fields.
func appendEntries(dst []byte, list iter.Seq2[int, []byte], more int) ([]byte, int) {
	count, size := more, 0
	for _, entry := range list {
		count++
		size += entrySize(entry)
	}
	dst = binary.AppendUvarint(dst, uint64(count))
	for _, entry := range list {
		dst = AppendEntry(dst, entry)
	}
	return dst, size
}
