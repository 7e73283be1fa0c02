// Package blockfile reads blocks of Hyperledger Fabric from files that an operator
// already has. The way through it:
//
//  1. source.go: a Source is a file; Expand finds those that a path names.
//  2. reader.go: a Reader undoes gzip or zstd, tells the layout by the file's first
//     bytes (layout.go), and gives back block by block as a fabric.Block.
//  3. ledger.go: a record of a ledger file becomes the marshalled block; append.go goes
//     the other way, for those who write such files.
//
// The layouts are
//
//   - a peer's or orderer's ledger file, blockfile_NNNNNN: records of a uvarint length
//     and a block as Fabric's common/ledger/blkstorage serializes it;
//   - a dump: uvarint length and marshalled common.Block, again and again;
//   - one marshalled common.Block, as "peer channel fetch" writes it.
//
// The first two may end within a record, as a file does that was copied while it grew:
// Partial tells of that, and it is no error.
//
// No input makes a Reader panic, and it holds one block at a time: a length is
// held against MaxBlockBytes, and memory is taken as bytes arrive. A Reader belongs to
// one goroutine at a time. The package knows nothing of traces, and it does not check
// the chain: a block comes as it stands in the file.
package blockfile
