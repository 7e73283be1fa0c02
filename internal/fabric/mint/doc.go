// Package mint makes blocks up: valid Fabric blocks of a channel, chained and signed, of
// a given number of transactions, writes and bytes.
//
//  1. [New] makes a [Builder] for a channel from the identities that sign.
//  2. [Builder.Genesis] gives block 0, a configuration block that names the organizations
//     (and is no full channel configuration: it holds no policies).
//  3. [Builder.Next] gives the next block of a [Shape].
//
// Everything that a reader of Fabric's blocks can check holds: hashes, transaction ids,
// the creator's signature over each payload, an endorsement by every endorser, the
// orderer's signature over the block, read and write sets.
//
// Signing is what a transaction costs (tens of µs a signature), so transactions are signed
// once and used again: Config.Pool of them for every size and number of writes. A
// transaction's id then comes back in later blocks, which a real peer would call
// DUPLICATE_TXID; Config.Fresh signs each anew. Blocks are always signed anew.
//
// A transaction reads one key that nothing writes, so that no replay of a transaction
// is an MVCC conflict.
package mint
