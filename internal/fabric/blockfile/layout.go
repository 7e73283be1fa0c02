package blockfile

import (
	"encoding/binary"
	"errors"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/blockreel/blockreel/internal/fabric"
)

// Layout is the form of blocks in a file.
type Layout int

const (
	// Ledger is Fabric's own file of a peer's or orderer's ledger.
	Ledger Layout = iota + 1
	// Dump is marshalled blocks, each behind its length.
	Dump
	// Single is one marshalled block.
	Single
)

func (l Layout) String() string {
	switch l {
	case Ledger:
		return "ledger file"
	case Dump:
		return "dump of blocks"
	case Single:
		return "single block"
	}
	return "unknown layout"
}

// ErrUnknown is the error for a file without blocks in a known layout.
var ErrUnknown = errors.New("neither a ledger file (blockfile_NNNNNN), nor a block from peer channel fetch, nor length-delimited blocks")

const (
	// headBytes decide about the layout.
	headBytes = 128
	// minHeader is the length of the shortest header, that of a genesis block.
	minHeader = 2 + fabric.HashSize
	// maxHeader is the length of the longest: a number of ten bytes and both hashes.
	maxHeader = 1 + binary.MaxVarintLen64 + 2*(2+fabric.HashSize)
)

// detect returns the layout of a file by its first bytes. No head fits two layouts: a block begins
// with 0a and the length of its header, 22 (hexadecimal) or more; as a record that would be ten
// bytes long, and as a record's content block 10 with a hash of another length than 20.
func detect(head []byte) (Layout, error) {
	if fitsBlock(head) {
		return Single, nil
	}
	length, n := binary.Uvarint(head)
	if n == 0 {
		return Ledger, nil // the first bytes of a record's length, and no more yet
	}
	if n > 0 && length >= minHeader {
		switch {
		case fitsBlock(head[n:]):
			return Dump, nil
		case fitsRecord(head[n:]):
			return Ledger, nil
		}
	}
	return 0, ErrUnknown
}

// fitsBlock reports whether b begins like a marshalled block.
func fitsBlock(b []byte) bool {
	if len(b) == 0 || b[0] != 1<<3|byte(protowire.BytesType) {
		return false
	}
	length, n := binary.Uvarint(b[1:])
	if n <= 0 || length < minHeader || length > maxHeader {
		return n == 0
	}
	if uint64(len(b)) < 1+uint64(n)+length {
		return true
	}
	header, err := fabric.ParseBlock(b[:1+n+int(length)])
	return err == nil && len(header.DataHash) == fabric.HashSize
}

// fitsRecord reports whether b begins like a block in a ledger file: with a number, the hash of its
// data, and the hash of its predecessor, if any.
func fitsRecord(b []byte) bool {
	_, n := binary.Uvarint(b)
	if n <= 0 {
		return n == 0
	}
	b = b[n:]
	if len(b) == 0 {
		return true
	}
	if b[0] != fabric.HashSize {
		return false
	}
	return len(b) <= 1+fabric.HashSize || b[1+fabric.HashSize] == fabric.HashSize || b[1+fabric.HashSize] == 0
}
