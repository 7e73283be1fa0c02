package traces

import (
	"encoding/binary"
	"fmt"
	"iter"
	"sort"

	"github.com/blockreel/blockreel/traces/event"
)

// A Payload is a marshalled block. A trace holds a block's payload once a channel,
// however many streams carry the block.
type Payload struct {
	Channel string
	Block   event.BlockNum
	Bytes   []byte
}

// channelStreams maps every channel to the first stream that carries it, which
// stands for the channel in the file.
func channelStreams(streams []Stream) map[string]int {
	m := make(map[string]int, len(streams))
	for i, s := range streams {
		if _, ok := m[s.Channel]; !ok {
			m[s.Channel] = i
		}
	}
	return m
}

func appendPayloadHead(b []byte, stream int) []byte {
	return binary.AppendUvarint(b, uint64(stream))
}

func appendPayload(b []byte, block event.BlockNum, payload []byte) []byte {
	b = binary.AppendUvarint(b, uint64(block))
	b = binary.AppendUvarint(b, uint64(len(payload)))
	return append(b, payload...)
}

// decodePayloads reads the content of a chunk of payloads. The payloads alias it.
func decodePayloads(content []byte, streams []Stream, chunk *Chunk) error {
	c := &parser{b: content}
	stream := c.uvarint()
	if c.err == nil && stream >= uint64(len(streams)) {
		c.fail(fmt.Errorf("stream %d of %d", stream, len(streams)))
	}
	for c.err == nil && len(c.b) > 0 {
		block := c.count("block number", MaxBlockNum)
		data := c.bytes(c.count("bytes of a payload", MaxPayloadBytes))
		if c.err == nil {
			chunk.Payloads = append(chunk.Payloads, Payload{streams[stream].Channel, event.BlockNum(block), data})
			chunk.Extents = appendBlock(chunk.Extents, int(stream), event.BlockNum(block))
		}
	}
	return c.err
}

// appendBlock adds a block to extents without times, lengthening the last of them
// when the block follows on it.
func appendBlock(x []Extent, stream int, block event.BlockNum) []Extent {
	if n := len(x) - 1; n >= 0 && x[n].Stream == stream && x[n].First+event.BlockNum(x[n].Blocks) == block {
		x[n].Blocks++
		return x
	}
	return append(x, Extent{stream, block, 1, event.Missing, event.Missing})
}

// Payloads iterates over the payloads that are left in r, in the order of the file. It
// holds one chunk of them at a time: the bytes of a payload are good until the next.
// Data chunks are passed over when the Reader's Config says so.
func (r *Reader) Payloads() iter.Seq2[Payload, error] {
	return func(yield func(Payload, error) bool) {
		for c, err := range r.Chunks() {
			if err != nil {
				yield(Payload{}, err)
				return
			}
			for _, p := range c.Payloads {
				if !yield(p, nil) {
					return
				}
			}
		}
	}
}

// A blockSet holds block numbers as ranges, for those that are mostly neighbours.
type blockSet []struct{ from, to uint64 } // half open, ascending, apart from each other

// add reports whether n was new to the set.
func (s *blockSet) add(n uint64) bool {
	r := *s
	i := sort.Search(len(r), func(i int) bool { return r[i].to >= n })
	switch {
	case i < len(r) && r[i].to == n:
		r[i].to++
		if i+1 < len(r) && r[i+1].from == n+1 {
			r[i].to = r[i+1].to
			*s = append(r[:i+1], r[i+2:]...)
		}
	case i < len(r) && r[i].from <= n:
		return false
	case i < len(r) && r[i].from == n+1:
		r[i].from = n
	default:
		r = append(r, struct{ from, to uint64 }{})
		copy(r[i+1:], r[i:])
		r[i].from, r[i].to = n, n+1
		*s = r
	}
	return true
}
