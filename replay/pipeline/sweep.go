package pipeline

import (
	"errors"
	"fmt"
	"time"

	"github.com/blockreel/blockreel/internal/offheap"
	"github.com/blockreel/blockreel/traces/event"
)

// A Sweep answers for many buffer sizes what Solve answers for one. Over a link without
// a window the arrivals do not depend on the buffer, so they are computed once; what
// is left for each size is the door and the committer. It is not changed after
// NewSweep: many goroutines may use it, each with its own Scratch.
type Sweep struct {
	cfg      Config
	blocks   Blocks
	offered  []int64 // the running maximum
	arrives  []int64
	intake   []int64
	service  []int64 // from the pop until ready for the next block
	tail     int64   // from the last pop to the last commit
	windowed bool
}

// Point is what a sweep finds for one buffer size.
type Point struct {
	// N is the buffer size.
	N int
	// End is the instant of the last commit.
	End event.Time
	// Starved is the time during which the committer was idle although the orderer
	// held a block that the peer lacked.
	Starved time.Duration
	// Blocked is the time during which a block stood at the shut door.
	Blocked time.Duration
}

// Scratch is the memory that one goroutine sweeps with. The zero value is ready.
type Scratch struct {
	dequeued []int64
	columns  *Columns
}

// Free gives the memory back.
func (c *Scratch) Free() {
	offheap.Free(c.dequeued)
	if c.columns != nil {
		c.columns.Free()
	}
	*c = Scratch{}
}

// NewSweep prepares a sweep over sizes of cfg's buffer; cfg.Policy.N is not used.
func NewSweep(cfg Config, b Blocks) (*Sweep, error) {
	cfg = cfg.WithBuffer(1)
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("pipeline: %w", err)
	}
	if cfg.Policy.NonBlocking || cfg.Policy.Unbounded {
		return nil, errors.New("pipeline: a sweep is over the sizes of a bounded, blocking buffer")
	}
	if err := b.validate(cfg); err != nil {
		return nil, err
	}
	n := b.Len()
	s := &Sweep{cfg: cfg, blocks: b, windowed: cfg.Link.Window > 0}
	if n == 0 {
		return s, nil
	}
	s.tail = at(b.Validate, n-1) + at(b.Commit, n-1)
	s.service = sum(n, b.Validate, b.Commit, b.Turnaround)
	s.offered = offheap.Make[int64](n)
	latest := past
	for i, t := range b.Offered {
		latest = max(latest, t)
		s.offered[i] = latest
	}
	if s.windowed {
		return s, nil
	}
	s.arrives, s.intake = offheap.Make[int64](n), offheap.Make[int64](n)
	link := sendState{link: cfg.Link, sent: past}
	for i := range n {
		bytes := at(b.Bytes, i)
		_, s.arrives[i] = link.send(i, b.Offered[i], bytes, at(b.Transit, i), &b, nil)
		s.intake[i] = int64(cfg.Intake.Cost(bytes))
	}
	return s, nil
}

// Free gives the memory of the sweep back; its blocks are the caller's.
func (s *Sweep) Free() {
	for _, column := range [][]int64{s.offered, s.arrives, s.intake, s.service} {
		offheap.Free(column)
	}
	*s = Sweep{}
}

// sum returns the sum of columns that may be nil, block by block.
func sum(n int, columns ...[]int64) []int64 {
	total := offheap.Make[int64](n)
	for _, c := range columns {
		for i, v := range c {
			total[i] += v
		}
	}
	return total
}

// Run finds the points of the buffer sizes ns, one each, in out.
func (s *Sweep) Run(ns []int, out []Point, scratch *Scratch) error {
	for _, n := range ns {
		if n < 1 || n > MaxBuffer {
			return fmt.Errorf("pipeline: buffer size N is %d: choose 1 to %d blocks", n, MaxBuffer)
		}
	}
	scratch.fit(s)
	for i, n := range ns {
		out[i] = s.one(n, scratch)
	}
	return nil
}

// Dequeued fills dst, one value a block, with the instants of the pops for buffer size
// n, and returns its point.
func (s *Sweep) Dequeued(n int, dst []int64, scratch *Scratch) (Point, error) {
	var p [1]Point
	if err := s.Run([]int{n}, p[:], scratch); err != nil {
		return Point{}, err
	}
	from := scratch.dequeued
	if s.windowed {
		from = scratch.columns.Dequeued
	}
	if copy(dst, from) < s.blocks.Len() {
		return Point{}, fmt.Errorf("pipeline: column for %d blocks, not for %d", len(dst), s.blocks.Len())
	}
	return p[0], nil
}

func (c *Scratch) fit(s *Sweep) {
	n := s.blocks.Len()
	if s.windowed {
		if c.columns == nil || len(c.columns.Sent) != n {
			c.Free()
			c.columns = NewColumns(n)
		}
		return
	}
	if cap(c.dequeued) < n {
		offheap.Free(c.dequeued)
		c.dequeued = offheap.Make[int64](n)
	}
	c.dequeued = c.dequeued[:n]
}
