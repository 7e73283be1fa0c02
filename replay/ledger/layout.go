package ledger

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/blockreel/blockreel/replay/block"
	"github.com/blockreel/blockreel/traces/event"
)

// Entries of a ledger, told apart by the first byte of the key. Numbers are
// big-endian; a position is four bytes.
//
//	m          channel's first block number, channel name
//	n          height
//	b number   transactions (4), writes (4), hash of the chain before (32), payload
//	t id       number, position: where the transaction with this hash is
//	s key      number, position, value: the newest value and who wrote it
//	h key number position   nothing: that the transaction wrote the key
const (
	metaPrefix    = 'm'
	heightPrefix  = 'n'
	blockPrefix   = 'b'
	indexPrefix   = 't'
	statePrefix   = 's'
	historyPrefix = 'h'

	blockHeader = 4 + 4 + sha256.Size
	versionSize = 8 + 4
)

var (
	metaKey   = []byte{metaPrefix}
	heightKey = []byte{heightPrefix}
)

// version names the write that a state value comes from.
type version struct {
	block    event.BlockNum
	position uint32 // of the write in its block
}

func appendVersion(dst []byte, n event.BlockNum, position int) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(n))
	return binary.BigEndian.AppendUint32(dst, uint32(position))
}

func versionOf(value []byte) version {
	return version{event.BlockNum(binary.BigEndian.Uint64(value)), binary.BigEndian.Uint32(value[8:])}
}

func indexedBlock(value []byte) event.BlockNum { return versionOf(value).block }

func appendBlockKey(dst []byte, n event.BlockNum) []byte {
	return binary.BigEndian.AppendUint64(append(dst, blockPrefix), uint64(n))
}

func appendIndexKey(dst []byte, id *hash) []byte {
	return append(append(dst, indexPrefix), id[:]...)
}

// appendHistoryKey turns a state key into that of one write to it.
func appendHistoryKey(dst, stateKey []byte, n event.BlockNum, position int) []byte {
	dst = append(append(dst, historyPrefix), stateKey[1:]...)
	return appendVersion(dst, n, position)
}

// decodeBlock is the inverse of putBlock; ok is false when value is too short.
func decodeBlock(n event.BlockNum, value []byte) (b block.Block, before hash, ok bool) {
	if len(value) < blockHeader {
		return b, before, false
	}
	b.Number = n
	b.Transactions = int(binary.BigEndian.Uint32(value))
	b.Writes = int(binary.BigEndian.Uint32(value[4:]))
	b.Payload = value[blockHeader:]
	b.Bytes = len(b.Payload)
	copy(before[:], value[8:])
	return b, before, b.Transactions <= MaxBlockTransactions && b.Writes <= MaxBlockWrites
}

// A batch is the entries of one block, in order, in one piece of memory that is
// used again for the next block.
type batch struct {
	data    []byte
	entries []extent
}

type extent struct{ key, value, end int }

func (b *batch) reset() { b.data, b.entries = b.data[:0], b.entries[:0] }

func (b *batch) len() int { return len(b.entries) }

// entry returns key and value of entry i. They are good until reset.
func (b *batch) entry(i int) (key, value []byte) {
	e := b.entries[i]
	return b.data[e.key:e.value:e.value], b.data[e.value:e.end:e.end]
}

// A key is appended to data, then startValue, then a value, then end.
func (b *batch) startKey()   { b.entries = append(b.entries, extent{key: len(b.data)}) }
func (b *batch) startValue() { b.entries[len(b.entries)-1].value = len(b.data) }
func (b *batch) end()        { b.entries[len(b.entries)-1].end = len(b.data) }

func (b *batch) putBlock(blk *block.Block, before *hash, payload []byte) {
	b.startKey()
	b.data = appendBlockKey(b.data, blk.Number)
	b.startValue()
	b.data = binary.BigEndian.AppendUint32(b.data, uint32(blk.Transactions))
	b.data = binary.BigEndian.AppendUint32(b.data, uint32(blk.Writes))
	b.data = append(append(b.data, before[:]...), payload...)
	b.end()
}

func (b *batch) putIndex(n event.BlockNum, ids []hash) {
	for i := range ids {
		b.startKey()
		b.data = appendIndexKey(b.data, &ids[i])
		b.startValue()
		b.data = appendVersion(b.data, n, i)
		b.end()
	}
}

func (b *batch) putState(made *generator, blk *block.Block) {
	for i := range blk.Writes {
		b.startKey()
		b.data = made.appendStateKey(b.data, blk.Number, i)
		b.startValue()
		b.data = appendVersion(b.data, blk.Number, i)
		b.data = made.appendStateValue(b.data, blk.Number, i)
		b.end()
	}
}

func (b *batch) putHistory(made *generator, blk *block.Block) {
	var room [32]byte
	for i := range blk.Writes {
		key := made.appendStateKey(room[:0], blk.Number, i)
		b.startKey()
		b.data = appendHistoryKey(b.data, key, blk.Number, i)
		b.startValue()
		b.end()
	}
}

func (b *batch) putHeight(h event.Height) {
	b.startKey()
	b.data = append(b.data, heightPrefix)
	b.startValue()
	b.data = binary.BigEndian.AppendUint64(b.data, uint64(h))
	b.end()
}

func (b *batch) putMeta(first event.BlockNum, channel string) {
	b.startKey()
	b.data = append(b.data, metaPrefix)
	b.startValue()
	b.data = binary.BigEndian.AppendUint64(b.data, uint64(first))
	b.data = append(b.data, channel...)
	b.end()
}
