package main

import (
	"math"
	"os"
	"runtime/debug"
)

// traceMemory is the memory up to which a command that works on traces lets garbage pile up.
// A trace of a million blocks and what a replay makes of it take 300 MB, as columns that cost
// the collector nothing: without a limit it would let as much garbage lie beside them.
const traceMemory = 400 << 20

// sparing makes the program keep to traceMemory as far as what is in use allows. GOMEMLIMIT
// counts more.
func sparing() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(traceMemory)
	}
}

// unsparing takes that back for a ledger in memory, whose state may be larger: the collector
// would then run without end, and be measured with it. Ledgers on the disk hold no more than
// their caches.
func unsparing() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(math.MaxInt64)
	}
}
