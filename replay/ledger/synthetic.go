package ledger

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"strconv"

	"github.com/cespare/xxhash/v2"

	"github.com/blockreel/blockreel/internal/fabric"
	commonpb "github.com/blockreel/blockreel/internal/fabric/proto/common"
	"github.com/blockreel/blockreel/internal/fabric/validate"
	"github.com/blockreel/blockreel/replay/block"
	"github.com/blockreel/blockreel/traces/event"
)

const (
	// poolBytes of random bytes are drawn once. Payloads and values are copied from them.
	poolBytes = 1 << 20
	// keySpace is the number of state keys: many, and yet keys are written again.
	keySpace = 100_000
	// valueBytes is the size of a value. Traces have the number of writes only.
	valueBytes = 100
)

// madeUpNamespace is the chaincode of made-up transactions.
var madeUpNamespace = []byte("basic")

// A generator makes up blocks: the same bytes for the same channel and number. They do not
// compress.
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

// draw returns a number that depends on the channel, the block and i (SplitMix64).
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

// appendKey appends the key of the i-th write of block n.
func (g *generator) appendKey(dst []byte, n event.BlockNum, i int) []byte {
	dst = append(dst, "asset"...)
	return strconv.AppendUint(dst, g.draw(n, uint64(i)+1)%keySpace, 10)
}

// value is that of the i-th write of block n: a piece of the pool.
func (g *generator) value(n event.BlockNum, i int) []byte {
	at := int(g.draw(n, uint64(i)+1) >> 20 % (poolBytes - valueBytes))
	return g.pool[at : at+valueBytes : at+valueBytes]
}

func (l *Ledger) makeUp(c *candidate) {
	c.room = l.made.appendPayload(c.room[:0], &c.block)
	c.block.Payload = c.room
	c.transactions = l.made.read(c.transactions, &c.block)
	c.hash = madeUpHash(l.tip, c.transactions)
}

// madeUpHash stands for the hash of a made-up block's header.
func madeUpHash(before hash, transactions []validate.Result) hash {
	h := sha256.New()
	h.Write(before[:])
	for _, t := range transactions {
		h.Write([]byte(t.TxID))
	}
	var sum hash
	h.Sum(sum[:0])
	return sum
}

// read makes up the transactions of a made-up payload, which is cut into equal pieces whose hashes
// are the ids. The writes are dealt out in turn, and each key is read before it is written.
func (g *generator) read(dst []validate.Result, b *block.Block) []validate.Result {
	var id [sha256.Size]byte
	h := sha256.New()
	n := max(b.Transactions, 0)
	for i := range n {
		h.Reset()
		h.Write(version{b.Number, uint32(i)}.append(id[:0]))
		h.Write(b.Payload[len(b.Payload)*i/n : len(b.Payload)*(i+1)/n])
		h.Sum(id[:0])
		t := validate.Result{Type: commonpb.HeaderType_ENDORSER_TRANSACTION, TxID: hex.EncodeToString(id[:])}
		if i < b.Writes {
			t.Set.Namespaces = []fabric.NamespaceSet{{Namespace: madeUpNamespace}}
		}
		dst = append(dst, t)
	}
	if n == 0 {
		return dst
	}
	made := dst[len(dst)-n:]
	for i := range b.Writes {
		set := &made[i%n].Set.Namespaces[0]
		key := g.appendKey(nil, b.Number, i)
		set.Reads = append(set.Reads, fabric.Read{Key: key})
		set.Writes = append(set.Writes, fabric.Write{Key: key, Value: g.value(b.Number, i)})
	}
	return dst
}
