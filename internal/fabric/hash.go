package fabric

import (
	"crypto/sha256"
	"encoding/asn1"
	"math/big"
)

// HashSize is the length of Fabric's block hashes: SHA-256.
const HashSize = sha256.Size

// asn1Header is what Fabric hashes (protoutil/blockutils.go: BlockHeaderBytes).
type asn1Header struct {
	Number       *big.Int
	PreviousHash []byte
	DataHash     []byte
}

// HeaderBytes returns a block header in the ASN.1 form that Fabric hashes and signs.
func HeaderBytes(number uint64, previousHash, dataHash []byte) []byte {
	der, err := asn1.Marshal(asn1Header{new(big.Int).SetUint64(number), previousHash, dataHash})
	if err != nil {
		// DER has a form for an integer and two strings of bytes.
		panic(err)
	}
	return der
}

// HeaderHash returns the block's hash: the next block's PreviousHash.
func (b *Block) HeaderHash() [HashSize]byte {
	return sha256.Sum256(HeaderBytes(b.Number, b.PreviousHash, b.DataHash))
}

// SumData computes the hash of the block's transactions, which should be DataHash.
func (b *Block) SumData() [HashSize]byte {
	h := sha256.New()
	for _, envelope := range b.Envelopes() {
		h.Write(envelope)
	}
	return [HashSize]byte(h.Sum(nil))
}
