package traces

import (
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"

	"github.com/blockreel/blockreel/traces/event"
)

// WriterConfig sets how a Writer divides a trace into chunks.
type WriterConfig struct {
	// ChunkEvents is the number of buffered events at which Append writes a chunk
	// of its own accord; 0 means 65,536, and MaxChunkValues is the most.
	ChunkEvents int
	// PayloadChunkBytes is the number of bytes of payloads at which a chunk of
	// them is written; 0 means 1 MiB.
	PayloadChunkBytes int
}

func (c *WriterConfig) validate() error {
	if c.ChunkEvents == 0 {
		c.ChunkEvents = 1 << 16
	}
	if c.PayloadChunkBytes == 0 {
		c.PayloadChunkBytes = 1 << 20
	}
	if c.ChunkEvents < 0 || c.ChunkEvents > MaxChunkValues {
		return fmt.Errorf("chunk of %d events: choose 1 to %d", c.ChunkEvents, MaxChunkValues)
	}
	if c.PayloadChunkBytes < 0 || c.PayloadChunkBytes > MaxPayloadBytes {
		return fmt.Errorf("chunk of %d bytes of payloads: choose 1 to %d", c.PayloadChunkBytes, MaxPayloadBytes)
	}
	return nil
}

// A Writer writes a trace. What was given to it stands in the file after Flush at
// the latest; a file that ends after any Flush is readable to there. Its methods must
// not be called concurrently. After an error from the underlying writer every
// method returns that error.
type Writer struct {
	w       io.Writer
	cfg     WriterConfig
	header  Header
	enc     *zstd.Encoder
	fast    *zstd.Encoder // of payloads
	err     error
	offset  int64
	seq     uint32
	closed  bool
	columns columnEncoder
	index   indexEncoder

	pending []pending // events, by stream and kind
	reach   []reach   // of the events of each stream
	events  int       // pending; one that replaces another counts again

	series    sampleSet      // with buffered samples
	samples   int            // buffered
	scraped   [][]event.Time // of the chunk that is being written
	nameBytes int            // of the series that have buffered samples

	notes      []Note
	noteBytes  int
	totalNotes int

	channels map[string]int
	stored   map[int]*blockSet // blocks with a payload, by the channel's first stream
	payloads []byte            // buffered chunk of payloads
	ofStream int               // the channel of these payloads
	blocks   []Extent          // whose payloads these are

	cols    []encodedColumn
	bulk    [event.NumKinds]pending // a part of a timeline
	extents []Extent
	content []byte
	out     []byte
}

// NewWriter writes the header to w and returns a Writer. It makes one Write call
// for the header, one for every chunk and one for the index.
func NewWriter(w io.Writer, h Header, cfg WriterConfig) (*Writer, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	head, err := appendHeader(nil, h)
	if err != nil {
		return nil, fmt.Errorf("write trace header: %w", err)
	}
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(encoderLevel))
	if err != nil {
		return nil, err
	}
	fast, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(payloadLevel))
	if err != nil {
		return nil, err
	}
	t := &Writer{
		w: w, cfg: cfg, header: h, enc: enc, fast: fast,
		pending:  make([]pending, len(h.Streams)*event.NumKinds),
		reach:    make([]reach, len(h.Streams)),
		channels: channelStreams(h.Streams),
		stored:   map[int]*blockSet{},
	}
	return t, t.write(head)
}

// Blocks are mostly certificates and signatures: real ones take the same room at either
// level, and half the time at the faster.
const (
	encoderLevel = zstd.SpeedDefault
	payloadLevel = zstd.SpeedFastest
)

var errClosed = errors.New("trace writer is closed")

func (t *Writer) write(b []byte) error {
	n, err := t.w.Write(b)
	t.offset += int64(n)
	if err != nil {
		t.err = fmt.Errorf("write trace: %w", err)
	}
	return t.err
}

func (t *Writer) usable() error {
	if t.closed {
		return errClosed
	}
	return t.err
}

