package traces

import (
	"encoding/binary"
	"errors"

	"github.com/cespare/xxhash/v2"
)

// The version of the format that Writer writes. Reader reads every minor version
// of this major version: a newer minor version adds only what an older program
// can leave out.
const (
	FormatMajor = 1
	FormatMinor = 1
)

// ChunkType says what a chunk holds.
type ChunkType uint8

// Types of chunks. A reader passes over types that it does not know.
const (
	ChunkData     ChunkType = 1 // values of blocks
	ChunkNotes    ChunkType = 2 // notes of the recorder
	ChunkPayloads ChunkType = 3 // marshalled blocks of one channel
	ChunkSamples  ChunkType = 4 // samples of series, since version 1.1
)

// Everything of a trace that is not compressed stands in zstd skippable frames of
// this number, so that zstd passes over it.
const (
	frameMagic  = 0x184D2A5B
	frameHead   = 8 // magic and length
	hashBytes   = 8
	tagBytes    = 4
	tagHeader   = "REEL"
	tagChunk    = "CHNK"
	tagIndex    = "INDX"
	tagEnd      = "LEER"
	trailerSize = 4 + tagBytes // length of the index frame, tagEnd
)

// descriptorBytes is the length of a chunk's descriptor frame as this version
// writes it: frame head, tag, type, reserved, sequence, two lengths, hash.
const descriptorBytes = frameHead + tagBytes + 4 + 4 + 4 + 4 + hashBytes

var errChecksum = errors.New("its checksum does not hold")

// A descriptor says what the zstd frame behind it is.
type descriptor struct {
	typ        ChunkType
	seq        uint32
	compressed uint32 // bytes of the zstd frame
	raw        uint32 // bytes of its content
	hash       uint64 // over the descriptor's own fields and the zstd frame
}

// beginFrame appends the head of a skippable frame, whose length endFrame fills in.
func beginFrame(b []byte, tag string) []byte {
	b = binary.LittleEndian.AppendUint32(b, frameMagic)
	b = append(b, 0, 0, 0, 0)
	return append(b, tag...)
}

func endFrame(b []byte) []byte {
	binary.LittleEndian.PutUint32(b[4:], uint32(len(b)-frameHead))
	return b
}

// appendHash appends the hash of everything behind the frame's head.
func appendHash(frame []byte) []byte {
	return binary.LittleEndian.AppendUint64(frame, xxhash.Sum64(frame[frameHead:]))
}

// put writes the descriptor's frame before the zstd frame in chunk, whose first
// descriptorBytes are left free for it.
func (d descriptor) put(chunk []byte) {
	b := beginFrame(chunk[:0], tagChunk)
	b = append(b, byte(d.typ), 0, 0, 0)
	b = binary.LittleEndian.AppendUint32(b, d.seq)
	b = binary.LittleEndian.AppendUint32(b, d.compressed)
	b = binary.LittleEndian.AppendUint32(b, d.raw)
	var h xxhash.Digest
	h.Reset()
	h.Write(b[frameHead:])
	h.Write(chunk[descriptorBytes:])
	b = binary.LittleEndian.AppendUint64(b, h.Sum64())
	binary.LittleEndian.PutUint32(b[4:], descriptorBytes-frameHead)
}

// parseDescriptor reads the payload of a descriptor frame. Fields that a newer
// version adds stand before the hash.
func parseDescriptor(p []byte) descriptor {
	return descriptor{
		typ:        ChunkType(p[4]),
		seq:        binary.LittleEndian.Uint32(p[8:]),
		compressed: binary.LittleEndian.Uint32(p[12:]),
		raw:        binary.LittleEndian.Uint32(p[16:]),
		hash:       binary.LittleEndian.Uint64(p[len(p)-hashBytes:]),
	}
}

// limit bounds the compressed and the raw bytes of a chunk of this type.
func (t ChunkType) limit() uint64 {
	if t == ChunkData || t == ChunkNotes || t == ChunkSamples {
		return MaxChunkBytes
	}
	return MaxPayloadChunkBytes
}

const unknownChunk = "unknown"

func (t ChunkType) String() string {
	switch t {
	case ChunkData:
		return "data"
	case ChunkNotes:
		return "notes"
	case ChunkPayloads:
		return "payloads"
	case ChunkSamples:
		return "samples"
	}
	return unknownChunk
}
