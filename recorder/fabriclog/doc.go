// Package fabriclog reads the stock logs of Hyperledger Fabric orderers and peers
// and makes a trace of them: when was each block offered by the orderer, popped
// by the peer's committer, validated, committed.
//
// The way of a log through the package:
//
//  1. [Read] opens every [Source] (source.go), undoes gzip and zstd, sniffs the
//     first lines, and groups rotated files by node, oldest first.
//  2. scanner (scan.go) cuts the text into lines, in bounded memory.
//  3. match (message.go) finds the messages that tell about a block, whatever
//     stands around them: the layout of a line is not parsed, its parts are found.
//     stamps (stamp.go, epoch.go) finds and reads Fabric's own timestamp.
//  4. reader (reader.go) hands each sighting to the service (orderer.go) or to the
//     peer (peer.go) that it is about; banner (banner.go) collects a node's version
//     and configuration.
//  5. table (blocks.go) keeps what was seen of a channel at a node, sparse, so that
//     a wild block number costs one page.
//  6. assemble (assemble.go) joins an orderer's and a peer's table into one
//     stream, with clock skew (skew.go) and Sent times (sent.go), and writes
//     down (notes.go) whatever a reader of the figures must know.
//
// # What is taken when a block is told of twice
//
// The earliest line counts for the orderer (Writing, Wrote, Created) and for the
// peer's commit: in a Raft cluster a block exists from the first orderer on, and
// a ledger commits a block once. At the door and enqueued keep the first line of
// the peer's present life; a restart empties the buffer, so what was admitted and
// not committed before it is forgotten. Dequeued and validated keep the last
// line that is not later than the commit: that is the one that led to it.
//
// # What is offered
//
// A block is offered at the orderer's "Writing block" line (INFO); where it is
// missing "Wrote block" (DEBUG) stands in, and then "Created block", with a note.
//
// Several Reads may run at once; everything behind Read belongs to one of them.
package fabriclog
