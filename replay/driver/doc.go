// Package driver drives pipeline.Machine: Virtual in simulated time, as fast as the
// processor goes, and Wall in real time, into a real ledger if one is given.
//
// Both do the same thing at the same instants of the trace's time. What happens next
// is decided in one place (run.next): at one instant the committer's completions come
// first, then the machine's own timers, then blocks that are offered, then the
// hand-over of a block to the machine's sender. Virtual goes there at once; Wall
// waits until then, by deadlines counted from the start of the run and never by sums
// of sleeps. So a wall run without a ledger, which waits out the services that the
// Source names, gives exactly the events of the virtual run.
//
//	Source ──► orderer's ledger ──► pipeline.Machine ──► committer ──► Ledger, or a wait
//	                   │                   │                 │
//	                   └───────────────────┴─────────────────┴──► Observer
//
// Streams share nothing: each has its own machine, committer and, in a wall run, its
// own goroutine. What the orderer has offered and the committer has not popped is
// kept here, since that is the orderer's ledger; the memory is a hundred bytes a block.
//
// Neighbours: package replay makes Sources of traces, replay/network of arrival
// profiles; package recorder is the Observer; replay/ledger has Ledgers.
package driver
