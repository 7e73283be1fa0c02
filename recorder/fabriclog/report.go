package fabriclog

import "time"

// A Report tells what was read and what was found wrong with it. What weakens the
// trace stands in the trace's notes too.
type Report struct {
	// Files has one entry per source, in the order read.
	Files []FileReport
	// Streams has one entry per stream of the trace, in its order.
	Streams []StreamReport
}

// A FileReport tells of one log file.
type FileReport struct {
	Path string
	// Node is the node whose log it was taken for.
	Node string
	// Compression is "gzip", "zstd" or empty.
	Compression string
	// Bytes after decompression.
	Bytes int64
	Lines int64
	// Messages about blocks that were read, of an orderer's and of a peer's kind.
	Messages, OrdererMessages, PeerMessages int64
	// Start and End are the earliest and the latest message in Unix ns.
	Start, End int64

	// Repeated messages tell the same of a block once more.
	Repeated int64
	// OutOfOrder messages are older than the one before them.
	OutOfOrder int64
	// Torn messages were cut short and not used.
	Torn int64
	// Undated messages have no date and time that could be read; they were not used.
	Undated int64
	// Garbage lines hold NUL or bytes that are no text.
	Garbage int64
	// LongLines were cut at a limit of 256 KiB.
	LongLines int64
	// Starts of the node, Recommits ("Recommitting lost blocks") and Disconnects
	// from the ordering service.
	Starts, Recommits, Disconnects int64
	// Damage is the error at which reading a damaged compressed file stopped.
	Damage error
}

// A StreamReport tells of one stream.
type StreamReport struct {
	Name   string
	Blocks int
	// LeftOut counts blocks at the start which only one side's logs hold.
	LeftOut int
	// Stray counts block numbers far away from all others, from damaged lines.
	Stray int
	// NotOffered and NotCommitted count the blocks of the stream that lack the time.
	NotOffered, NotCommitted int
	// Skew is what the order of events says about the clocks.
	Skew Skew
	// Shift was added to the peer's times.
	Shift time.Duration
}
