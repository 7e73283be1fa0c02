package traces

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"

	"github.com/blockreel/blockreel/traces/event"
)

// A PayloadFile finds the payloads of a trace by channel and block number. Any number
// of goroutines may use it.
type PayloadFile struct {
	file   io.ReaderAt
	size   int64
	places map[string][]payloadPlace
}

// A payloadPlace is payloads of neighbouring blocks in one chunk.
type payloadPlace struct {
	from, to uint64 // half open
	offset   int64  // of the chunk
	chunk    uint32
}

// OpenPayloads reads the index of the trace in file, or builds it by reading all of it.
// The file stays the caller's, who must not close it while the PayloadFile is in use.
func OpenPayloads(file io.ReaderAt, size int64) (*PayloadFile, error) {
	h, x, err := ReadIndex(io.NewSectionReader(file, 0, size))
	if err != nil {
		return nil, err
	}
	p := &PayloadFile{file: file, size: size, places: map[string][]payloadPlace{}}
	for i, c := range x.Chunks {
		if c.Type != ChunkPayloads {
			continue
		}
		for _, e := range c.Extents {
			name := h.Streams[e.Stream].Channel
			first := uint64(e.First)
			p.places[name] = append(p.places[name], payloadPlace{first, first + e.Blocks, c.Offset, uint32(i)})
		}
	}
	for _, places := range p.places {
		slices.SortStableFunc(places, func(a, b payloadPlace) int {
			switch {
			case a.from < b.from:
				return -1
			case a.from > b.from:
				return 1
			}
			return 0
		})
	}
	return p, nil
}

// Count returns how many of the n blocks from first on have a payload.
func (p *PayloadFile) Count(channel string, first event.BlockNum, n int) int {
	count, next, end := uint64(0), uint64(first), uint64(first)+uint64(n)
	for _, place := range p.places[channel] {
		from, to := max(place.from, next), min(place.to, end)
		if from < to {
			count += to - from
			next = to
		}
	}
	return int(count)
}

// Blocks iterates over the payloads of the n blocks from first on, in the order of
// their numbers, each once; blocks without one are passed over. It holds one chunk at a
// time: the bytes of a payload are good until the next. Where the file has the blocks
// in another order, a chunk is read as often as the order leads back to it.
func (p *PayloadFile) Blocks(channel string, first event.BlockNum, n int) iter.Seq2[Payload, error] {
	return func(yield func(Payload, error) bool) {
		next, end := uint64(first), uint64(first)+uint64(n)
		section := io.NewSectionReader(p.file, 0, p.size)
		r, err := NewReader(section, ReaderConfig{SkipData: true})
		if err != nil {
			yield(Payload{}, err)
			return
		}
		var held *Chunk
		for _, place := range p.places[channel] {
			from, to := max(place.from, next), min(place.to, end)
			if from >= to {
				continue
			}
			if held == nil || held.Offset != place.offset {
				if held, err = r.chunkAt(section, place); err != nil {
					yield(Payload{}, err)
					return
				}
			}
			if !yieldBlocks(held, channel, from, to, yield) {
				return
			}
			next = to
		}
	}
}

func (r *Reader) chunkAt(f io.ReadSeeker, place payloadPlace) (*Chunk, error) {
	if err := r.jump(f, place.offset, place.chunk); err != nil {
		return nil, err
	}
	c, err := r.Next()
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, fmt.Errorf("payloads of blocks %d to %d: %w", place.from, place.to-1, err)
	}
	return c, nil
}

// yieldBlocks yields the payloads of a channel's blocks from from to before to out of
// a chunk.
func yieldBlocks(c *Chunk, channel string, from, to uint64, yield func(Payload, error) bool) bool {
	at := 0
	for n := from; n < to; n++ {
		is := func(p Payload) bool { return p.Block == event.BlockNum(n) && p.Channel == channel }
		// Blocks mostly stand in order: the search goes on where the last one ended.
		i := slices.IndexFunc(c.Payloads[at:], is)
		if i >= 0 {
			i += at
		} else if i = slices.IndexFunc(c.Payloads, is); i < 0 {
			yield(Payload{}, &CorruptError{Offset: c.Offset, Reason: fmt.Sprintf("its payloads lack block %d, which the index has there", n)})
			return false
		}
		at = i
		if !yield(c.Payloads[i], nil) {
			return false
		}
	}
	return true
}
