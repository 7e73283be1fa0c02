// Package mint makes valid Fabric blocks of a channel, chained and signed, with a given number of
// transactions, writes and bytes.
//
//  1. [New] makes a [Builder] for a channel from the identities that sign.
//  2. [Builder.Genesis] makes block 0, a configuration without policies.
//  3. [Builder.Next] makes the next block of a [Shape].
//
// Hashes, transaction ids, signatures and endorsements are good. A signature takes tens of µs, so
// transactions are signed once for each shape and used again, which a real peer would call
// DUPLICATE_TXID; Config.Fresh signs each anew. A transaction reads a key that nothing writes, so
// it never conflicts.
package mint
