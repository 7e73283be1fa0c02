package blockfile

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/blockreel/blockreel/internal/fabric"
)

// MaxBlockBytes bounds a block; Fabric's own limit for a message is 100 MB.
const MaxBlockBytes = 100 << 20

// maxWindow bounds the memory that a zstd file may ask for.
const maxWindow = 128 << 20

// A Reader reads the blocks of one file.
type Reader struct {
	layout  Layout
	r       *bufio.Reader // unpacked
	zip     io.Closer     // of the unpacker, or nil
	offset  int64         // of the next byte in the unpacked file
	partial int64
	read    int64 // blocks
	err     error

	record []byte
	raw    []byte // marshalled, when that is not the record itself
	block  fabric.Block
}

// NewReader detects the compression and the layout of a file. An empty file has no blocks: a ledger
// may have begun a new one. A file without blocks is ErrUnknown.
func NewReader(file io.Reader) (*Reader, error) {
	r := &Reader{}
	if err := r.unpack(bufio.NewReaderSize(file, 256<<10)); err != nil {
		return nil, err
	}
	head, err := r.r.Peek(headBytes)
	if err != nil && !errors.Is(err, io.EOF) {
		err = r.damaged(err)
		r.Close()
		return nil, err
	}
	if len(head) == 0 {
		r.err = io.EOF
		return r, nil
	}
	if r.layout, err = detect(head); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

func (r *Reader) unpack(file *bufio.Reader) error {
	magic, _ := file.Peek(4) // an error comes back with the first read
	switch {
	case len(magic) >= 2 && magic[0] == 0x1f && magic[1] == 0x8b:
		z, err := gzip.NewReader(file)
		if err != nil {
			return fmt.Errorf("begins like gzip, but cannot be unpacked: %w", err)
		}
		r.zip, r.r = z, bufio.NewReaderSize(unpacker{z}, 256<<10)
	case string(magic) == "\x28\xb5\x2f\xfd":
		z, err := zstd.NewReader(file, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderLowmem(true))
		if err != nil {
			return fmt.Errorf("begins like zstd, but cannot be unpacked: %w", err)
		}
		r.zip, r.r = z.IOReadCloser(), bufio.NewReaderSize(unpacker{z}, 256<<10)
	default:
		r.r = file
	}
	return nil
}

// Close frees the decompressor. It does not close the file.
func (r *Reader) Close() {
	if r.zip != nil {
		r.zip.Close() // it has nothing to say that Next has not said
		r.zip = nil
	}
	if r.err == nil {
		r.err = errors.New("reader of blocks is closed")
	}
}

// Layout returns the layout; 0 for an empty file.
func (r *Reader) Layout() Layout { return r.layout }

// Partial returns the size of an incomplete last record after Next has returned io.EOF.
func (r *Reader) Partial() int64 { return r.partial }

// Next returns the next block, which is good until the next call. The error is io.EOF at the end, a
// *CorruptError, or the file's own.
func (r *Reader) Next() (*fabric.Block, error) {
	if r.err == nil {
		r.err = r.next()
	}
	if r.err != nil {
		return nil, r.err
	}
	return &r.block, nil
}

func (r *Reader) next() error {
	start := r.offset
	length, err := r.length()
	if err != nil {
		return err
	}
	if err := r.fill(length); err != nil {
		return err
	}
	raw := r.record
	if r.layout == Ledger {
		record, err := ParseRecord(r.record)
		if err != nil {
			return r.corrupt(start, fmt.Errorf("record of %d bytes: %w", len(r.record), err))
		}
		r.raw = record.AppendBlock(r.raw[:0])
		raw = r.raw
		if len(raw) > MaxBlockBytes {
			return r.corrupt(start, tooLarge(uint64(len(raw))))
		}
	}
	if r.block, err = fabric.ParseBlock(raw); err != nil {
		return r.corrupt(start, err)
	}
	r.read++
	return nil
}

// length reads the length of the next record, or returns io.EOF, also if the length is incomplete.
func (r *Reader) length() (uint64, error) {
	if r.layout == Single {
		if r.read > 0 {
			return 0, io.EOF
		}
		return MaxBlockBytes, nil
	}
	head, err := r.r.Peek(binary.MaxVarintLen64)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, r.damaged(err)
	}
	if len(head) == 0 {
		return 0, io.EOF
	}
	length, n := binary.Uvarint(head)
	if n == 0 && errors.Is(err, io.EOF) {
		r.partial = int64(len(head))
		return 0, io.EOF
	}
	if n <= 0 || length == 0 {
		return 0, r.corrupt(r.offset, errors.New("no length of a record"))
	}
	if length > MaxBlockBytes {
		return 0, r.corrupt(r.offset, tooLarge(length))
	}
	r.r.Discard(n) // was peeked at
	r.offset += int64(n)
	r.partial = int64(n) // until the record is whole
	return length, nil
}

// fill reads a record of so many bytes, or a single block. Memory grows with what arrives.
func (r *Reader) fill(length uint64) error {
	r.record = r.record[:0]
	for uint64(len(r.record)) < length {
		have := len(r.record)
		want := min(length-uint64(have), uint64(max(64<<10, have)))
		r.record = append(r.record, make([]byte, want)...)
		n, err := io.ReadFull(r.r, r.record[have:])
		r.record = r.record[:have+n]
		if err == nil {
			continue
		}
		if !errors.Is(err, io.EOF) && err != io.ErrUnexpectedEOF {
			return r.damaged(err)
		}
		if r.layout == Single {
			r.offset = int64(len(r.record))
			return nil
		}
		r.offset -= r.partial
		r.partial += int64(len(r.record))
		return io.EOF
	}
	if r.layout == Single {
		if _, err := r.r.Peek(1); !errors.Is(err, io.EOF) {
			return r.corrupt(0, tooLarge(length+1))
		}
	}
	r.offset += int64(length)
	r.partial = 0
	return nil
}

// An unpacker is a decompressor whose error for a truncated file is not io.EOF.
type unpacker struct{ io.Reader }

func (u unpacker) Read(b []byte) (int, error) {
	n, err := u.Reader.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("the compressed file is damaged or cut short: %w", err)
	}
	return n, err
}

// A CorruptError is the error of bytes that are not a block.
type CorruptError struct {
	// Offset is the position of the record in the unpacked file.
	Offset int64
	// After is the number of blocks that could be read before it.
	After int64
	Err   error
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("no block at byte %d, behind %d blocks: %v", e.Offset, e.After, e.Err)
}

func (e *CorruptError) Unwrap() error { return e.Err }

func (r *Reader) corrupt(offset int64, err error) error { return &CorruptError{offset, r.read, err} }

// damaged returns the error of a file that cannot be read or decompressed.
func (r *Reader) damaged(err error) error {
	if r.zip == nil {
		return err
	}
	return r.corrupt(r.offset, err)
}

func tooLarge(n uint64) error {
	return fmt.Errorf("block of %d bytes; Fabric's limit is %d", n, MaxBlockBytes)
}
