package main

import (
	"os"
	"runtime/debug"
)

// sparingPercent is how much garbage may lie beside the memory in use, in percent of it,
// while a command works on traces. These are packed bytes without pointers, which cost the
// collector next to nothing to look at: it may run often.
const sparingPercent = 25

// sparing keeps the garbage of commands that work on traces small. GOGC and GOMEMLIMIT
// count more.
func sparing() {
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetGCPercent(sparingPercent)
	}
}

// unsparing takes that back for a ledger in memory, whose state is full of pointers: the
// collector would take a large share of the time, and be measured with it.
func unsparing() {
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetGCPercent(100)
	}
}
