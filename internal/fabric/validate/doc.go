// Package validate judges the transactions of a block as a Fabric peer does before it looks at the
// state: the stage that Fabric logs as "Validated block".
//
//  1. [New] makes a [Validator]: a pool of workers and the certificates that were seen.
//  2. [Validator.Block] returns a [Result] for each transaction: a validation code
//     (core/common/validation, core/committer/txvalidator) and what a committer needs.
//  3. [Read] does the same without checking signatures, for blocks that were validated before.
//
// The checks, in the order of Fabric 2.0 and later, with the code of a failure:
//
//	the envelope can be read                                       INVALID_OTHER_REASON
//	its payload can be read                                        BAD_PAYLOAD
//	so can both headers: a known type, epoch 0, creator and nonce  BAD_COMMON_HEADER
//	the channel is this one, and the creator's signature is good   BAD_CREATOR_SIGNATURE
//	the type is not CONFIG_UPDATE                                  UNSUPPORTED_TX_PAYLOAD
//	the id is the SHA-256 of nonce and creator                     BAD_PROPOSAL_TXID
//	one action, readable, with the hash of its proposal            INVALID_ENDORSER_TRANSACTION
//	the id is not in the ledger (the caller's to check)            DUPLICATE_TXID
//	the channel header's extension can be read                     BAD_HEADER_EXTENSION
//	the chaincode action is there and can be read                  BAD_RESPONSE_PAYLOAD
//	so can the read-write set                                      BAD_RWSET
//	extension and action name a chaincode                          INVALID_OTHER_REASON
//	the same one, and the action its version                       INVALID_CHAINCODE
//	an event, if there is one, is that chaincode's                 INVALID_OTHER_REASON
//	no namespace is twice in the set                               ILLEGAL_WRITESET
//	there are endorsements, and every signature is good            ENDORSEMENT_POLICY_FAILURE
//
// The caller finds duplicate ids within the block and conflicts of reads. Whatever needs the
// channel's policies is not checked: whether certificates belong to an MSP of the channel, whether
// endorsers satisfy the chaincode's policy. [Unknowable] lists the codes that a peer may give for
// such a reason. Without the capability V2_0 a peer gives INVALID_OTHER_REASON in place of
// INVALID_CHAINCODE.
//
// A transaction with any bad endorsement is refused here. A peer ignores bad endorsements and asks
// the policy about the others: [Result].Endorsed reports that a good one is left.
//
// Refused here, but not by Fabric: a known field of another wire type, more than 4096 endorsements,
// and a read-write set that would take more than ten times its bytes of memory. Keys are ECDSA or
// Ed25519, which a peer accepts with the capability V3_0. Idemix and SHA-3 count as bad. A
// configuration transaction is valid if it has a Config and a good signature. Block 0 is not
// checked.
//
// A Validator may be used by several goroutines.
package validate
