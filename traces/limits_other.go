//go:build !linux

package traces

// MaxCells bounds the memory of a trace that is read as a whole: blocks × columns, summed over
// its streams, and two a sample; 2^28 are 2 GiB.
const MaxCells = 1 << 28
