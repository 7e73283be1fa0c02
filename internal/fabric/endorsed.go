package fabric

import (
	"crypto/sha256"
	"fmt"
)

// Endorsed is a view of the action of an endorser transaction. Its slices are parts of the
// transaction.
type Endorsed struct {
	// Header is the action's signature header, with Creator and Nonce.
	Header, Creator, Nonce []byte
	// Proposal is the marshalled ChaincodeProposalPayload without its transient part.
	Proposal []byte
	// Response is the marshalled ProposalResponsePayload. An endorser signs it with its own
	// identity appended.
	Response []byte
	// ProposalHash as the endorsers claim.
	ProposalHash []byte
	// Action is a marshalled ChaincodeAction.
	Action       []byte
	Endorsements []Endorsement
}

const maxEndorsements = 1 << 12

// Endorsement is an endorser's signature; Endorser is a marshalled SerializedIdentity.
type Endorsement struct{ Endorser, Signature []byte }

// ParseEndorsed makes a view of the data of an endorser transaction. It fails with ErrMalformed,
// also unless there is exactly one action, as in Fabric.
func ParseEndorsed(data []byte) (Endorsed, error) {
	var e Endorsed
	var action []byte
	actions := 0
	err := each(data, "b", func(one []byte) error {
		action = one
		actions++
		return nil
	})
	if err != nil {
		return e, fmt.Errorf("transaction: %w", err)
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
	var payload []byte
	if err := pick(action, "bb", &e.Header, &payload); err != nil {
		return err
	}
	if err := pick(e.Header, "bb", &e.Creator, &e.Nonce); err != nil {
		return fmt.Errorf("signature header: %w", err)
	}
	f := fields{rest: payload, kinds: "bb"}
	for f.next() {
		if f.num == 1 {
			e.Proposal = f.bytes
		} else {
			f.err = e.parseEndorsements(f.bytes)
		}
	}
	if f.err != nil {
		return f.err
	}
	if err := pick(e.Response, "bb", &e.ProposalHash, &e.Action); err != nil {
		return fmt.Errorf("proposal response: %w", err)
	}
	return nil
}

// parseEndorsements reads a ChaincodeEndorsedAction.
func (e *Endorsed) parseEndorsements(msg []byte) error {
	f := fields{rest: msg, kinds: "bb"}
	for f.next() {
		if f.num == 1 {
			e.Response = f.bytes
			continue
		}
		if len(e.Endorsements) == maxEndorsements {
			return fmt.Errorf("%w: more than %d endorsements", ErrMalformed, maxEndorsements)
		}
		by := add(&e.Endorsements)
		if err := pick(f.bytes, "bb", &by.Endorser, &by.Signature); err != nil {
			return fmt.Errorf("endorsement: %w", err)
		}
	}
	return f.err
}

// SumProposal computes ProposalHash from the transaction's channel header and the action's
// signature header (protoutil/txutils.go: GetProposalHash2).
func (e *Endorsed) SumProposal(t *Transaction) (sum [HashSize]byte) {
	h := sha256.New()
	h.Write(t.ChannelHeader)
	h.Write(e.Header)
	h.Write(e.Proposal)
	h.Sum(sum[:0])
	return sum
}

// ChaincodeID names a chaincode. Its parts may be empty even if it is Given.
type ChaincodeID struct {
	Given         bool
	Name, Version []byte
}

// ChaincodeAction is a view of the result of a simulation.
type ChaincodeAction struct {
	// Results is a marshalled TxReadWriteSet, Event a ChaincodeEvent.
	Results, Event []byte
	// Chaincode is the one that ran.
	Chaincode ChaincodeID
}

// ParseChaincodeAction makes a view of Endorsed.Action. It fails with ErrMalformed.
func ParseChaincodeAction(action []byte) (ChaincodeAction, error) {
	var a ChaincodeAction
	f := fields{rest: action, kinds: "bbbb"}
	for f.next() {
		switch f.num {
		case 1:
			a.Results = f.bytes
		case 2:
			a.Event = f.bytes
		case 3: // a Response, whose field 2 is text
			f.err = pick(f.bytes, "-s")
		case 4:
			f.err = a.Chaincode.parse(f.bytes)
		}
	}
	if f.err != nil {
		return a, fmt.Errorf("chaincode action: %w", f.err)
	}
	return a, nil
}

// parse reads a ChaincodeID: path, name, version.
func (c *ChaincodeID) parse(id []byte) error {
	c.Given = true
	return pick(id, "sss", nil, &c.Name, &c.Version)
}

// HeaderExtension returns the chaincode that an endorser transaction's channel header says it
// calls.
func (t *Transaction) HeaderExtension() (ChaincodeID, error) {
	var c ChaincodeID
	if err := each(t.Extension, "-b", c.parse); err != nil {
		return c, fmt.Errorf("header extension: %w", err)
	}
	return c, nil
}

// EventChaincode returns the name of the chaincode that a ChaincodeEvent claims to come from.
func EventChaincode(event []byte) (name []byte, err error) {
	if err := pick(event, "sssb", &name); err != nil {
		return nil, fmt.Errorf("chaincode event: %w", err)
	}
	return name, nil
}

// ConfigOf returns the marshalled Config of a configuration transaction's data, or nil.
func ConfigOf(data []byte) ([]byte, error) { return dig(data, 1) }
