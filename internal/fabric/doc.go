// Package fabric reads Hyperledger Fabric's blocks without decoding them. The packages below it
// speak Fabric's wire.
//
//  1. [ParseBlock] finds header, transactions and metadata in a marshalled common.Block and
//     checks that they are well formed. A [Block] is a view of its Raw bytes.
//  2. [Chain.Next] checks that a block continues its chain: number, previous hash, data hash.
//  3. [Block.Envelopes], [ParseTransaction], [Block.Writes] and [Filter] read the transactions;
//     [Block.Flags] are the peer's verdicts. The messages in proto/ have all fields.
//
// Bytes are hostile until their hashes are checked: nothing here panics on them, or takes memory
// that they do not account for. A Block may be read by any number of goroutines.
package fabric