// writeChunk compresses content and writes it as one chunk.
func (t *Writer) writeChunk(typ ChunkType, content []byte, extents []Extent) error {
	if uint64(len(content)) > typ.limit() {
		return &LimitError{"bytes of a chunk of " + typ.String(), uint64(len(content)), typ.limit()}
	}
	t.out = resize(t.out, descriptorBytes)
	enc := t.enc
	if typ == ChunkPayloads {
		enc = t.fast
	}
	t.out = enc.EncodeAll(content, t.out)
	d := descriptor{typ: typ, seq: t.seq, compressed: uint32(len(t.out) - descriptorBytes), raw: uint32(len(content))}
	d.put(t.out)
	t.index.add(typ, len(t.out), extents)
	t.seq++
	return t.write(t.out)
}

// Flush writes everything that is buffered as whole chunks.
func (t *Writer) Flush() error {
	if err := t.usable(); err != nil {
		return err
	}
	if err := t.flushEvents(); err != nil {
		return err
	}
	if err := t.flushSamples(); err != nil {
		return err
	}
	if err := t.flushNotes(); err != nil {
		return err
	}
	return t.flushPayloads()
}

// Close flushes and writes the index, which is the mark of a whole trace. It does
// not close the underlying writer.
func (t *Writer) Close() error {
	if t.closed {
		return t.err
	}
	err := t.Flush()
	t.closed = true
	if err != nil {
		return err
	}
	if err := t.write(t.index.frame()); err != nil {
		return err
	}
	return errors.Join(t.enc.Close(), t.fast.Close())
}

// Note adds a note.
func (t *Writer) Note(n Note) error {
	if err := t.usable(); err != nil {
		return err
	}
	if err := n.validate(len(t.header.Streams)); err != nil {
		return err
	}
	if t.totalNotes++; t.totalNotes > MaxNotes {
		return &LimitError{"notes", uint64(t.totalNotes), MaxNotes}
	}
	t.notes = append(t.notes, n)
	t.noteBytes += len(n.Kind) + len(n.Text)
	if t.noteBytes > MaxChunkBytes/4 {
		return t.flushNotes()
	}
	return nil
}

func (t *Writer) flushNotes() error {
	if len(t.notes) == 0 {
		return nil
	}
	t.content = appendNotes(t.content[:0], t.notes)
	t.notes, t.noteBytes = t.notes[:0], 0
	return t.writeChunk(ChunkNotes, t.content, nil)
}

// Payload adds the marshalled block. A block of which the trace already has
// the payload is passed over: streams of one channel carry the same blocks.
func (t *Writer) Payload(channel string, block event.BlockNum, payload []byte) error {
	if err := t.usable(); err != nil {
		return err
	}
	stream, ok := t.channels[channel]
	switch {
	case !ok:
		return fmt.Errorf("payload of block %d: no stream carries channel %q", block, channel)
	case block > MaxBlockNum:
		return &LimitError{"block number", uint64(block), MaxBlockNum}
	case len(payload) > MaxPayloadBytes:
		return &LimitError{fmt.Sprintf("payload of block %d of channel %q", block, channel), uint64(len(payload)), MaxPayloadBytes}
	}
	if t.stored[stream] == nil {
		t.stored[stream] = &blockSet{}
	}
	if !t.stored[stream].add(uint64(block)) {
		return nil
	}
	if len(t.payloads) > 0 && (stream != t.ofStream || len(t.payloads)+len(payload) > t.cfg.PayloadChunkBytes) {
		if err := t.flushPayloads(); err != nil {
			return err
		}
	}
	if len(t.payloads) == 0 {
		t.payloads = appendPayloadHead(t.payloads, stream)
		t.ofStream = stream
	}
	t.payloads = appendPayload(t.payloads, block, payload)
	t.blocks = appendBlock(t.blocks, stream, block)
	return nil
}

func (t *Writer) flushPayloads() error {
	if len(t.payloads) == 0 {
		return nil
	}
	err := t.writeChunk(ChunkPayloads, t.payloads, t.blocks)
	t.payloads, t.blocks = t.payloads[:0], t.blocks[:0]
	return err
}
