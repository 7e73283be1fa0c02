// Package blockfile reads blocks of Hyperledger Fabric from files that an operator already has.
//
//  1. reader.go: a Reader undoes gzip or zstd, finds out the layout (layout.go), and returns
//     block by block as a fabric.Block.
//  2. record.go converts a record of a ledger file into a marshalled block; append.go back.
//
// The layouts are
//
//   - a ledger file of a peer or an orderer, blockfile_NNNNNN: records of a uvarint length
//     and a block as Fabric's common/ledger/blkstorage serializes it;
//   - a dump: uvarint length and marshalled common.Block, again and again;
//   - one marshalled common.Block, as "peer channel fetch" writes it.
//
// The first two may end within a record, if the file was copied while it grew: see Partial.
//
// No input makes a Reader panic, and it holds one block of at most MaxBlockBytes. It does not check
// the chain.
package blockfile
