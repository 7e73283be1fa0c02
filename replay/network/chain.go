package network

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// chain is the orderer's ledger of a channel: a file of length-delimited blocks. What is
// in memory is eight bytes a block. Blocks are in the file before their time; height
// says which are offered. It is a deliver.Ledger.
type chain struct {
	channel string
	file    *os.File
	height  height // of what is offered

	mu   sync.RWMutex
	ends []int64 // offsets at which the records end
	room []byte  // of append
}

func chainPath(dir, channel string) string {
	return filepath.Join(dir, ordererName, channel, "blocks")
}

func newChain(dir, channel string) (*chain, error) {
	path := chainPath(dir, channel)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	return &chain{channel: channel, file: file}, nil
}

// append stores the next block. One goroutine calls it.
func (c *chain) append(raw []byte) error {
	c.room = append(binary.AppendUvarint(c.room[:0], uint64(len(raw))), raw...)
	end := int64(0)
	if n := len(c.ends); n > 0 {
		end = c.ends[n-1]
	}
	if _, err := c.file.WriteAt(c.room, end); err != nil {
		return fmt.Errorf("the orderer's ledger: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ends = append(c.ends, end+int64(len(c.room)))
	return nil
}

// read gives a block that is in the file.
func (c *chain) read(number uint64) ([]byte, error) {
	c.mu.RLock()
	if number >= uint64(len(c.ends)) {
		c.mu.RUnlock()
		return nil, fmt.Errorf("block %d of channel %s does not exist", number, c.channel)
	}
	from, end := int64(0), c.ends[number]
	if number > 0 {
		from = c.ends[number-1]
	}
	c.mu.RUnlock()
	record := make([]byte, end-from)
	if _, err := c.file.ReadAt(record, from); err != nil {
		return nil, fmt.Errorf("block %d of channel %s: %w", number, c.channel, err)
	}
	_, n := binary.Uvarint(record)
	return record[n:], nil
}

func (c *chain) Oldest() uint64 { return 0 }
func (c *chain) Height() uint64 { return c.height.get() }

// Block waits until the block is offered.
func (c *chain) Block(ctx context.Context, number uint64) ([]byte, error) {
	if err := c.height.wait(ctx, number); err != nil {
		return nil, err
	}
	return c.read(number)
}
