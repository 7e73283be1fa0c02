package traces

// MaxCells bounds a trace that is read as a whole: blocks × columns, summed over its streams,
// and two a sample. 2^30 are 8 GiB, of which all but a little lie on the disk (package offheap).
const MaxCells = 1 << 30
