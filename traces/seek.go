package traces

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"

	"github.com/blockreel/blockreel/traces/event"
)

// ReadIndex returns the header and the index of a trace. It reads the end of the
// file; where there is no whole index it reads everything and builds one of the
// whole chunks, with Rebuilt set.
func ReadIndex(r io.ReadSeeker) (Header, *Index, error) {
	tr, err := openAt(r, 0)
	if err != nil {
		return Header{}, nil, err
	}
	x, err := tr.storedIndex(r)
	if err != nil {
		return Header{}, nil, err
	}
	if x == nil {
		x, err = rebuildIndex(r)
	}
	return tr.header, x, err
}

func openAt(r io.ReadSeeker, offset int64) (*Reader, error) {
	if _, err := r.Seek(offset, io.SeekStart); err != nil {
		return nil, fmt.Errorf("read trace: %w", err)
	}
	return NewReader(r, ReaderConfig{SkipPayloads: true})
}

// storedIndex reads the index at the end of the file, and returns nil when there is
// none that is whole.
func (r *Reader) storedIndex(f io.ReadSeeker) (*Index, error) {
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, fmt.Errorf("read trace: %w", err)
	}
	var tail [trailerSize]byte
	if size < r.start+trailerSize {
		return nil, nil
	}
	if err := readAt(f, tail[:], size-trailerSize); err != nil {
		return nil, err
	}
	length := int64(binary.LittleEndian.Uint32(tail[:]))
	if string(tail[4:]) != tagEnd || length > MaxIndexBytes+frameHead || length < frameHead+tagBytes || length > size-r.start {
		return nil, nil
	}
	frame := make([]byte, length)
	if err := readAt(f, frame, size-length); err != nil {
		return nil, err
	}
	if binary.LittleEndian.Uint32(frame) != frameMagic || string(frame[frameHead:frameHead+tagBytes]) != tagIndex {
		return nil, nil
	}
	x, _, err := parseIndex(frame[frameHead:], r.start, len(r.header.Streams))
	if err != nil || x.Rebuilt {
		return nil, nil // the scan says what is wrong
	}
	if n := len(x.Chunks); n > 0 && x.Chunks[n-1].Offset+x.Chunks[n-1].Length != size-length {
		return nil, nil
	}
	return x, nil
}

func readAt(f io.ReadSeeker, b []byte, offset int64) error {
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return fmt.Errorf("read trace: %w", err)
	}
	if _, err := io.ReadFull(f, b); err != nil {
		return fmt.Errorf("read trace: %w", err)
	}
	return nil
}

// rebuildIndex reads all chunks, payloads too: an index lists their blocks.
func rebuildIndex(f io.ReadSeeker) (*Index, error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("read trace: %w", err)
	}
	tr, err := NewReader(f, ReaderConfig{})
	if err != nil {
		return nil, err
	}
	x := &Index{Rebuilt: true}
	for c, err := range tr.Chunks() {
		if err != nil {
			if _, err := tr.loss(err); err != nil {
				return nil, err
			}
			break
		}
		if err := checkLimit("chunks in the index", uint64(len(x.Chunks)), MaxIndexChunks); err != nil {
			return nil, err
		}
		x.Chunks = append(x.Chunks, IndexEntry{c.Type, c.Offset, c.Length, slices.Clone(c.Extents)})
	}
	return x, nil
}

// ReadRange is Read and Cut in one that reads only the chunks that it needs.
func ReadRange(f io.ReadSeeker, cfg CutConfig) (*Trace, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	h, x, err := ReadIndex(f)
	if err != nil {
		return nil, err
	}
	if x.Rebuilt { // everything has to be read anyway, and Read tells the Loss
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return nil, fmt.Errorf("read trace: %w", err)
		}
		t, err := Read(f)
		if err != nil {
			return nil, err
		}
		return t.Cut(cfg)
	}
	wanted := blocksWithin(x, h, cfg)
	t, err := readChunks(f, x, func(e Extent) bool {
		w := wanted[e.Stream]
		return w.spanned && uint64(e.First) < w.end && uint64(e.First)+e.Blocks > w.first
	})
	if err != nil {
		return nil, err
	}
	out, err := t.cut(cfg)
	if err != nil {
		return nil, err
	}
	if err := out.markBacklogs(f, x); err != nil {
		return nil, err
	}
	return out, nil
}

// markBacklogs is markBacklog for all streams, with the chunks that it needs.
func (t *Trace) markBacklogs(f io.ReadSeeker, x *Index) error {
	isEarlier := func(e Extent) bool {
		kept := t.Timelines[e.Stream]
		return kept.Len() > 0 && e.First < kept.First
	}
	before, err := readChunks(f, x, func(e Extent) bool {
		return isEarlier(e) && int64(e.End) > t.Timelines[e.Stream].Value(event.Offered, 0)
	})
	if err != nil {
		return err
	}
	cut := make([]bool, len(t.Timelines))
	for _, c := range x.Chunks {
		for _, e := range c.Extents {
			cut[e.Stream] = cut[e.Stream] || c.Type == ChunkData && isEarlier(e)
		}
	}
	for i, tl := range before.Timelines {
		if cut[i] {
			t.markBacklog(i, tl)
		}
	}
	return nil
}

// blocksWithin returns, for each stream, a range of blocks that holds all that cfg
// keeps: those of the chunks that have an instant within its times.
func blocksWithin(x *Index, h Header, cfg CutConfig) []reach {
	wanted := make([]reach, len(h.Streams))
	for _, c := range x.Chunks {
		if c.Type != ChunkData {
			continue
		}
		for _, e := range c.Extents {
			if cfg.From != 0 && e.End < cfg.From || cfg.To != 0 && e.Start >= cfg.To {
				continue
			}
			from, to := uint64(e.First), uint64(e.First)+e.Blocks
			from = max(from, uint64(cfg.FromBlock))
			if cfg.ToBlock != 0 {
				to = min(to, uint64(cfg.ToBlock))
			}
			if from < to {
				wanted[e.Stream].cover(from, to-from)
			}
		}
	}
	return wanted
}

// readChunks reads the notes, the samples and the data chunks of which wanted holds for
// an extent. Samples are read as a whole: the last one before a time may lie far back.
func readChunks(f io.ReadSeeker, x *Index, wanted func(Extent) bool) (*Trace, error) {
	tr, err := openAt(f, 0)
	if err != nil {
		return nil, err
	}
	b := newBuilder(tr.header, tr.cfg.MaxCells)
	for i, e := range x.Chunks {
		if e.Type != ChunkNotes && e.Type != ChunkSamples && !(e.Type == ChunkData && slices.ContainsFunc(e.Extents, wanted)) {
			continue
		}
		if err := tr.jump(f, e.Offset, uint32(i)); err != nil {
			return nil, err
		}
		c, err := tr.Next()
		if err != nil {
			return nil, fmt.Errorf("chunk %d of the index: %w", i, err)
		}
		if err := b.chunk(c); err != nil {
			return nil, err
		}
	}
	return b.trace(), nil
}

// jump makes the chunk at offset, which is number seq, the next one.
func (r *Reader) jump(f io.ReadSeeker, offset int64, seq uint32) error {
	if offset != r.offset {
		if _, err := f.Seek(offset, io.SeekStart); err != nil {
			return fmt.Errorf("read trace: %w", err)
		}
		r.r.Reset(f)
	}
	r.offset, r.good, r.seq = offset, offset, seq
	return nil
}
