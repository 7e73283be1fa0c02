// Package blockfiles stores blocks in the files of a Fabric peer's ledger: blockfile_000000 and so
// on, of at most 64 MB, each block a record of Fabric's blkstorage (internal/fabric/blockfile). The
// index of where the blocks are is elsewhere.
//
//  1. store.go: Append writes a record, calls fsync, and returns its Location; Read reads
//     the block there.
//  2. recover.go: Open finds the blocks that the index lacks and cuts off a part of a record
//     that a crash left, as blkstorage does.
//  3. record.go: what a record has besides the block.
//
// The caller appends a block first and indexes it then, so a crash leaves blocks that the index
// lacks, never the opposite.
//
// A record has one entry of metadata more than its block: a checksum and a note of the caller.
// Fabric's tools, which know the first entries, can read the files.
//
// A Store is used by one goroutine at a time, and its directory by one Store.
package blockfiles
