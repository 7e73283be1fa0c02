package attach

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"io"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/blockreel/blockreel/internal/fabric"
)

// A maker makes up a chain of blocks.
type maker struct {
	channel  string
	number   uint64
	previous []byte
	// flags makes blocks look like a peer's.
	flags bool
	// made is the date of the transactions, in seconds since 1970; 0 means none.
	made uint64
}

func field(dst []byte, num protowire.Number, v ...[]byte) []byte {
	for _, b := range v {
		dst = protowire.AppendBytes(protowire.AppendTag(dst, num, protowire.BytesType), b)
	}
	return dst
}

// next returns the marshalled block that continues the chain.
func (m *maker) next(transactions, filler int) []byte {
	var data []byte
	sum := sha256.New()
	for i := range transactions {
		channelHeader := field(nil, 4, []byte(m.channel))
		if m.made != 0 {
			seconds := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), m.made)
			channelHeader = field(channelHeader, 3, seconds)
		}
		header := field(nil, 1, channelHeader)
		body := bytes.Repeat([]byte{byte(m.number), byte(i), byte(m.number >> 8)}, filler/3)
		envelope := field(field(nil, 1, field(field(nil, 1, header), 2, body)), 2, []byte("signature"))
		sum.Write(envelope)
		data = field(data, 1, envelope)
	}
	dataHash := sum.Sum(nil)
	header := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), m.number)
	if m.previous != nil {
		header = field(header, 2, m.previous)
	}
	header = field(header, 3, dataHash)
	flags := []byte{}
	if m.flags {
		flags = make([]byte, transactions)
		flags[0] = 11 // MVCC_READ_CONFLICT
	}
	hash := sha256.Sum256(fabric.HeaderBytes(m.number, m.previous, dataHash))
	m.number, m.previous = m.number+1, hash[:]
	return field(field(field(nil, 1, header), 2, data), 3, field(nil, 1, nil, nil, flags))
}

// blocks returns so many blocks of two transactions each.
func (m *maker) blocks(n int) (out [][]byte) {
	for range n {
		out = append(out, m.next(2, 30))
	}
	return out
}

// content is a file in memory: blocks behind their lengths.
func content(path string, blocks ...[]byte) Source {
	var b []byte
	for _, block := range blocks {
		b = append(binary.AppendUvarint(b, uint64(len(block))), block...)
	}
	return raw(path, b)
}

func raw(path string, b []byte) Source {
	return Source{Path: path, Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }}
}

// an endless file makes its blocks while it is read.
type endless struct {
	maker
	blocks, transactions, filler int
	rest                         []byte
}

func (e *endless) Read(b []byte) (int, error) {
	if len(e.rest) == 0 {
		if e.blocks == 0 {
			return 0, io.EOF
		}
		e.blocks--
		block := e.next(e.transactions, e.filler)
		e.rest = append(binary.AppendUvarint(nil, uint64(len(block))), block...)
	}
	n := copy(b, e.rest)
	e.rest = e.rest[n:]
	return n, nil
}

func (e *endless) Close() error { return nil }
