//go:build longcolumns

package offheap

// long makes nearly every column a long one, for tests: what is used after it was freed ends the
// process.
const long = 256
