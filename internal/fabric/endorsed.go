package fabric

import (
	"crypto/sha256"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// Endorsed is a view of the action of an endorser transaction: what its simulation gave,
// and who vouches for it. Its slices are parts of the transaction.
type Endorsed struct {
	// Creator and Nonce are those of the action's own signature header.
	Creator, Nonce []byte
	// Proposal is the marshalled ChaincodeProposalPayload without its transient part.
	Proposal []byte
	// Response is the marshalled ProposalResponsePayload: an endorser signs it with its
	// own identity behind it.
	Response []byte
	// ProposalHash, of the proposal that the endorsers simulated, as they claim.
	ProposalHash []byte
	// Results is a marshalled TxReadWriteSet, Event a ChaincodeEvent.
	Results, Event []byte
	// Chaincode is the name of the chaincode that was called.
	Chaincode    []byte
	Endorsements []Endorsement
}

// maxEndorsements is more than any policy asks for.
const maxEndorsements = 1 << 12

// Endorsement is an endorser's signature; Endorser is a marshalled SerializedIdentity.
type Endorsement struct{ Endorser, Signature []byte }

// ParseEndorsed makes a view of the data of an endorser transaction. It fails with
// ErrMalformed, also unless there is exactly one action: Fabric takes no more.
func ParseEndorsed(data []byte) (Endorsed, error) {
	var e Endorsed
	var action []byte
	actions := 0
	f := fields{rest: data}
	for f.next() {
		if f.num == 1 && f.want(protowire.BytesType) {
			action = f.bytes
			actions++
		}
	}
	if f.err != nil {
		return e, fmt.Errorf("transaction: %w", f.err)
	}
	if actions != 1 {
		return e, fmt.Errorf("transaction: %w: %d actions, not one", ErrMalformed, actions)
	}
	if err := e.parseAction(action); err != nil {
		return e, fmt.Errorf("transaction action: %w", err)
	}
	return e, nil
}

func (e *Endorsed) parseAction(action []byte) error {
	var header, payload, endorsed []byte
	if err := pick(action, at{1, &header}, at{2, &payload}); err != nil {
		return err
	}
	if err := pick(header, at{1, &e.Creator}, at{2, &e.Nonce}); err != nil {
		return fmt.Errorf("signature header: %w", err)
	}
	if err := pick(payload, at{1, &e.Proposal}, at{2, &endorsed}); err != nil {
		return err
	}
	f := fields{rest: endorsed}
	for f.next() {
		if f.num > 2 || !f.want(protowire.BytesType) {
			continue
		}
		if f.num == 1 {
			e.Response = f.bytes
			continue
		}
		var by Endorsement
		if err := pick(f.bytes, at{1, &by.Endorser}, at{2, &by.Signature}); err != nil {
			return fmt.Errorf("endorsement: %w", err)
		}
		if len(e.Endorsements) == maxEndorsements {
			return fmt.Errorf("%w: more than %d endorsements", ErrMalformed, maxEndorsements)
		}
		e.Endorsements = append(e.Endorsements, by)
	}
	if f.err != nil {
		return f.err
	}
	var extension, chaincode []byte
	if err := pick(e.Response, at{1, &e.ProposalHash}, at{2, &extension}); err != nil {
		return fmt.Errorf("proposal response: %w", err)
	}
	if err := pick(extension, at{1, &e.Results}, at{2, &e.Event}, at{4, &chaincode}); err != nil {
		return fmt.Errorf("chaincode action: %w", err)
	}
	return pick(chaincode, at{2, &e.Chaincode})
}

// SumProposal computes what ProposalHash claims to be, of the proposal's headers as they
// stand in the transaction (protoutil/txutils.go: GetProposalHash1).
func (e *Endorsed) SumProposal(t *Transaction) ([HashSize]byte, error) {
	var header, channel, signature []byte
	if err := pick(t.Payload, at{1, &header}); err != nil {
		return [HashSize]byte{}, err
	}
	if err := pick(header, at{1, &channel}, at{2, &signature}); err != nil {
		return [HashSize]byte{}, err
	}
	h := sha256.New()
	h.Write(channel)
	h.Write(signature)
	h.Write(e.Proposal)
	var sum [HashSize]byte
	h.Sum(sum[:0])
	return sum, nil
}

// ConfigOf gives the marshalled Config of a configuration transaction's data, nil if it
// has none.
func ConfigOf(data []byte) ([]byte, error) { return find(data, 1) }

// HeaderExtension gives the name of the chaincode that an endorser transaction's channel
// header says it calls.
func (t *Transaction) HeaderExtension() ([]byte, error) {
	return dig(t.Payload, 1, 1, 7, 2, 2)
}

// at is a field to pick, and where its bytes go.
type at struct {
	num  protowire.Number
	into *[]byte
}

// pick finds several bytes fields of a message in one walk; of each the last one counts.
func pick(msg []byte, wanted ...at) error {
	f := fields{rest: msg}
	for f.next() {
		for _, w := range wanted {
			if f.num == w.num && f.want(protowire.BytesType) {
				*w.into = f.bytes
			}
		}
	}
	return f.err
}
