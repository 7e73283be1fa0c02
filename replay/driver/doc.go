// Package driver drives pipeline.Machine in real time: Wall with the blocks of a Source, into a
// real ledger if one is given, and Live at the end of a real stream of blocks. Runs in simulated
// time need no driver: pipeline.Solver computes them.
//
// What happens next in a Wall run is decided in one place (run.next): at one instant the
// committer's completions come first, then the machine's own timers, then the block that the
// orderer's sender takes. Wall waits until then, by deadlines counted from the start of the run
// and never by sums of sleeps. So a run without a ledger, which waits out Services, gives exactly
// the instants of the Solver.
//
//	Source ──► pipeline.Machine ──► committer ──► Prepare, Ledger, or a wait
//	                   │                 │
//	                   └─────────────────┴──► Observer
//
// The Source is asked for a block when the orderer's sender is free for it, and the driver keeps
// that one and the committer's: the orderer's backlog stays with the Source, and of the blocks on
// their way the machine has the numbers.
//
// Live has no Source and no orderer: a Receiver reads a connection, only when the machine's
// receiver has room, so that a shut door stops the reading, and the connection's flow
// control stops the sender. Wall reports the instants at which things are due; Live reports
// those at which they happen, since nothing else can be true of a real stream. Real in a Wall run
// is the work of its Ledger alone, in which the way of a block to the Ledger counts: the clock
// stands still for it, and the Result says how long that took.
//
//	Receiver ──► pipeline.Machine ──► committer ──► Ledger
//	                   └──────────────────┴──► Observer
//
// Streams share nothing: each has its own machine, committer and its own goroutine. Live keeps
// what the peer has: the blocks from the receiver's hand to the committer.
//
// Neighbours: package replay makes Sources of traces; replay/network has Receivers that
// read gRPC; package recorder is the Observer; replay/ledger has Ledgers.
package driver
