package fabric

import (
	"errors"
	"fmt"
	"iter"

	"google.golang.org/protobuf/encoding/protowire"

	commonpb "github.com/blockreel/blockreel/internal/fabric/proto/common"
)

// ErrMalformed marks bytes that are not the message they should be.
var ErrMalformed = errors.New("malformed message")

// Numbers of fields, as in Fabric's common.proto.
const blockHeader, blockData, blockMetadata = 1, 2, 3

// Block is a view of a marshalled common.Block. Its slices are parts of Raw.
type Block struct {
	// Raw is the marshalled block.
	Raw    []byte
	Number uint64
	// PreviousHash and DataHash as the header claims: Chain.Next checks them.
	PreviousHash, DataHash []byte
	// Transactions is the number of envelopes in the block.
	Transactions int

	// data and metadata are a marshalled BlockData and BlockMetadata.
	data, metadata []byte
}

// ParseBlock makes a view of raw. It checks header, data and metadata, not the transactions, and
// fails with ErrMalformed. A field that occurs twice is refused: no Fabric node writes one.
func ParseBlock(raw []byte) (Block, error) {
	b := Block{Raw: raw}
	var header []byte
	var seen [blockMetadata + 1]bool
	f := fields{rest: raw, kinds: "bbb"}
	for f.next() {
		if seen[f.num] {
			return Block{}, fmt.Errorf("block: %w: field %d twice", ErrMalformed, f.num)
		}
		seen[f.num] = true
		switch f.num {
		case blockHeader:
			header = f.bytes
		case blockData:
			b.data = f.bytes
		case blockMetadata:
			b.metadata = f.bytes
		}
	}
	if f.err != nil {
		return Block{}, fmt.Errorf("block: %w", f.err)
	}
	if !seen[blockHeader] {
		return Block{}, fmt.Errorf("block: %w: no header", ErrMalformed)
	}
	f = fields{rest: header, kinds: "vbb"}
	for f.next() {
		switch f.num {
		case 1:
			b.Number = f.varint
		case 2:
			b.PreviousHash = f.bytes
		case 3:
			b.DataHash = f.bytes
		}
	}
	if f.err != nil {
		return Block{}, fmt.Errorf("block header: %w", f.err)
	}
	var err error
	if b.Transactions, err = count(b.data); err != nil {
		return Block{}, fmt.Errorf("block %d: data: %w", b.Number, err)
	}
	if _, err = count(b.metadata); err != nil {
		return Block{}, fmt.Errorf("block %d: metadata: %w", b.Number, err)
	}
	return b, nil
}

// count returns the number of entries of a BlockData or BlockMetadata: both are one repeated bytes
// field.
func count(list []byte) (n int, err error) {
	f := fields{rest: list, kinds: "b"}
	for f.next() {
		n++
	}
	return n, f.err
}

// entries returns the entries of a list that count has checked.
func entries(list []byte) iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		i := 0
		for f := (fields{rest: list, kinds: "b"}); f.next() && yield(i, f.bytes); i++ {
		}
	}
}

// Envelopes returns the block's transactions, each a marshalled common.Envelope.
func (b *Block) Envelopes() iter.Seq2[int, []byte] { return entries(b.data) }

// MetadataEntries returns the entries of the block's metadata.
func (b *Block) MetadataEntries() iter.Seq2[int, []byte] { return entries(b.metadata) }

// Metadata returns one entry of the block's metadata, nil if there is none.
func (b *Block) Metadata(index commonpb.BlockMetadataIndex) []byte {
	for i, entry := range entries(b.metadata) {
		if i == int(index) {
			return entry
		}
	}
	return nil
}

// Flags returns the peer's verdicts on the transactions, a peerpb.TxValidationCode each (0 is
// valid). A block from an orderer has none: nil.
func (b *Block) Flags() []byte {
	flags := b.Metadata(commonpb.BlockMetadataIndex_TRANSACTIONS_FILTER)
	if len(flags) != b.Transactions {
		return nil
	}
	return flags
}

// ValidTransactions counts the valid transactions; ok is false if the block has no verdicts.
func (b *Block) ValidTransactions() (n int, ok bool) {
	flags := b.Flags()
	for _, code := range flags {
		if code == 0 {
			n++
		}
	}
	return n, flags != nil || b.Transactions == 0
}

// WithoutData returns the marshalled block without its transactions, as
// SeekInfo.HEADER_WITH_SIG_BYTES asks for it.
func (b *Block) WithoutData() []byte {
	return appendWithout(make([]byte, 0, len(b.Raw)-len(b.data)), b.Raw, blockData)
}

// appendWithout appends a message without one of its fields.
func appendWithout(dst, msg []byte, without protowire.Number) []byte {
	for len(msg) > 0 {
		num, _, n := protowire.ConsumeField(msg)
		if n < 0 {
			break
		}
		if num != without {
			dst = append(dst, msg[:n]...)
		}
		msg = msg[n:]
	}
	return dst
}

// Committed returns the block as a peer stores it: with a verdict on each transaction
// (peerpb.TxValidationCode) and a commit hash, unless they are nil. The bytes are new.
func (b *Block) Committed(flags, commitHash []byte) []byte {
	const last = commonpb.BlockMetadataIndex_COMMIT_HASH
	var list [][]byte
	for _, entry := range entries(b.metadata) {
		list = append(list, entry)
	}
	for len(list) <= int(last) {
		list = append(list, nil)
	}
	if flags != nil {
		list[commonpb.BlockMetadataIndex_TRANSACTIONS_FILTER] = flags
	}
	if commitHash != nil {
		list[last] = appendBytes(nil, 1, commitHash) // a common.Metadata
	}
	var metadata []byte
	for _, entry := range list {
		metadata = appendBytes(metadata, 1, entry)
	}
	out := make([]byte, 0, len(b.Raw)+len(metadata)+16)
	return appendBytes(appendWithout(out, b.Raw, blockMetadata), blockMetadata, metadata)
}

func appendBytes(dst []byte, num protowire.Number, value []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(dst, num, protowire.BytesType), value)
}

// MetadataValue returns the value of a block's metadata entry, a marshalled common.Metadata:
// of COMMIT_HASH, the hash.
func MetadataValue(entry []byte) ([]byte, error) { return dig(entry, 1) }
