package serve

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"

	"github.com/blockreel/blockreel/internal/fabric"
	"github.com/blockreel/blockreel/traces"
)

// place is where a block's payload stands in the spool, and what is in the block.
type place struct {
	number, offset uint64
	length         uint32
	// transactions, and writes if they were counted.
	transactions, writes uint32
	// hash and previous are the first bytes of the block's and of the one's before it:
	// enough to distinguish blocks of different chains.
	hash, previous uint64
}

// spool is a temporary file of payloads. A trace keeps them compressed in chunks of many
// blocks, and readers far apart would decompress the same chunks again and again.
type spool struct {
	file *os.File
	// count asks for the number of the blocks' writes.
	count bool
	// places of each channel's payloads, by number, each number once.
	places map[string][]place
}

// newSpool writes all payloads to a file in dir; empty: the system's place for
// temporary files. count asks for the number of the blocks' writes.
func newSpool(dir string, payloads iter.Seq2[traces.Payload, error], count bool) (*spool, error) {
	file, err := os.CreateTemp(dir, "blockreel-serve-*")
	if err != nil {
		return nil, err
	}
	s := &spool{file: file, count: count, places: map[string][]place{}}
	// Gone with the process, however it ends; close removes it where open files stay.
	_ = os.Remove(file.Name())
	if err := s.fill(payloads); err != nil {
		return nil, errors.Join(err, s.close())
	}
	for channel, places := range s.places {
		slices.SortStableFunc(places, func(a, b place) int { return cmp.Compare(a.number, b.number) })
		s.places[channel] = slices.CompactFunc(places, func(a, b place) bool { return a.number == b.number })
	}
	return s, nil
}

func (s *spool) fill(payloads iter.Seq2[traces.Payload, error]) error {
	out := bufio.NewWriterSize(s.file, 1<<20)
	offset := uint64(0)
	for p, err := range payloads {
		if err != nil {
			return err
		}
		block, err := fabric.ParseBlock(p.Bytes)
		if err != nil {
			return fmt.Errorf("payload of block %d of channel %s: %w", p.Block, p.Channel, err)
		}
		if block.Number != uint64(p.Block) {
			return fmt.Errorf("payload of block %d of channel %s is block %d", p.Block, p.Channel, block.Number)
		}
		if _, err := out.Write(p.Bytes); err != nil {
			return err
		}
		if sum := block.SumData(); !bytes.Equal(sum[:], block.DataHash) {
			return fmt.Errorf("payload of block %d of channel %s: %w: a peer would refuse it (of blocks that were recorded as headers there is nothing to serve)",
				p.Block, p.Channel, fabric.ErrDataHash)
		}
		hash := block.HeaderHash()
		at := place{number: block.Number, offset: offset, length: uint32(len(p.Bytes)), transactions: uint32(block.Transactions),
			hash: binary.BigEndian.Uint64(hash[:])}
		if len(block.PreviousHash) >= 8 {
			at.previous = binary.BigEndian.Uint64(block.PreviousHash)
		}
		if s.count {
			// Those of a transaction that cannot be read are not counted.
			writes, _ := block.Writes()
			at.writes = uint32(writes.Count)
		}
		s.places[p.Channel] = append(s.places[p.Channel], at)
		offset += uint64(len(p.Bytes))
	}
	return out.Flush()
}

// read gives a copy of a payload. Any number of goroutines may read.
func (s *spool) read(p place) ([]byte, error) {
	raw := make([]byte, p.length)
	if _, err := s.file.ReadAt(raw, int64(p.offset)); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, fmt.Errorf("payload of block %d: %w", p.number, err)
	}
	return raw, nil
}

func (s *spool) close() error {
	err := s.file.Close()
	if removed := os.Remove(s.file.Name()); removed != nil && !errors.Is(removed, os.ErrNotExist) {
		err = errors.Join(err, removed)
	}
	return err
}
