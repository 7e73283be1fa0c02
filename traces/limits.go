package traces

// Limits of the file format. A length that a file claims is held against one of
// these before any memory is taken for it; Writer refuses to write what Reader
// would refuse to read.
const (
	// MaxHeaderBytes bounds the header frame.
	MaxHeaderBytes = 16 << 20
	// MaxStreams bounds the streams of a trace.
	MaxStreams = 4096
	// MaxSettings bounds the settings of one stream.
	MaxSettings = 4096
	// MaxStringBytes bounds a name or a value in the header, and a note's kind.
	MaxStringBytes = 64 << 10
	// MaxNoteBytes bounds the text of a note.
	MaxNoteBytes = 64 << 10
	// MaxNotes bounds the notes of a trace.
	MaxNotes = 1 << 16
	// MaxSeries bounds the series of a trace.
	MaxSeries = 4096
	// MaxSeriesBytes bounds the name, unit, node and channel of a series together.
	MaxSeriesBytes = 16 << 10
	// MaxChunkBytes bounds a chunk of data, notes or samples, compressed and not.
	MaxChunkBytes = 16 << 20
	// MaxChunkValues bounds the values in one chunk of data, and the instants and values
	// in one of samples.
	MaxChunkValues = 1 << 20
	// MaxPayloadBytes bounds the payload of one block; Fabric's own default for
	// a block's absolute maximum (and gRPC's for a message) is 100 MB.
	MaxPayloadBytes = 100 << 20
	// MaxPayloadChunkBytes bounds a chunk of payloads, compressed and not.
	MaxPayloadChunkBytes = MaxPayloadBytes + 4<<20
	// MaxCells bounds a trace that is read as a whole: blocks × columns, summed over its
	// streams, and eight a sample. A packed value takes one to three bytes, and at most
	// eight; a sample, which is not packed, sixteen.
	MaxCells = 1 << 30
	// MaxIndexBytes bounds the index frame. A trace whose index would be larger
	// is written without one.
	MaxIndexBytes = 16 << 20
	// MaxIndexChunks bounds the chunks that an index lists.
	MaxIndexChunks = 1 << 20
	// MaxBlockNum is the largest block number that a trace can hold.
	MaxBlockNum = 1<<63 - 2
	// MaxValue bounds every instant, count, size and duration, and −MaxValue instants
	// from below: 36 years in ns. So no difference or sum of two of them overflows.
	MaxValue = 1 << 60
	// freeCells is how many cells a trace may span without holding values for
	// them, and cellsPerValue how many more each value that it holds allows. So a
	// small file with far-apart block numbers cannot take MaxCells.
	freeCells     = 1 << 24
	cellsPerValue = 64

	maxGroups     = MaxStreams
	maxColumns    = 256
	maxDescriptor = 256
	maxTextLine   = MaxPayloadBytes/3*4 + 64<<10

	// maxGroupBlocks bounds the span of blocks of which a Writer puts events into one
	// group.
	maxGroupBlocks = 1 << 20

	// sampleCells is what a sample counts in MaxCells.
	sampleCells = 8
)
