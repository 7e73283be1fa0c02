package ledger

import (
	"bytes"
	"crypto/sha256"
	stdhash "hash"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/blockreel/blockreel/internal/fabric"
)

// A merkleTree makes the summary of a range query with many results
// (core/ledger/kvledger/txmgmt/rwsetutil: RangeQueryResultsHelper; its degree is 50). Groups of
// degree+1 results, each a marshalled QueryReads, are hashed to level 1, groups of degree+1 hashes
// to the next level. At the end the hashes of lower levels move up. The highest level is the
// summary.
type merkleTree struct {
	degree uint32
	// group is the QueryReads of the results that are not hashed yet, so many.
	group   stdhash.Hash
	grouped uint64
	// levels are the hashes of level 1, 2, … that are not part of a higher one yet.
	levels [][][]byte
	room   []byte
}

func newMerkleTree(degree uint32) *merkleTree {
	return &merkleTree{degree: degree, group: sha256.New()}
}

// Fields of QueryReads, KVRead and Version.
const (
	queryReads         protowire.Number = 1
	readKey            protowire.Number = 1
	readVersion        protowire.Number = 2
	versionBlock       protowire.Number = 1
	versionTransaction protowire.Number = 2
)

// add appends a result. Hashed results are not stored.
func (t *merkleTree) add(key []byte, v version) {
	var at, read []byte
	appendNonzero := func(n protowire.Number, value uint64) {
		if value > 0 {
			at = protowire.AppendVarint(protowire.AppendTag(at, n, protowire.VarintType), value)
		}
	}
	appendNonzero(versionBlock, uint64(v.block))
	appendNonzero(versionTransaction, uint64(v.transaction))
	if len(key) > 0 {
		read = protowire.AppendBytes(protowire.AppendTag(read, readKey, protowire.BytesType), key)
	}
	read = protowire.AppendBytes(protowire.AppendTag(read, readVersion, protowire.BytesType), at)
	t.room = protowire.AppendTag(t.room[:0], queryReads, protowire.BytesType)
	t.room = protowire.AppendBytes(t.room, read)
	_, _ = t.group.Write(t.room) // a hash takes everything
	if t.grouped++; t.grouped > uint64(t.degree) {
		t.endGroup()
	}
}

// endGroup hashes the group, and the levels that are full with it.
func (t *merkleTree) endGroup() {
	sum := t.group.Sum(nil)
	t.group.Reset()
	t.grouped = 0
	for level := 0; ; level++ {
		t.push(level, sum)
		if uint64(len(t.levels[level])) <= uint64(t.degree) {
			return
		}
		sum = t.take(level)
	}
}

func (t *merkleTree) push(level int, sum []byte) {
	if level == len(t.levels) {
		t.levels = append(t.levels, nil)
	}
	t.levels[level] = append(t.levels[level], sum)
}

// take empties a level and returns its hash; a hash alone moves up as it is.
func (t *merkleTree) take(level int) []byte {
	all := t.levels[level]
	t.levels[level] = nil
	if len(all) == 1 {
		return all[0]
	}
	sum := sha256.Sum256(slices.Concat(all...))
	return sum[:]
}

// equals ends the tree and compares it. Results that are no more than the degree have no tree.
func (t *merkleTree) equals(want *fabric.MerkleSummary) bool {
	if len(t.levels) == 0 {
		return false
	}
	if t.grouped > 0 {
		t.endGroup()
	}
	for level := 0; level < len(t.levels)-1; level++ {
		if len(t.levels[level]) > 0 {
			t.push(level+1, t.take(level))
		}
	}
	if top := len(t.levels) - 1; uint64(len(t.levels[top])) > uint64(t.degree) {
		t.push(top+1, t.take(top))
	}
	return uint64(want.MaxLevel) == uint64(len(t.levels)) && slices.EqualFunc(t.levels[len(t.levels)-1], want.Hashes, bytes.Equal)
}
