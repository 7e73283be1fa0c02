package ledger

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/blockreel/blockreel/internal/fabric"
	"github.com/blockreel/blockreel/replay/block"
	"github.com/blockreel/blockreel/traces/event"
)

// Entries of a ledger, by table. Numbers are big-endian, a number of a block takes eight
// bytes, one of a transaction four.
//
//	blocks   number                                record (below)
//	index    0x00                                  height: blocks whose index is there
//	         0x01                                  first block's number, channel
//	         h hash of a block's header            number
//	         t transaction id                      number, transaction, validation code (1)
//	state    0x00                                  height: blocks whose state is there
//	         0x00 0x01 namespace                   nothing: some key of it has had metadata
//	         namespace 0x00 key                    version (12), form (1), metadata, value
//	         0x00 0x02 key                         the same for the namespace without a name
//	history  0x00                                  height: blocks whose history is there
//	         namespace 0x00 length key number transaction      nothing
//
// A block's record is: form (1: 0 marshalled, 1 made up), transactions (4), writes (4),
// hash of its header (32), its commit hash (32), a validation code for each transaction, the
// marshalled block.
//
// The keys of state are those of Fabric's stateleveldb, except that those of the namespace
// without a name (the channel's configuration, and whatever a transaction may claim) must not
// be taken for the ledger's own; a collection's hashes are in the namespace
// "namespace$$hcollection", as there. The length in a history key is a uvarint: a key may
// hold a zero byte, and so be another one's prefix.
const (
	blockHeader  = 1 + 4 + 4 + 2*sha256.Size
	placeSize    = 8 + 4
	locationSize = placeSize + 1

	hashKey        = 'h'
	transactionKey = 't'

	formMarshalled = 0
	formMadeUp     = 1
)

var (
	savepointKey = []byte{0}
	originKey    = []byte{1}
	usedMetadata = []byte{0, 1}
	nameless     = []byte{0, 2}
)

type hash = [sha256.Size]byte

// version is the place of the transaction that wrote a value.
type version struct {
	block       event.BlockNum
	transaction uint32
}

func (v version) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(v.block))
	return binary.BigEndian.AppendUint32(dst, v.transaction)
}

// is compares with the version of a recorded read.
func (v version) is(r fabric.Version) bool {
	return uint64(v.block) == r.Block && uint64(v.transaction) == r.Transaction
}

func versionOf(b []byte) version {
	return version{event.BlockNum(binary.BigEndian.Uint64(b)), binary.BigEndian.Uint32(b[8:])}
}

func appendNumber(dst []byte, n uint64) []byte { return binary.BigEndian.AppendUint64(dst, n) }

// number is the inverse of appendNumber.
func number(b []byte) (uint64, bool) {
	if len(b) != 8 {
		return 0, false
	}
	return binary.BigEndian.Uint64(b), true
}

func appendHashKey(dst []byte, h *hash) []byte { return append(append(dst, hashKey), h[:]...) }

func appendTransactionKey(dst []byte, id string) []byte {
	return append(append(dst, transactionKey), id...)
}

func appendStateKey[N, K string | []byte](dst []byte, namespace N, key K) []byte {
	return append(appendNamespace(dst, namespace), key...)
}

// appendNamespace appends the prefix of the state keys of a namespace. Its last byte plus one is
// the end of the namespace.
func appendNamespace[N string | []byte](dst []byte, namespace N) []byte {
	if len(namespace) == 0 {
		return append(dst, nameless...)
	}
	return append(append(dst, namespace...), 0)
}

// appendMetadataMark appends the key that marks a namespace with metadata. It has no zero byte
// after the first, so it is no value's key.
func appendMetadataMark(dst, namespace []byte) []byte {
	dst = append(dst, usedMetadata...)
	for _, b := range namespace {
		dst = append(dst, max(b, 1))
	}
	return dst
}

// appendCollection appends the namespace of a collection's hashes.
func appendCollection(dst, namespace, collection []byte) []byte {
	dst = append(append(dst, namespace...), "$$h"...)
	return append(dst, collection...)
}

