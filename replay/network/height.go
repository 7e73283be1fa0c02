package network

import (
	"context"
	"sync"
)

// height is the number of blocks of a channel that a node has, and that others wait for.
type height struct {
	mu     sync.Mutex
	blocks uint64
	grown  chan struct{} // closed when blocks grows; nil when nobody waits
}

func (h *height) get() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.blocks
}

// reach lets the height grow to blocks, if it is lower.
func (h *height) reach(blocks uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if blocks <= h.blocks {
		return
	}
	h.blocks = blocks
	if h.grown != nil {
		close(h.grown)
		h.grown = nil
	}
}

// wait returns when the height is above number, or ctx is done.
func (h *height) wait(ctx context.Context, number uint64) error {
	for {
		h.mu.Lock()
		if h.blocks > number {
			h.mu.Unlock()
			return nil
		}
		if h.grown == nil {
			h.grown = make(chan struct{})
		}
		grown := h.grown
		h.mu.Unlock()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-grown:
		}
	}
}
