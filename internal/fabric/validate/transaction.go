package validate

import (
	"bytes"

	"github.com/blockreel/blockreel/internal/fabric"
	"github.com/blockreel/blockreel/internal/fabric/identity"
	commonpb "github.com/blockreel/blockreel/internal/fabric/proto/common"
	peerpb "github.com/blockreel/blockreel/internal/fabric/proto/peer"
)

// reading is a transaction that is being read. Its methods return the code of the first failed
// check, or VALID.
type reading struct {
	result   Result
	envelope fabric.Transaction
	endorsed fabric.Endorsed
}

const valid = peerpb.TxValidationCode_VALID

func (c *checks) judge(envelope []byte) Result {
	r, claims := c.read(envelope)
	r.verify(claims)
	return r
}

// read makes all checks but those of signatures, and returns the signatures for verify: the
// creator's, then those of endorsers. It leaves out those that do not matter.
func (c *checks) read(envelope []byte) (Result, []identity.Claim) {
	var r reading
	r.result.Code = r.readHeaders(envelope)
	t := &r.envelope
	if r.result.Code == valid && !c.accepts(t.ChannelID) {
		r.result.Code = peerpb.TxValidationCode_BAD_CREATOR_SIGNATURE
	}
	if r.result.Code != valid {
		return r.result, nil
	}
	r.result.Code = r.readBody()
	var endorsements []fabric.Endorsement
	if r.result.Code == valid && r.result.Type == commonpb.HeaderType_ENDORSER_TRANSACTION {
		if endorsements = r.endorsed.Endorsements; len(endorsements) == 0 {
			r.result.Code = peerpb.TxValidationCode_ENDORSEMENT_POLICY_FAILURE
		}
	}
	if c.known == nil {
		r.result.Endorsed = len(endorsements) > 0
		return r.result, nil
	}
	claims := make([]identity.Claim, 0, 1+len(endorsements))
	claims = append(claims, c.known.claim(t.Creator, t.Signature, t.Payload))
	for _, e := range endorsements {
		claims = append(claims, c.known.claim(e.Endorser, e.Signature, r.endorsed.Response, e.Endorser))
	}
	return r.result, claims
}

// verify completes the verdict. As in Fabric, a bad signature of the creator precedes what is wrong
// in the body, and all endorsements are verified.
func (r *Result) verify(claims []identity.Claim) {
	if len(claims) > 0 && claims[0].Verify() != nil {
		r.Code, claims = peerpb.TxValidationCode_BAD_CREATOR_SIGNATURE, nil
	}
	for i := 1; i < len(claims); i++ {
		if claims[i].Verify() == nil {
			r.Endorsed = true
		} else {
			r.Code = peerpb.TxValidationCode_ENDORSEMENT_POLICY_FAILURE
		}
	}
	if r.Code != valid && !r.Endorsed {
		// It may be ten times as large as the transaction.
		r.Set, r.Config = fabric.ReadWriteSet{}, nil
	}
}

// accepts: a peer has no MSPs of a channel that it has not joined.
func (c *checks) accepts(channel string) bool {
	return channel != "" && (c.channel == "" || channel == c.channel)
}

// readHeaders reads the headers (core/common/validation/msgvalidation.go: ValidateTransaction,
// validateCommonHeader).
func (r *reading) readHeaders(envelope []byte) Code {
	t := &r.envelope
	var err error
	if *t, err = fabric.ParseEnvelope(envelope); err != nil {
		return peerpb.TxValidationCode_INVALID_OTHER_REASON
	}
	if t.ParsePayload() != nil {
		return peerpb.TxValidationCode_BAD_PAYLOAD
	}
	err = t.ParseHeaders()
	r.result.Type, r.result.TxID = t.Type, t.TxID
	if err != nil || !hasProcessor(t.Type) || t.Epoch != 0 || len(t.Creator) == 0 || len(t.Nonce) == 0 {
		return peerpb.TxValidationCode_BAD_COMMON_HEADER
	}
	return valid
}

