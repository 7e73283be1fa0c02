// Package fabric reads Hyperledger Fabric's blocks without decoding them, and holds
// the rules that tie them together. The rooms below it speak Fabric's wire.
//
// The way of a block's bytes:
//
//  1. [ParseBlock] finds the header, the transactions and the metadata in a marshalled
//     common.Block and checks that the bytes are well formed. It copies nothing: a
//     [Block] is a view of its Raw bytes, which must not be changed while it is used.
//  2. [Chain.Next] checks that the block continues its channel's chain: number,
//     previous hash, data hash. A hole or a fork is an error with the block's number.
//  3. [Block.Envelopes], [ParseTransaction], [Block.Writes] and [Filter] go deeper, into
//     the transactions; [Block.Flags] gives the peer's verdict on each of them. Whoever
//     needs every field uses the generated messages in proto/.
//
// Bytes are hostile until the hashes are checked: nothing here panics on them, and
// nothing takes memory that the bytes do not account for.
//
// The rooms:
//
//	proto/     Fabric's messages: .proto files and the Go generated from them (make proto)
//	identity/  who signs: MSP directories, signatures, verification
//	deliver/   the Deliver services, client and server
//	pki/       certificate authorities, identities and TLS certificates made at start
//	mint/      blocks made up to a shape: transactions, writes, bytes
//	interop/   proof against Fabric's own clients and decoders (make interop)
//
// Package fabric imports proto/ alone; identity imports fabric not at all; deliver and
// mint stand on both. Everything is safe for use by one goroutine at a time, except
// where a doc says otherwise; a Block that nobody changes may be read by any number.
package fabric
