package validate

import (
	"github.com/blockreel/blockreel/internal/fabric"
	commonpb "github.com/blockreel/blockreel/internal/fabric/proto/common"
	peerpb "github.com/blockreel/blockreel/internal/fabric/proto/peer"
)

// Code is Fabric's verdict on a transaction.
type Code = peerpb.TxValidationCode

// Result is the verdict on a transaction. Its slices are parts of the block.
type Result struct {
	Code Code
	// Type and TxID as the header claims, if it can be read.
	Type commonpb.HeaderType
	TxID string
	// Endorsed: at least one endorsement is good. If the Code is ENDORSEMENT_POLICY_FAILURE,
	// another one is not, and Fabric's policy may accept the transaction.
	Endorsed bool
	// Set is set if the Code is VALID, or the transaction Endorsed.
	Set fabric.ReadWriteSet
	// Config is the marshalled Config of a valid configuration transaction.
	Config []byte
}

// Unknowable reports whether a peer may give this code for a reason that this package does not
// check.
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

// Read appends a result for each transaction, without checking signatures and channel.
func Read(b *fabric.Block, dst []Result) []Result {
	var c checks
	for _, e := range b.Envelopes() {
		if b.Number == 0 {
			dst = append(dst, genesis(e))
		} else {
			dst = append(dst, c.judge(e))
		}
	}
	return dst
}

// genesis reads a transaction of block 0, which is valid.
func genesis(envelope []byte) Result {
	r := Result{Code: valid}
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
