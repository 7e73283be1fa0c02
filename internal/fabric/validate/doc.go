// Package validate judges the transactions of a block as a Fabric peer does before it
// looks at the state: the stage that Fabric logs as "Validated block".
//
//  1. [New] makes a [Validator]: a pool of workers and the certificates that were seen.
//  2. [Validator.Block] gives a [Result] for each transaction: a validation code
//     (core/common/validation, core/committer/txvalidator), and what of the transaction a
//     committer needs. A bad transaction is an invalid transaction, not a bad block.
//  3. [Read] gives the same without checking signatures, for blocks that were validated
//     before.
//
// What is checked, in Fabric's order, with the code that a failure gives:
//
//	the envelope and its payload can be read                  NIL_ENVELOPE, BAD_PAYLOAD
//	channel and signature header are complete                 BAD_COMMON_HEADER
//	the creator's certificate and signature over the payload  BAD_CREATOR_SIGNATURE
//	the id is the SHA-256 of nonce and creator                BAD_PROPOSAL_TXID
//	one action, readable, with the hash of its proposal       INVALID_ENDORSER_TRANSACTION
//	the channel is this one                                   TARGET_CHAIN_NOT_FOUND
//	the chaincode is named, and the same everywhere           BAD_HEADER_EXTENSION, INVALID_CHAINCODE
//	the read-write set can be read, no namespace is twice     BAD_RWSET, ILLEGAL_WRITESET
//	there are endorsements, and every signature is good       ENDORSEMENT_POLICY_FAILURE
//
// Whether an id came before is the ledger's to say (DUPLICATE_TXID), and so are
// MVCC_READ_CONFLICT and PHANTOM_READ_CONFLICT.
//
// What is not checked is what needs the channel's state of policies: whether a certificate
// comes from an MSP of the channel and still holds; whether a creator may write; whether
// the endorsers satisfy the chaincode's policy; whether a chaincode is defined.
// [Unknowable] lists the codes that a peer may give for such a reason.
//
// A transaction with any bad endorsement is refused here; Fabric's policy may accept it: a
// peer leaves bad signatures out and asks the policy about the others. A key or an identity
// that this package cannot verify (ed25519, idemix) counts as bad as well. [Result].Endorsed
// says that a good endorsement is left, so that whoever knows the peer's verdict can
// take over its VALID.
//
// A configuration transaction takes its own path: readable, and signed by its creator; what it
// changes is not looked at. Nothing of block 0 is checked, as a peer joins a channel
// with a genesis block that it is given.
//
// A Validator may be used by several goroutines.
package validate
