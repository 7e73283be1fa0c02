// Package blockfiles is an append-only store of blocks in the files that a Fabric peer
// keeps its ledger in: blockfile_000000 and so on, of at most 64 MB, each block a record of
// Fabric's blkstorage (internal/fabric/blockfile defines the layout and reads such files).
// An index of where the blocks are is kept elsewhere.
//
//  1. store.go: Append writes a record, calls fsync, and returns its Location; Read reads
//     the block there.
//  2. recover.go: Open brings the files to the end of a record and tells of the blocks that
//     the index has not seen, as blkstorage does from the checkpoint in its index.
//  3. record.go: what a record holds besides the block.
//
// The order of writing is the caller's promise: first Append, then the index. So a crash
// leaves blocks that the index does not know, never the opposite, and behind them perhaps a
// part of a record. Open hands out the former and cuts off the latter.
//
// The record of a block has one entry of metadata more than the block: a checksum and a
// note, a few bytes of the caller's about the block. Fabric's metadata is a list
// of which readers know the first entries, so its tools read these files as their own; blocks
// that blockfile.Reader gives have the entry, those of Read do not.
//
// A Store is used from one goroutine at a time, and its directory by one Store.
package blockfiles
