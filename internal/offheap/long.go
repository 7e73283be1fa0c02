//go:build !longcolumns

package offheap

// long is the number of bytes from which a column is a long one. Half a kilobyte or so a block
// lies in the columns of a replay: where each is shorter than this, all of them are nothing to
// speak of.
const long = 1 << 20
