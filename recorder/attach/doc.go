// Package attach adds to a trace what its blocks hold: payloads, sizes, numbers of
// writes, of transactions, and of those that the peer refused. The blocks come
// from files that an operator has, which Expand finds; stock logs and a copied
// ledger directory are a full recording of a run.
//
// The way through it (attach.go: Write):
//
//  1. files.go: every file's first block tells its channel, where it begins, and
//     whether its blocks carry validation flags; files are put in order by that. Where
//     several tell of one block, the first counts: payloads that the trace has
//     already, then a peer's copy, then an orderer's, which has no flags.
//  2. The times of the trace are written first: a copy that is cut short keeps them.
//  3. channel.go: each block is compared with its neighbours, with other copies of
//     itself (chain.go) and with what the trace says of it: the number of its
//     transactions and, of a peer's copy, the commit hash that the peer's log has told.
//     Its payload goes to the Writer and its figures into the columns. Blocks before the trace's first one
//     (earlier.go) have a payload and no figures; those after its last one are
//     checked and counted, and go nowhere.
//  4. The columns of facts and the notes are written last.
//
// A block at a time is in memory, beside the trace's columns and 24 bytes for each of
// the trace's blocks. What contradicts the trace or the chain is a *BlockError.
//
// Of internal/fabric this room uses blockfile and the view of a block; of traces the
// Writer. A call belongs to one goroutine.
package attach
