package fabric

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	commonpb "github.com/blockreel/blockreel/internal/fabric/proto/common"
)

// Transaction is a view of a marshalled common.Envelope, down to its headers.
type Transaction struct {
	Type      commonpb.HeaderType
	ChannelID string
	// TxID as the header claims: see IsTxID. Config transactions need not have one.
	TxID string
	// Epoch is zero in all that Fabric accepts.
	Epoch uint64
	// Creator is a marshalled msp.SerializedIdentity.
	Creator, Nonce []byte
	// Signature is the creator's, over Payload.
	Payload, Signature []byte
	// Data is a marshalled Transaction, ConfigEnvelope, SeekInfo …
	Data []byte
	// ChannelHeader and SignatureHeader are marshalled.
	ChannelHeader, SignatureHeader []byte
	// Extension of an endorser transaction: a ChaincodeHeaderExtension.
	Extension []byte
	// TLSCertHash binds a Deliver request to its mutual TLS connection.
	TLSCertHash []byte
	// Timestamp is a marshalled google.protobuf.Timestamp.
	Timestamp []byte
}

// ParseTransaction makes a view of an envelope. It fails with ErrMalformed.
func ParseTransaction(envelope []byte) (Transaction, error) {
	t, err := ParseEnvelope(envelope)
	if err == nil {
		err = t.ParsePayload()
	}
	if err == nil {
		err = t.ParseHeaders()
	}
	if err != nil {
		return Transaction{}, err
	}
	return t, nil
}

// ParseEnvelope is the first of ParseTransaction's three steps: it reads Payload and Signature.
func ParseEnvelope(envelope []byte) (Transaction, error) {
	var t Transaction
	if err := pick(envelope, "bb", &t.Payload, &t.Signature); err != nil {
		return Transaction{}, fmt.Errorf("envelope: %w", err)
	}
	return t, nil
}

// ParsePayload is the second step: it reads Data and the marshalled headers.
func (t *Transaction) ParsePayload() error {
	f := fields{rest: t.Payload, kinds: "bb"}
	for f.next() {
		if f.num == 1 {
			f.err = pick(f.bytes, "bb", &t.ChannelHeader, &t.SignatureHeader)
		} else {
			t.Data = f.bytes
		}
	}
	if f.err != nil {
		return fmt.Errorf("payload: %w", f.err)
	}
	return nil
}

// ParseHeaders is the last step: it reads the headers. If only the signature header is malformed,
// the fields of the channel header are set beside the error.
func (t *Transaction) ParseHeaders() error {
	read := *t
	if err := read.parseChannelHeader(); err != nil {
		return fmt.Errorf("channel header: %w", err)
	}
	*t = read
	if err := pick(t.SignatureHeader, "bb", &t.Creator, &t.Nonce); err != nil {
		return fmt.Errorf("signature header: %w", err)
	}
	return nil
}

func (t *Transaction) parseChannelHeader() error {
	f := fields{rest: t.ChannelHeader, kinds: "vvbssvbb"}
	for f.next() {
		switch f.num {
		case 1:
			t.Type = commonpb.HeaderType(int32(f.varint))
		case 3:
			t.Timestamp = f.bytes
			f.err = pick(f.bytes, "")
		case 4:
			t.ChannelID = string(f.bytes)
		case 5:
			t.TxID = string(f.bytes)
		case 6:
			t.Epoch = f.varint
		case 7:
			t.Extension = f.bytes
		case 8:
			t.TLSCertHash = f.bytes
		}
	}
	return f.err
}

// ComputeTxID returns the id that Fabric demands of a transaction: hex SHA-256 of nonce and
// creator.
func ComputeTxID(nonce, creator []byte) string {
	sum := sumTxID(nonce, creator)
	return hex.EncodeToString(sum[:])
}

// IsTxID reports whether id is what ComputeTxID returns.
func IsTxID(id string, nonce, creator []byte) bool {
	sum := sumTxID(nonce, creator)
	var digits [2 * HashSize]byte
	hex.Encode(digits[:], sum[:])
	return id == string(digits[:])
}

func sumTxID(nonce, creator []byte) (sum [HashSize]byte) {
	h := sha256.New()
	h.Write(nonce)
	h.Write(creator)
	h.Sum(sum[:0])
	return sum
}

// ChannelID returns the channel of the block's first transaction.
func (b *Block) ChannelID() (string, error) {
	for _, envelope := range b.Envelopes() {
		t, err := ParseTransaction(envelope)
		if err != nil {
			return "", fmt.Errorf("block %d: transaction 0: %w", b.Number, err)
		}
		return t.ChannelID, nil
	}
	return "", fmt.Errorf("block %d has no transaction that would name its channel", b.Number)
}

// IsConfig reports whether the block is a configuration block, as genesis is.
func (b *Block) IsConfig() bool {
	for _, envelope := range b.Envelopes() {
		t, err := ParseTransaction(envelope)
		return err == nil && t.Type == commonpb.HeaderType_CONFIG
	}
	return false
}

// Writes is what transactions write to public state.
type Writes struct {
	// Count of writes and deletions.
	Count int
	// Bytes of their keys and values.
	Bytes int
}

// Writes sums the public writes of all endorser transactions of the block, valid or not. The error
// is about the first transaction that cannot be read; those count as nothing.
func (b *Block) Writes() (Writes, error) {
	var sum Writes
	var errs []error
	for i, envelope := range b.Envelopes() {
		w, err := transactionWrites(envelope)
		if err != nil {
			if errs == nil {
				errs = append(errs, fmt.Errorf("block %d: transaction %d: %w", b.Number, i, err))
			}
			continue
		}
		sum.Count += w.Count
		sum.Bytes += w.Bytes
	}
	return sum, errors.Join(errs...)
}

func transactionWrites(envelope []byte) (sum Writes, err error) {
	var header, data []byte
	payload, err := dig(envelope, 1)
	if err == nil {
		err = pick(payload, "bb", &header, &data)
	}
	if err == nil {
		header, err = dig(header, 1)
	}
	var typ uint64
	f := fields{rest: header, kinds: "v", err: err}
	for f.next() {
		typ = f.varint
	}
	if f.err != nil || typ != uint64(commonpb.HeaderType_ENDORSER_TRANSACTION) {
		return Writes{}, f.err
	}
	err = each(data, "b", func(action []byte) error {
		// ChaincodeActionPayload.action → proposal_response_payload → extension: ChaincodeAction
		// → results: TxReadWriteSet.
		results, err := dig(action, 2, 2, 1, 2, 1)
		if err != nil {
			return err
		}
		return each(results, "-b", func(namespace []byte) error {
			set, err := dig(namespace, 2)
			if err != nil {
				return err
			}
			return each(set, "--b", func(write []byte) error {
				sum.Count++
				return each(write, "b-b", func(part []byte) error { sum.Bytes += len(part); return nil })
			})
		})
	})
	if err != nil {
		return Writes{}, err
	}
	return sum, nil
}
