package traces

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/cespare/xxhash/v2"
)

func (r *Reader) readHeader() error {
	head, err := r.r.Peek(frameHead + tagBytes)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read trace: %w", err)
	}
	if len(head) > 0 && len(head) < frameHead+tagBytes && bytes.HasPrefix(binary.LittleEndian.AppendUint32(nil, frameMagic), head[:min(4, len(head))]) {
		return fmt.Errorf("read trace header: %w", ErrTruncated)
	}
	if len(head) < frameHead+tagBytes || binary.LittleEndian.Uint32(head) != frameMagic || string(head[frameHead:]) != tagHeader {
		return notTrace(head)
	}
	p, err := r.readFrame(MaxHeaderBytes)
	if err != nil {
		return fmt.Errorf("read trace header: %w", err)
	}
	if len(p) < tagBytes+4+hashBytes {
		return r.corrupt("header", errShort)
	}
	major := int(binary.LittleEndian.Uint16(p[tagBytes:]))
	r.minor = int(binary.LittleEndian.Uint16(p[tagBytes+2:]))
	if major != FormatMajor {
		return &VersionError{major, r.minor}
	}
	body := p[:len(p)-hashBytes]
	if xxhash.Sum64(body) != binary.LittleEndian.Uint64(p[len(body):]) {
		return r.corrupt("header", errChecksum)
	}
	if r.header, err = parseHeader(body[tagBytes+4:]); err != nil {
		return r.corrupt("header", err)
	}
	r.good, r.start = r.offset, r.offset
	return nil
}

func (r *Reader) corrupt(what string, err error) error {
	return &CorruptError{r.good, what, err}
}

// full reads len(b) bytes. A file that ends before is truncated.
func (r *Reader) full(b []byte) error {
	n, err := io.ReadFull(r.r, b)
	r.offset += int64(n)
	return ended(err)
}

// ended turns the end of the file into ErrTruncated and wraps other errors.
func ended(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return ErrTruncated
	}
	return fmt.Errorf("read trace: %w", err)
}

// readFrame reads a skippable frame and returns what stands in it.
func (r *Reader) readFrame(limit uint64) ([]byte, error) {
	var head [frameHead]byte
	if err := r.full(head[:]); err != nil {
		return nil, err
	}
	if binary.LittleEndian.Uint32(head[:]) != frameMagic {
		return nil, r.corrupt("there is no frame of a trace", nil)
	}
	n := uint64(binary.LittleEndian.Uint32(head[4:]))
	if err := checkLimit("bytes of a frame", n, limit); err != nil {
		return nil, r.corrupt("frame", err)
	}
	var err error
	r.frame, err = r.grown(r.frame[:0], int(n))
	return r.frame, err
}

// grown appends n bytes of the file to b, taking memory as they come, so that a
// length that the file only claims costs nothing.
func (r *Reader) grown(b []byte, n int) ([]byte, error) {
	const step = 1 << 20
	for n > 0 {
		m := min(n, max(step, len(b)))
		at := len(b)
		if cap(b)-at < m {
			b = append(make([]byte, 0, at+m), b...)
		}
		b = b[:at+m]
		if err := r.full(b[at:]); err != nil {
			return b[:0], err
		}
		n -= m
	}
	return b, nil
}

// readBody reads the zstd frame behind a descriptor and checks the chunk's hash. A
// body that is to be skipped is not kept.
func (r *Reader) readBody(d descriptor, fields []byte, skip bool) error {
	var h xxhash.Digest
	h.Reset()
	h.Write(fields)
	if skip {
		n, err := io.CopyN(&h, r.r, int64(d.compressed))
		r.offset += n
		if err != nil {
			return ended(err)
		}
	} else {
		var err error
		if r.compressed, err = r.grown(r.compressed[:0], int(d.compressed)); err != nil {
			return err
		}
		h.Write(r.compressed)
	}
	if h.Sum64() != d.hash {
		return r.corrupt(d.typ.String()+" chunk", errChecksum)
	}
	return nil
}

// decode decompresses a chunk and reads its content into r.chunk.
func (r *Reader) decode(d descriptor) error {
	if cap(r.content) < int(d.raw) {
		r.content = make([]byte, 0, d.raw)
	}
	content, err := r.dec.DecodeAll(r.compressed, r.content[:0:d.raw])
	if err != nil {
		return err
	}
	if len(content) != int(d.raw) {
		return fmt.Errorf("%d bytes where %d were expected", len(content), d.raw)
	}
	switch d.typ {
	case ChunkData:
		return r.columns.decodeData(content, len(r.header.Streams), &r.chunk)
	case ChunkNotes:
		r.chunk.Notes, err = decodeNotes(content, len(r.header.Streams), r.chunk.Notes)
		return err
	case ChunkSamples:
		return r.columns.decodeSamples(content, len(r.header.Streams), &r.chunk)
	}
	return decodePayloads(content, r.header.Streams, &r.chunk)
}

// finish reads the index and checks that nothing follows it.
func (r *Reader) finish(p []byte) error {
	x, chunks, err := parseIndex(p, r.start, len(r.header.Streams))
	if err == nil && chunks != uint64(r.seq) {
		err = fmt.Errorf("it counts %d chunks and there are %d", chunks, r.seq)
	}
	if err != nil {
		return r.corrupt("index", err)
	}
	r.good = r.offset
	switch _, err := r.r.Peek(1); err {
	case io.EOF:
	case nil:
		return r.corrupt("something follows on the index, which ends a trace", nil)
	default:
		return ended(err)
	}
	if !x.Rebuilt {
		r.index = x
	}
	return io.EOF
}
