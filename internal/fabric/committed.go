package fabric

import (
	"google.golang.org/protobuf/encoding/protowire"

	commonpb "github.com/blockreel/blockreel/internal/fabric/proto/common"
)

// Committed gives the block as a peer keeps it: with a verdict on each transaction
// (peerpb.TxValidationCode; nil leaves them out) and, unless it is nil, the commit hash. The
// bytes are new; header and data are the block's own.
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
		// A common.Metadata whose value is the hash.
		value := protowire.AppendTag(nil, 1, protowire.BytesType)
		list[last] = protowire.AppendBytes(value, commitHash)
	}
	size := 0
	for _, entry := range list {
		size += protowire.SizeTag(1) + protowire.SizeBytes(len(entry))
	}
	out := make([]byte, 0, len(b.Raw)-len(b.metadata)+size+2*protowire.SizeVarint(uint64(size)))
	for rest := b.Raw; len(rest) > 0; {
		num, _, n := protowire.ConsumeField(rest)
		if n < 0 {
			break
		}
		if num != blockMetadata {
			out = append(out, rest[:n]...)
		}
		rest = rest[n:]
	}
	out = protowire.AppendTag(out, blockMetadata, protowire.BytesType)
	out = protowire.AppendVarint(out, uint64(size))
	for _, entry := range list {
		out = protowire.AppendTag(out, 1, protowire.BytesType)
		out = protowire.AppendBytes(out, entry)
	}
	return out
}

// MetadataValue gives the value of a block's metadata entry, a marshalled common.Metadata:
// of COMMIT_HASH, the hash.
func MetadataValue(entry []byte) ([]byte, error) { return find(entry, 1) }
