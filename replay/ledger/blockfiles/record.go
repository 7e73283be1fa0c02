package blockfiles

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cespare/xxhash/v2"

	"github.com/blockreel/blockreel/internal/fabric/blockfile"
)

// The last entry of metadata: its form, the note, and the XXH64 of the record before it,
// big-endian.
const (
	formSize = 1
	sumSize  = 8

	formBlock   = 0 // the record is the block's own
	formPayload = 1 // the payload is the only transaction of a block made for it
)

var errChecksum = errors.New("its checksum is wrong")

// appendRecord appends the record of a payload with its note. A payload that is not a block of
// Fabric's form with this number becomes the only transaction of a block.
func appendRecord(dst []byte, number uint64, payload, note []byte) []byte {
	start := len(dst)
	form := byte(formBlock)
	dst, err := blockfile.AppendRecord(dst, payload, 1)
	if n, _ := binary.Uvarint(dst[start:]); err != nil || n != number {
		form = formPayload
		dst = appendWrapped(dst[:start], number, payload)
	}
	dst = binary.AppendUvarint(dst, uint64(formSize+len(note)+sumSize))
	dst = append(append(dst, form), note...)
	return binary.BigEndian.AppendUint64(dst, xxhash.Sum64(dst[start:]))
}

// appendWrapped appends the record of a block around the payload, without the last entry of
// metadata.
func appendWrapped(dst []byte, number uint64, payload []byte) []byte {
	hash := sha256.Sum256(payload)
	dst = binary.AppendUvarint(dst, number)
	dst = blockfile.AppendEntry(dst, hash[:])
	dst = blockfile.AppendEntry(dst, nil) // no predecessor
	dst = binary.AppendUvarint(dst, 1)
	dst = blockfile.AppendEntry(dst, payload)
	return binary.AppendUvarint(dst, 1)
}

// parsed is a parsed record; its slices are parts of the record.
type parsed struct {
	number uint64
	form   byte
	note   []byte
	block  blockfile.Record
}

func parseRecord(record []byte) (parsed, error) {
	block, err := blockfile.ParseRecord(record)
	if err != nil {
		return parsed{}, err
	}
	entry := block.CutMetadata()
	if len(entry) < formSize+sumSize || entry[0] > formPayload {
		return parsed{}, errors.New("it has no checksum: another program has written it")
	}
	note, sum := entry[formSize:len(entry)-sumSize], entry[len(entry)-sumSize:]
	if xxhash.Sum64(record[:len(record)-sumSize]) != binary.BigEndian.Uint64(sum) {
		return parsed{}, errChecksum
	}
	return parsed{block.Number, entry[0], note, block}, nil
}

// appendPayload appends the payload that appendRecord got.
func (p *parsed) appendPayload(dst []byte) ([]byte, error) {
	if p.form == formBlock {
		return p.block.AppendBlock(dst), nil
	}
	payload, ok := p.block.SoleTransaction()
	if !ok {
		return dst, fmt.Errorf("block %d: its record contains no payload", p.number)
	}
	return append(dst, payload...), nil
}
