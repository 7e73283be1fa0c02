package main

import (
	"math"
	"os"
	"runtime/debug"
)

// traceMemory is the memory up to which a command that works on traces lets garbage pile up. A
// replay of any trace has less than 100 MB in use on the heap, a ledger on the disk with it up to
// 200: without a limit the collector would let as much garbage lie beside them.
const traceMemory = 300 << 20

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