// appendHistoryPrefix appends the prefix of the history keys of a key.
func appendHistoryPrefix[N, K string | []byte](dst []byte, namespace N, key K) []byte {
	dst = append(append(dst, namespace...), 0)
	dst = binary.AppendUvarint(dst, uint64(len(key)))
	return append(dst, key...)
}

// stateValue is a value of the state table.
type stateValue struct {
	version version
	// deleted: the key has no value since this version. Only a partial ledger stores this.
	deleted bool
	// unknown: only the metadata was written since the ledger's first block. If the key had a value
	// before, it still has it.
	unknown bool
	// forgotten: the memory ledger has dropped the value.
	forgotten bool
	// metadata are marshalled entries.
	metadata, value []byte
}

const (
	formDeleted  = 1
	formMetadata = 2
	formUnknown  = 3
	// formForgotten is formMetadata without the value.
	formForgotten = 4
)

func (s *stateValue) append(dst []byte) []byte {
	dst = s.version.append(dst)
	switch {
	case s.deleted:
		return append(dst, formDeleted)
	case s.unknown:
		dst = append(dst, formUnknown)
	case s.forgotten:
		dst = append(dst, formForgotten)
		return append(binary.AppendUvarint(dst, uint64(len(s.metadata))), s.metadata...)
	case len(s.metadata) > 0:
		dst = append(dst, formMetadata)
	default:
		return append(append(dst, 0), s.value...)
	}
	dst = binary.AppendUvarint(dst, uint64(len(s.metadata)))
	return append(append(dst, s.metadata...), s.value...)
}

// decodeState is the inverse of append. The slices are parts of b.
func decodeState(b []byte) (s stateValue, ok bool) {
	if len(b) <= placeSize {
		return s, false
	}
	s.version = versionOf(b)
	form, rest := b[placeSize], b[placeSize+1:]
	switch form {
	case 0:
		s.value = rest
	case formDeleted:
		s.deleted = true
	case formMetadata, formUnknown, formForgotten:
		s.unknown, s.forgotten = form == formUnknown, form == formForgotten
		size, n := binary.Uvarint(rest)
		if n <= 0 || size > uint64(len(rest)-n) {
			return s, false
		}
		s.metadata, s.value = rest[n:n+int(size)], rest[n+int(size):]
		return s, !s.forgotten || len(s.value) == 0
	default:
		return s, false
	}
	return s, true
}

// record is a block as the block table has it.
type record struct {
	block      block.Block
	madeUp     bool
	hash       hash
	commitHash hash // see commithash.go
	codes      []byte
}

// appendHead appends what stands before the payload.
func (r *record) appendHead(dst []byte) []byte {
	form := byte(formMarshalled)
	if r.madeUp {
		form = formMadeUp
	}
	dst = append(dst, form)
	dst = binary.BigEndian.AppendUint32(dst, uint32(r.block.Transactions))
	dst = binary.BigEndian.AppendUint32(dst, uint32(r.block.Writes))
	dst = append(dst, r.hash[:]...)
	dst = append(dst, r.commitHash[:]...)
	return append(dst, r.codes...)
}

// decodeRecord is the inverse of append. The slices are parts of b.
func decodeRecord(n event.BlockNum, b []byte) (r record, err error) {
	damaged := fmt.Errorf("block %d: its record is damaged", n)
	if len(b) < blockHeader || b[0] > formMadeUp {
		return r, damaged
	}
	r.madeUp = b[0] == formMadeUp
	transactions, writes := binary.BigEndian.Uint32(b[1:]), binary.BigEndian.Uint32(b[5:])
	rest := b[blockHeader:]
	if transactions > MaxBlockTransactions || writes > MaxBlockWrites || int(transactions) > len(rest) {
		return r, damaged
	}
	copy(r.hash[:], b[9:])
	copy(r.commitHash[:], b[9+sha256.Size:])
	r.codes = rest[:transactions]
	payload := rest[transactions:]
	r.block = block.Block{
		Number: n, Transactions: int(transactions), Writes: int(writes), Bytes: len(payload), Payload: payload,
	}
	return r, nil
}
