package mint

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/blockreel/blockreel/internal/fabric"
	"github.com/blockreel/blockreel/internal/fabric/identity"
	commonpb "github.com/blockreel/blockreel/internal/fabric/proto/common"
)

const (
	// poolSize is how many transactions of each shape are signed, to be used in turn; as many as
	// a block has, if that is more.
	poolSize  = 32
	chaincode = "basic"
	// metadataEntries is how many an orderer writes since Fabric 2.0, most of them empty.
	metadataEntries = 5
)

// Config says whose blocks to make.
type Config struct {
	// Channel that the blocks belong to.
	Channel string
	// Client creates the transactions; Endorsers endorse each of them.
	Client    *identity.Identity
	Endorsers []*identity.Identity
	// Orderer signs the blocks. Nil: blocks without a signature, which a Fabric peer would
	// refuse; saves tens of µs a block.
	Orderer *identity.Identity
	// Fresh signs every transaction anew and has no pool.
	Fresh bool
}

func (c Config) validate() error {
	switch {
	case c.Channel == "":
		return errors.New("mint: no channel")
	case c.Client == nil:
		return errors.New("mint: no client to create transactions")
	case len(c.Endorsers) == 0:
		return errors.New("mint: no endorser")
	}
	return nil
}

// Shape is what a block should be like.
type Shape struct {
	// Transactions in the block, at least 1.
	Transactions int
	// Writes of all of them together.
	Writes int
	// Bytes of the marshalled block, met to about 4 %. Less than the signatures and
	// certificates take (about 2.5 kB a transaction): as small as can be.
	Bytes int
}

// Builder makes the blocks of one channel, for one goroutine.
type Builder struct {
	config   Config
	next     uint64
	previous []byte
	pool     pool
	// empty is the size of a block without transactions, as last made.
	empty int
}

// New makes a builder whose next block is number 0.
func New(c Config) (*Builder, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	return &Builder{config: c, pool: newPool()}, nil
}

// Height is the number of the next block.
func (b *Builder) Height() uint64 { return b.next }

// Next makes the next block.
func (b *Builder) Next(s Shape) ([]byte, error) {
	if s.Transactions < 1 || s.Writes < 0 || s.Bytes < 0 {
		return nil, fmt.Errorf("mint: a block of %d transactions, %d writes, %d bytes", s.Transactions, s.Writes, s.Bytes)
	}
	size := max(0, s.Bytes-b.empty) / s.Transactions
	each, rest := s.Writes/s.Transactions, s.Writes%s.Transactions
	envelopes := make([][]byte, s.Transactions)
	for i := range envelopes {
		writes := each
		if i < rest {
			writes++
		}
		var err error
		if envelopes[i], err = b.transaction(writes, size, s.Transactions); err != nil {
			return nil, err
		}
	}
	return b.seal(envelopes)
}

// Genesis makes block 0.
func (b *Builder) Genesis() ([]byte, error) {
	if b.next != 0 {
		return nil, fmt.Errorf("mint: genesis after block %d", b.next-1)
	}
	envelope, err := b.configuration()
	if err != nil {
		return nil, err
	}
	return b.seal([][]byte{envelope})
}

// seal makes the block of these envelopes and moves on to the next.
func (b *Builder) seal(envelopes [][]byte) ([]byte, error) {
	sum := sha256.New()
	dataSize := 0
	for _, envelope := range envelopes {
		sum.Write(envelope)
		dataSize += protowire.SizeTag(1) + protowire.SizeBytes(len(envelope))
	}
	dataHash := sum.Sum(nil)
	header, err := proto.Marshal(&commonpb.BlockHeader{Number: b.next, PreviousHash: b.previous, DataHash: dataHash})
	if err != nil {
		return nil, fmt.Errorf("mint block %d: %w", b.next, err)
	}
	der := fabric.HeaderBytes(b.next, b.previous, dataHash)
	metadata, err := b.metadata(der)
	if err != nil {
		return nil, fmt.Errorf("mint block %d: %w", b.next, err)
	}
	b.empty = 3*protowire.SizeTag(1) + protowire.SizeBytes(len(header)) + protowire.SizeBytes(len(metadata)) + protowire.SizeVarint(uint64(dataSize))
	raw := make([]byte, 0, b.empty+dataSize)
	raw = appendBytes(raw, 1, header)
	raw = protowire.AppendTag(raw, 2, protowire.BytesType)
	raw = protowire.AppendVarint(raw, uint64(dataSize))
	for _, envelope := range envelopes {
		raw = appendBytes(raw, 1, envelope)
	}
	raw = appendBytes(raw, 3, metadata)
	hash := sha256.Sum256(der)
	b.previous = hash[:]
	b.next++
	return raw, nil
}

func appendBytes(raw []byte, num protowire.Number, value []byte) []byte {
	raw = protowire.AppendTag(raw, num, protowire.BytesType)
	return protowire.AppendBytes(raw, value)
}

// metadata makes the BlockMetadata of an orderer: its signature and the number of the
// last configuration block, which is genesis.
func (b *Builder) metadata(header []byte) ([]byte, error) {
	last := &commonpb.LastConfig{Index: 0}
	value, err := proto.Marshal(&commonpb.OrdererBlockMetadata{LastConfig: last})
	if err != nil {
		return nil, err
	}
	signatures := &commonpb.Metadata{Value: value}
	if b.config.Orderer != nil {
		signatureHeader, err := proto.Marshal(&commonpb.SignatureHeader{
			Creator: b.config.Orderer.Serialize(), Nonce: identity.Nonce(),
		})
		if err != nil {
			return nil, err
		}
		signature, err := b.config.Orderer.Sign(slices.Concat(value, signatureHeader, header))
		if err != nil {
			return nil, err
		}
		signatures.Signatures = []*commonpb.MetadataSignature{{SignatureHeader: signatureHeader, Signature: signature}}
	}
	entries := make([][]byte, metadataEntries)
	if entries[commonpb.BlockMetadataIndex_SIGNATURES], err = proto.Marshal(signatures); err != nil {
		return nil, err
	}
	lastRaw, err := proto.Marshal(last)
	if err != nil {
		return nil, err
	}
	if entries[commonpb.BlockMetadataIndex_LAST_CONFIG], err = proto.Marshal(&commonpb.Metadata{Value: lastRaw}); err != nil {
		return nil, err
	}
	return proto.Marshal(&commonpb.BlockMetadata{Metadata: entries})
}
