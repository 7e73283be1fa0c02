// Package traces holds recorded block streams: the trace file and its form in memory.
package traces
