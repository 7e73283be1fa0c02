// Package driver drives pipeline.Machine: Virtual in simulated time, as fast as the
// processor goes, Wall in real time, into a real ledger if one is given, and Live at the
// end of a real stream of blocks.
//
// Virtual and Wall do the same thing at the same instants of the trace's time. What
// happens next is decided in one place (run.next): at one instant the committer's
// completions come first, then the machine's own timers, then blocks that are offered, then the
// hand-over of a block to the machine's sender. Virtual goes there at once; Wall
// waits until then, by deadlines counted from the start of the run and never by sums
// of sleeps. So a wall run without a ledger, which waits out the services that the
// Source names, gives exactly the events of the virtual run.
//
//	Source ──► orderer's ledger ──► pipeline.Machine ──► committer ──► Ledger, or a wait
//	                   │                   │                 │
//	                   └───────────────────┴─────────────────┴──► Observer
//
// Live has no Source and no orderer: a Receiver reads a connection, only when the machine's
// receiver has room, so that a shut door stops the reading, and the connection's flow
// control stops the sender. Wall tells the instants at which things are due; Live tells
// those at which they happen, since nothing else can be true of a real stream. Real in a Wall run
// is the work of its Ledger alone, in which the way of a block to the Ledger counts: the
// Result says how long that took.
//
//	Receiver ──► pipeline.Machine ──► committer ──► Ledger
//	                   └──────────────────┴──► Observer
//
// Streams share nothing: each has its own machine, committer and, in a wall or live run,
// its own goroutine. Of the blocks that are sent and not popped a run keeps the places in
// the Source, and the machine those that are under way: 32 bytes a block. Live keeps what
// the peer has: the blocks from the receiver's hand to the committer.
//
// Neighbours: package replay makes Sources of traces; replay/network has Receivers that
// read gRPC; package recorder is the Observer; replay/ledger has Ledgers.
package driver
