package pipeline

import (
	"cmp"
	"fmt"
	"math"

	"github.com/blockreel/blockreel/internal/offheap"
)

// Blocks are what a stream's blocks bring with them, in columns: value i belongs to
// the i-th block. Times and durations are in nanoseconds. A nil column is all zero.
type Blocks struct {
	// Offered is when the block is in the orderer's ledger. A block is not offered
	// before the one before it: where the column falls, its running maximum counts.
	Offered []int64
	// Bytes is the size of the block.
	Bytes []int64
	// Transit is time under way on top of the link's latency.
	Transit []int64
	// Validate, Commit and Turnaround are the committer's: from the pop to validated,
	// from there to committed, from there to ready for the next block.
	Validate, Commit, Turnaround []int64
}

// Len is the number of blocks.
func (b *Blocks) Len() int { return len(b.Offered) }

// First returns the first n blocks.
func (b Blocks) First(n int) Blocks {
	for _, c := range []*[]int64{&b.Offered, &b.Bytes, &b.Transit, &b.Validate, &b.Commit, &b.Turnaround} {
		if *c != nil {
			*c = (*c)[:n]
		}
	}
	return b
}

// maxSum bounds the instants of a run, so that sums of them stay within an int64.
const maxSum = math.MaxInt64 / 4

// validate says what is wrong with the columns: lengths that differ, and values that
// are missing, negative or beyond the limits, one by one or, under cfg, all together.
func (b *Blocks) validate(cfg Config) error {
	n, longest := b.Len(), int64(MaxDuration)
	return cmp.Or(
		within("offered", b.Offered, n, -maxSum, maxSum),
		within("bytes", b.Bytes, n, 0, MaxBlockBytes),
		within("transit", b.Transit, n, 0, longest),
		within("validate", b.Validate, n, 0, longest),
		within("commit", b.Commit, n, 0, longest),
		within("turnaround", b.Turnaround, n, 0, longest),
		b.fits(cfg),
	)
}

func within(name string, column []int64, n int, low, top int64) error {
	if column != nil && len(column) != n {
		return fmt.Errorf("pipeline: %d values of %s for %d blocks", len(column), name, n)
	}
	for i, v := range column {
		if v < low || v > top {
			return fmt.Errorf("pipeline: %s of block at index %d is %d: must be %d to %d", name, i, v, low, top)
		}
	}
	return nil
}

// fits says whether all that can take time, one after the other, stays below maxSum.
func (b *Blocks) fits(cfg Config) error {
	fixed := cfg.Policy.Retry + cfg.Intake.Resume + cfg.Wake
	total := float64(cfg.Link.Latency) + float64(fixed)*float64(b.Len())
	for i := range min(b.Len(), len(b.Bytes)) {
		total += float64(cfg.Link.transmission(b.Bytes[i])) + float64(cfg.Intake.Cost(b.Bytes[i]))
	}
	for _, c := range [][]int64{b.Transit, b.Validate, b.Commit, b.Turnaround} {
		for _, d := range c {
			total += float64(d)
		}
	}
	if total > maxSum {
		return fmt.Errorf("pipeline: the times of %d blocks add up to %.3g s, more than can be computed with", b.Len(), total/1e9)
	}
	return nil
}

// at is the value of a column that may be nil.
func at(column []int64, i int) int64 {
	if column == nil {
		return 0
	}
	return column[i]
}

// Columns are the instants of a stream's blocks, in nanoseconds since the start of
// the trace.
type Columns struct {
	Sent, Received, AtDoor, Enqueued, Dequeued, Validated, Committed []int64
}

// NewColumns returns columns for n blocks.
func NewColumns(n int) *Columns {
	next := func() []int64 { return offheap.Make[int64](n) }
	return &Columns{next(), next(), next(), next(), next(), next(), next()}
}

// Free gives the memory of the columns back, which the collector may not do of long ones.
func (c *Columns) Free() {
	for _, column := range [][]int64{c.Sent, c.Received, c.AtDoor, c.Enqueued, c.Dequeued, c.Validated, c.Committed} {
		offheap.Free(column)
	}
	*c = Columns{}
}
