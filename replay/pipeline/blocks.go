package pipeline

import (
	"fmt"
	"math"
	"math/bits"
)

// Blocks are a window of a stream's blocks, in columns: value i belongs to the i-th block
// of the window. Times and durations are in nanoseconds. A nil column is all zero.
type Blocks struct {
	// Offered is when the block is in the orderer's ledger. A block is not offered
	// before the one before it: where the column falls, its running maximum counts.
	Offered []int64
	// Bytes is the size of the block.
	Bytes []int64
	// Transit is time under way on top of the link's latency.
	Transit []int64
	// Service is the committer's time from the pop until it is ready for the next block.
	Service []int64
}

// Len is the number of blocks.
func (b *Blocks) Len() int { return len(b.Offered) }

// Part returns the blocks from index from to before to.
func (b Blocks) Part(from, to int) Blocks {
	for _, c := range []*[]int64{&b.Offered, &b.Bytes, &b.Transit, &b.Service} {
		if *c != nil {
			*c = (*c)[from:to]
		}
	}
	return b
}

// Columns are the instants of a window's blocks, in nanoseconds since the start of the trace.
type Columns struct {
	Sent, Received, AtDoor, Enqueued, Dequeued []int64
}

// resize makes c columns of n blocks, in the memory that it has if that is enough.
func (c *Columns) resize(n int) {
	for _, column := range []*[]int64{&c.Sent, &c.Received, &c.AtDoor, &c.Enqueued, &c.Dequeued} {
		if cap(*column) < n {
			*column = make([]int64, n)
		}
		*column = (*column)[:n]
	}
}

// maxSum bounds the instants of a run, so that sums of them stay within an int64.
const maxSum = math.MaxInt64 / 4

// limits holds the windows of a stream to what can be computed with.
type limits struct {
	cfg   Config
	seen  int     // blocks
	total float64 // of all that can take time, one after the other, in ns
	zeros []int64 // stand for a nil column
}

func newLimits(cfg Config) limits { return limits{cfg: cfg, total: float64(cfg.Link.Latency)} }

// admit returns an error if columns of b differ in length, or if values are missing,
// negative or beyond the limits, one by one or together with those of earlier windows. It
// puts zeros in the place of nil columns.
func (l *limits) admit(b *Blocks) error {
	n := b.Len()
	if len(l.zeros) < n {
		l.zeros = make([]int64, n)
	}
	if err := l.within("offered", b.Offered, -maxSum, maxSum); err != nil {
		return err
	}
	var sums [3]float64
	for i, c := range []struct {
		name   string
		column *[]int64
		top    int64
	}{{"bytes", &b.Bytes, MaxBlockBytes}, {"transit", &b.Transit, int64(MaxDuration)}, {"service", &b.Service, int64(MaxDuration)}} {
		switch {
		case *c.column == nil:
			*c.column = l.zeros[:n]
			continue
		case len(*c.column) != n:
			return fmt.Errorf("pipeline: %d values of %s for %d blocks", len(*c.column), c.name, n)
		}
		if err := l.within(c.name, *c.column, 0, c.top); err != nil {
			return err
		}
		sums[i] = sum(*c.column)
	}
	bytes, intake := sums[0], l.cfg.Intake
	each := l.cfg.Policy.Retry + intake.Resume + l.cfg.Wake + intake.Fixed
	l.total += float64(n)*float64(each) + bytes/1024*float64(intake.PerKiB) + sums[1] + sums[2]
	if l.cfg.Link.Bandwidth > 0 {
		l.total += min(bytes/float64(l.cfg.Link.Bandwidth)*1e9, float64(n)*float64(MaxDuration))
	}
	if l.seen += n; l.total > maxSum {
		return fmt.Errorf("pipeline: the times of %d blocks add up to %.3g s, more than can be computed with", l.seen, l.total/1e9)
	}
	return nil
}

func (l *limits) within(name string, column []int64, low, top int64) error {
	for i, v := range column {
		if v < low || v > top {
			return fmt.Errorf("pipeline: %s of block at index %d is %d: must be %d to %d", name, l.seen+i, v, low, top)
		}
	}
	return nil
}

// sum adds up values that are not negative.
func sum(column []int64) float64 {
	var low, high, carry uint64
	for _, v := range column {
		low, carry = bits.Add64(low, uint64(v), 0)
		high += carry
	}
	return math.Ldexp(float64(high), 64) + float64(low)
}
