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
// What is checked, in the order of Fabric 2.0 and later, with the code that a failure gives:
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
// A peer asks the MSPs of the channel that the header names, and none of a channel that it has
// not joined: hence the code of another channel's transaction. (One that has joined
// both would go on with the other's MSPs.) Fabric has TARGET_CHAIN_NOT_FOUND and NIL_ENVELOPE, and
// gives them to nothing that a block can hold: an empty envelope is one without headers.
// On a channel without the capability V2_0, a peer gives INVALID_OTHER_REASON in
// place of INVALID_CHAINCODE.
//
// Three things are refused that Fabric would read: a known field of another wire type,
// which protobuf skips (unreadable here); more than 4096 endorsements
// (INVALID_ENDORSER_TRANSACTION); a read-write set that would take more than ten times its
// bytes of memory, which none with keys in it does (BAD_RWSET). So the results of a
// block take no more than that, and those of invalid transactions hold no set.
//
// Duplicate ids within a block are the caller's to find as well, and so are MVCC_READ_CONFLICT and
// PHANTOM_READ_CONFLICT.
//
// What is not checked is what needs the channel's state of policies: whether a certificate
// comes from an MSP of the channel and still holds; whether a creator may write; whether
// the endorsers satisfy the chaincode's policy; whether a chaincode is defined.
// [Unknowable] lists the codes that a peer may give for such a reason.
//
// A transaction with any bad endorsement is refused here; Fabric's policy may accept it: a
// peer leaves bad signatures out and asks the policy about the others. [Result].Endorsed
// says that a good endorsement is left, so that whoever knows the peer's verdict can
// take over its VALID.
//
// Keys are ECDSA on any of Go's curves, which sign the SHA-256 of a message, and Ed25519, which
// signs the message. A peer takes Ed25519 on channels with the capability V3_0
// (msp/mspimplsetup.go: setupV3), this package on all. What it cannot verify counts as bad:
// Idemix, and an MSP that was configured to hash with SHA-3.
//
// A configuration transaction of this channel, signed by its creator, is valid if there is a
// Config in it (else INVALID_CONFIG_TRANSACTION); what it changes is not looked at. A peer stops
// at a block with a configuration that it cannot apply. Nothing of block 0 is checked, as
// a peer joins a channel with a genesis block that it is given.
//
// A Validator may be used by several goroutines.
package validate