// hasProcessor: the types that Fabric's validateChannelHeader lets pass.
func hasProcessor(t commonpb.HeaderType) bool {
	return t == commonpb.HeaderType_ENDORSER_TRANSACTION || t == commonpb.HeaderType_CONFIG ||
		t == commonpb.HeaderType_CONFIG_UPDATE
}

func (r *reading) readBody() Code {
	var err error
	switch r.result.Type {
	case commonpb.HeaderType_ENDORSER_TRANSACTION:
		if code := r.readEndorsed(); code != valid {
			return code
		}
		return r.readAction()
	case commonpb.HeaderType_CONFIG:
		if r.result.Config, err = fabric.ConfigOf(r.envelope.Data); err != nil || len(r.result.Config) == 0 {
			return peerpb.TxValidationCode_INVALID_CONFIG_TRANSACTION
		}
		return valid
	default:
		return peerpb.TxValidationCode_UNSUPPORTED_TX_PAYLOAD
	}
}

// readEndorsed is Fabric's validateEndorserTransaction, and CheckTxID before it.
func (r *reading) readEndorsed() Code {
	t, e := &r.envelope, &r.endorsed
	if !fabric.IsTxID(t.TxID, t.Nonce, t.Creator) {
		return peerpb.TxValidationCode_BAD_PROPOSAL_TXID
	}
	var err error
	if *e, err = fabric.ParseEndorsed(t.Data); err != nil || len(e.Creator) == 0 || len(e.Nonce) == 0 || len(e.Proposal) == 0 {
		return peerpb.TxValidationCode_INVALID_ENDORSER_TRANSACTION
	}
	if sum := e.SumProposal(t); !bytes.Equal(sum[:], e.ProposalHash) {
		return peerpb.TxValidationCode_INVALID_ENDORSER_TRANSACTION
	}
	return valid
}

// readAction is what Fabric checks before it asks for policies
// (core/committer/txvalidator/v20/plugindispatcher/dispatcher.go: Dispatch).
func (r *reading) readAction() Code {
	called, err := r.envelope.HeaderExtension()
	if err != nil {
		return peerpb.TxValidationCode_BAD_HEADER_EXTENSION
	}
	if len(r.endorsed.Action) == 0 {
		return peerpb.TxValidationCode_BAD_RESPONSE_PAYLOAD
	}
	action, err := fabric.ParseChaincodeAction(r.endorsed.Action)
	if err != nil {
		return peerpb.TxValidationCode_BAD_RESPONSE_PAYLOAD
	}
	if r.result.Set, err = fabric.ParseReadWriteSet(action.Results); err != nil {
		return peerpb.TxValidationCode_BAD_RWSET
	}
	ran := &action.Chaincode
	if !called.Given || !ran.Given {
		return peerpb.TxValidationCode_INVALID_OTHER_REASON
	}
	if len(called.Name) == 0 || !bytes.Equal(called.Name, ran.Name) || len(ran.Version) == 0 {
		return peerpb.TxValidationCode_INVALID_CHAINCODE
	}
	if len(action.Event) > 0 {
		if from, err := fabric.EventChaincode(action.Event); err != nil || !bytes.Equal(from, called.Name) {
			return peerpb.TxValidationCode_INVALID_OTHER_REASON
		}
	}
	if twice(r.result.Set.Namespaces) {
		return peerpb.TxValidationCode_ILLEGAL_WRITESET
	}
	return valid
}

// twice reports whether a namespace is there twice.
func twice(sets []fabric.NamespaceSet) bool {
	const few = 8 // of which comparing each with each is cheaper than a map
	if len(sets) <= few {
		for i := range sets {
			for k := range i {
				if bytes.Equal(sets[i].Namespace, sets[k].Namespace) {
					return true
				}
			}
		}
		return false
	}
	seen := make(map[string]bool, len(sets))
	for i := range sets {
		seen[string(sets[i].Namespace)] = true
	}
	return len(seen) < len(sets)
}
