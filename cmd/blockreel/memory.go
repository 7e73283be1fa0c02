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

// measuring takes that back for the run of a real ledger: how its memory is managed is a
// part of what is measured.
func measuring() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(math.MaxInt64)
	}
}
