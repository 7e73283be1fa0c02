package ledger

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"io"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/blockreel/blockreel/internal/fabric"
	commonpb "github.com/blockreel/blockreel/internal/fabric/proto/common"
)

// Since Fabric 2.0 a peer stores with each block a hash of the validation codes, of all writes with
// their versions, and of the hash before (core/ledger/kvledger/kv_ledger.go: addBlockCommitHash).
// Ledgers with the same commit hash have the same state. Its time counts for the block store, as in
// Fabric.

// Fields of the messages that are hashed (privacyenabledstate: UpdatesBytesBuilder).
const (
	writeNamespace  protowire.Number = 1
	writeCollection protowire.Number = 2
	writeKey        protowire.Number = 3
	writeDeleted    protowire.Number = 4
	writeValue      protowire.Number = 5
	writeVersion    protowire.Number = 6
)

// setCommitHash computes the commit hash. The chain of hashes begins with block 1.
func (l *Ledger) setCommitHash(c *candidate) {
	h := sha256.New()
	h.Write(protowire.AppendVarint(nil, uint64(len(c.codes))))
	h.Write(c.codes)
	l.room = l.state.hashUpdates(h, l.room)
	if c.number() > 1 && c.previousCommit != (hash{}) {
		h.Write(c.previousCommit[:])
	}
	h.Sum(c.commitHash[:0])
}

// hashUpdates writes the changes in the order of namespaces, collections and keys, which is that of
// the state's keys: '$' comes before all characters of a name. The configuration is left out.
func (m *mvcc) hashUpdates(h io.Writer, room []byte) []byte {
	m.sorted = append(m.sorted[:0], m.changed...)
	slices.SortFunc(m.sorted, func(a, b int) int { return strings.Compare(m.slots[a].key, m.slots[b].key) })
	namespace, collection := "", ""
	for _, i := range m.sorted {
		s := &m.slots[i]
		whole, key, _ := strings.Cut(s.key, "\x00")
		base, of, _ := strings.Cut(whole, "$$h")
		if base == "" {
			continue
		}
		one := room[:0]
		if base != namespace {
			namespace, collection = base, ""
			one = protowire.AppendString(protowire.AppendTag(one, writeNamespace, protowire.BytesType), base)
		}
		if of != collection {
			collection = of
			one = protowire.AppendString(protowire.AppendTag(one, writeCollection, protowire.BytesType), of)
		}
		one = protowire.AppendString(protowire.AppendTag(one, writeKey, protowire.BytesType), key)
		if s.new.deleted {
			one = protowire.AppendVarint(protowire.AppendTag(one, writeDeleted, protowire.VarintType), 1)
		} else {
			one = protowire.AppendBytes(protowire.AppendTag(one, writeValue, protowire.BytesType), s.new.value)
		}
		var v [18]byte
		place := appendOrdered(appendOrdered(v[:0], uint64(s.new.version.block)), uint64(s.new.version.transaction))
		one = protowire.AppendBytes(protowire.AppendTag(one, writeVersion, protowire.BytesType), place)
		var head [16]byte
		_, _ = h.Write(protowire.AppendVarint(protowire.AppendTag(head[:0], 1, protowire.BytesType), uint64(len(one))))
		_, _ = h.Write(one) // a hash takes everything
		room = one
	}
	return room
}

// appendOrdered appends a number as Fabric's versions have it: its length, and its bytes,
// big-endian.
func appendOrdered(dst []byte, n uint64) []byte {
	var all [8]byte
	binary.BigEndian.PutUint64(all[:], n)
	used := bytes.TrimLeft(all[:], "\x00")
	return append(append(dst, byte(len(used))), used...)
}

// peerCommitHash is the hash that a peer recorded in the block.
func peerCommitHash(view *fabric.Block) (h hash, ok bool) {
	m, err := fabric.MetadataValue(view.Metadata(commonpb.BlockMetadataIndex_COMMIT_HASH))
	if err != nil || len(m) != len(h) {
		return h, false
	}
	return hash(m), true
}
