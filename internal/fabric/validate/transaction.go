package validate

import (
	"bytes"
	"slices"

	"github.com/blockreel/blockreel/internal/fabric"
	commonpb "github.com/blockreel/blockreel/internal/fabric/proto/common"
	peerpb "github.com/blockreel/blockreel/internal/fabric/proto/peer"
)

// Code is Fabric's verdict on a transaction.
type Code = peerpb.TxValidationCode

// Result is a transaction, read and judged. What it holds are parts of the block.
type Result struct {
	Code Code
	Type commonpb.HeaderType
	// TxID as the header claims. Configuration transactions may have none.
	TxID string
	// Endorsed: at least one endorsement's signature is good. Where the Code is
	// ENDORSEMENT_POLICY_FAILURE, another one is not, or cannot be verified here, and Fabric's
	// policy may be content with the good ones.
	Endorsed bool
	// Set is what an endorser transaction has read and wrote.
	Set fabric.ReadWriteSet
	// Config is what a configuration transaction makes the channel's: a marshalled Config.
	Config []byte
}

// Unknowable reports whether a peer may give this code for a reason that this package
// does not look at.
func Unknowable(c Code) bool {
	switch c {
	case peerpb.TxValidationCode_BAD_CREATOR_SIGNATURE, // the certificate is of no MSP, or has expired
		peerpb.TxValidationCode_ENDORSEMENT_POLICY_FAILURE,
		peerpb.TxValidationCode_EXPIRED_CHAINCODE,
		peerpb.TxValidationCode_CHAINCODE_VERSION_CONFLICT,
		peerpb.TxValidationCode_INVALID_CHAINCODE,
		peerpb.TxValidationCode_ILLEGAL_WRITESET,
		peerpb.TxValidationCode_INVALID_WRITESET,
		peerpb.TxValidationCode_INVALID_CONFIG_TRANSACTION,
		peerpb.TxValidationCode_INVALID_OTHER_REASON:
		return true
	}
	return false
}

// Read appends a result for each of the block's transactions, as they are when all
// signatures are good and all chains are this one.
func Read(b *fabric.Block, dst []Result) []Result {
	for _, e := range b.Envelopes() {
		if b.Number == 0 {
			dst = append(dst, genesis(e))
			continue
		}
		var r reading
		r.read(e, "")
		r.Endorsed = len(r.endorsed.Endorsements) > 0
		dst = append(dst, r.Result)
	}
	return dst
}

// genesis reads a transaction of block 0, which is valid.
func genesis(envelope []byte) Result {
	r := Result{Code: peerpb.TxValidationCode_VALID}
	t, err := fabric.ParseTransaction(envelope)
	if err != nil {
		return r
	}
	r.Type, r.TxID = t.Type, t.TxID
	if r.Type == commonpb.HeaderType_CONFIG {
		r.Config, _ = fabric.ConfigOf(t.Data)
	}
	return r
}

// reading is a transaction on its way to a Result. Code may be changed by a check that
// Fabric makes earlier than the one that set it.
type reading struct {
	Result
	fabric.Transaction
	endorsed fabric.Endorsed
	// signed: there is a creator to ask. Before a signature is checked no other code counts
	// but those of an envelope that has none.
	signed bool
}

func (r *reading) read(envelope []byte, channel string) {
	r.Code = peerpb.TxValidationCode_VALID
	if len(envelope) == 0 {
		r.Code = peerpb.TxValidationCode_NIL_ENVELOPE
		return
	}
	var err error
	if r.Transaction, err = fabric.ParseTransaction(envelope); err != nil {
		r.Code = peerpb.TxValidationCode_BAD_PAYLOAD
		return
	}
	r.Result.Type, r.Result.TxID = r.Transaction.Type, r.Transaction.TxID
	if r.ChannelID == "" || len(r.Creator) == 0 || len(r.Nonce) == 0 || !hasProcessor(r.Result.Type) {
		r.Code = peerpb.TxValidationCode_BAD_COMMON_HEADER
		return
	}
	r.signed = true
	switch r.Result.Type {
	case commonpb.HeaderType_ENDORSER_TRANSACTION:
		r.Code = r.readEndorsed(channel)
	case commonpb.HeaderType_CONFIG:
		if r.Config, err = fabric.ConfigOf(r.Data); err != nil || len(r.Config) == 0 {
			r.Code = peerpb.TxValidationCode_INVALID_CONFIG_TRANSACTION
		}
	default:
		r.Code = peerpb.TxValidationCode_UNSUPPORTED_TX_PAYLOAD
	}
}

// hasProcessor: the types that Fabric's validateChannelHeader lets pass.
func hasProcessor(t commonpb.HeaderType) bool {
	return t == commonpb.HeaderType_ENDORSER_TRANSACTION || t == commonpb.HeaderType_CONFIG ||
		t == commonpb.HeaderType_CONFIG_UPDATE
}

func (r *reading) readEndorsed(channel string) Code {
	if r.Result.TxID != fabric.ComputeTxID(r.Nonce, r.Creator) {
		return peerpb.TxValidationCode_BAD_PROPOSAL_TXID
	}
	var err error
	if r.endorsed, err = fabric.ParseEndorsed(r.Data); err != nil {
		return peerpb.TxValidationCode_INVALID_ENDORSER_TRANSACTION
	}
	e := &r.endorsed
	sum, err := e.SumProposal(&r.Transaction)
	if err != nil || len(e.Creator) == 0 || len(e.Nonce) == 0 || !bytes.Equal(sum[:], e.ProposalHash) {
		return peerpb.TxValidationCode_INVALID_ENDORSER_TRANSACTION
	}
	if channel != "" && r.ChannelID != channel {
		return peerpb.TxValidationCode_TARGET_CHAIN_NOT_FOUND
	}
	called, err := r.HeaderExtension()
	if err != nil {
		return peerpb.TxValidationCode_BAD_HEADER_EXTENSION
	}
	if len(called) == 0 || !bytes.Equal(called, e.Chaincode) {
		return peerpb.TxValidationCode_INVALID_CHAINCODE
	}
	if r.Set, err = fabric.ParseReadWriteSet(e.Results); err != nil {
		return peerpb.TxValidationCode_BAD_RWSET
	}
	for i, n := range r.Set.Namespaces {
		same := func(other fabric.NamespaceSet) bool { return bytes.Equal(other.Namespace, n.Namespace) }
		if slices.ContainsFunc(r.Set.Namespaces[:i], same) {
			return peerpb.TxValidationCode_ILLEGAL_WRITESET
		}
	}
	if len(e.Endorsements) == 0 {
		return peerpb.TxValidationCode_ENDORSEMENT_POLICY_FAILURE
	}
	return peerpb.TxValidationCode_VALID
}
