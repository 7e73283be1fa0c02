package ledger

import (
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
	"strconv"

	"github.com/cespare/xxhash/v2"

	"github.com/blockreel/blockreel/replay/block"
	"github.com/blockreel/blockreel/traces/event"
)

const (
	// poolBytes of pseudo-random bytes are drawn once a ledger; payloads and values
	// are pieces of them, so that making a block up costs a copy and no more.
	poolBytes = 1 << 20
	// keySpace is the number of state keys that writes are spread over: large
	// enough to be a state database, small enough that keys are written again.
	keySpace = 100_000
	// valueBytes is the size of a state value. Traces hold the number of writes of
	// a block, not their sizes.
	valueBytes = 100
)

// A generator makes up what a trace does not hold of a block: the same bytes for
// the same channel and number, always. The bytes do not compress.
type generator struct {
	seed uint64
	pool []byte
}

func newGenerator(channel string) generator {
	g := generator{seed: xxhash.Sum64String(channel), pool: make([]byte, poolBytes)}
	random := rand.New(rand.NewPCG(g.seed, 0))
	for i := 0; i < poolBytes; i += 8 {
		binary.LittleEndian.PutUint64(g.pool[i:], random.Uint64())
	}
	return g
}

// draw returns a number that depends on the channel, the block and i alone.
// The multipliers are those of SplitMix64.
func (g *generator) draw(n event.BlockNum, i uint64) uint64 {
	x := g.seed + uint64(n)*0x9e3779b97f4a7c15 + i*0xd1342543de82ef95
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// appendPayload appends the b.Bytes bytes of the block.
func (g *generator) appendPayload(dst []byte, b *block.Block) []byte {
	return g.appendBytes(dst, g.draw(b.Number, 0), b.Bytes)
}

func (g *generator) appendBytes(dst []byte, from uint64, n int) []byte {
	at := int(from % poolBytes)
	for n > 0 {
		piece := g.pool[at:min(at+n, poolBytes)]
		dst = append(dst, piece...)
		n -= len(piece)
		at = 0
	}
	return dst
}

// appendStateKey appends the key of the i-th write of block n.
func (g *generator) appendStateKey(dst []byte, n event.BlockNum, i int) []byte {
	dst = append(dst, statePrefix)
	dst = append(dst, "asset"...)
	return strconv.AppendUint(dst, g.draw(n, uint64(i)+1)%keySpace, 10)
}

// appendStateValue appends the value of the i-th write of block n.
func (g *generator) appendStateValue(dst []byte, n event.BlockNum, i int) []byte {
	return g.appendBytes(dst, g.draw(n, uint64(i)+1)>>20, valueBytes)
}

// appendIDs cuts the payload into equal pieces, one a transaction, and hashes
// each together with its place.
func appendIDs(dst []hash, n event.BlockNum, payload []byte, transactions int) []hash {
	var place [versionSize]byte
	var id hash
	h := sha256.New()
	for i := range transactions {
		from := len(payload) * i / transactions
		to := len(payload) * (i + 1) / transactions
		h.Reset()
		h.Write(appendVersion(place[:0], n, i))
		h.Write(payload[from:to])
		h.Sum(id[:0])
		dst = append(dst, id)
	}
	return dst
}

// chainHash is the hash of the chain that ends with a block of these transactions.
func chainHash(before *hash, ids []hash) hash {
	h := sha256.New()
	h.Write(before[:])
	for i := range ids {
		h.Write(ids[i][:])
	}
	var sum hash
	h.Sum(sum[:0])
	return sum
}
