package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/blockreel/blockreel/replay/block"
	"github.com/blockreel/blockreel/traces/event"
)

// Recorded is the cost model over a trace: it takes for each block the time that
// the trace's ledger took, scaled, and stores nothing. In simulated time a driver
// asks for Times; in real time it uses Validate and Commit, which wait.
//
// A wait that the machine has made too long is taken off the next one, so that
// waits do not add up to more than the trace has.
type Recorded struct {
	first  event.BlockNum
	times  []Times
	scale  Scale
	height event.Height
	debt   time.Duration // by which the last wait was too long
}

// NewRecorded returns the model in which block first+i takes times[i], scaled.
func NewRecorded(first event.BlockNum, times []Times, scale Scale) *Recorded {
	return &Recorded{first: first, times: times, scale: scale, height: event.Height(first)}
}

// Name returns "recorded" and, in brackets, the scale if it changes something.
func (r *Recorded) Name() string {
	if s := r.scale.String(); s != "" {
		return "recorded[" + s + "]"
	}
	return "recorded"
}

// Height returns the number of the block that comes next.
func (r *Recorded) Height() event.Height { return r.height }

// Times returns what block n takes; ok is false when the trace does not have it.
func (r *Recorded) Times(n event.BlockNum) (t Times, ok bool) {
	if n < r.first || n-r.first >= event.BlockNum(len(r.times)) {
		return Times{}, false
	}
	return r.scale.Apply(r.times[n-r.first]), true
}

// Validate waits for the validation time of b.
func (r *Recorded) Validate(ctx context.Context, b *block.Block) error {
	t, err := r.next(b)
	if err != nil {
		return err
	}
	return r.wait(ctx, t.Validate)
}

// Commit waits for the commit time of b and returns its stages.
func (r *Recorded) Commit(ctx context.Context, b *block.Block) (block.Stages, error) {
	t, err := r.next(b)
	if err != nil {
		return block.Stages{}, err
	}
	if err := r.wait(ctx, t.Commit); err != nil {
		return block.Stages{}, err
	}
	r.height++
	return t.Stages, nil
}

func (r *Recorded) next(b *block.Block) (Times, error) {
	if event.Height(b.Number) != r.height {
		return Times{}, fmt.Errorf("block %d: the ledger wants block %d next", b.Number, r.height)
	}
	t, ok := r.Times(b.Number)
	if !ok {
		return Times{}, fmt.Errorf("block %d: the trace has no service time for it", b.Number)
	}
	return t, nil
}

func (r *Recorded) wait(ctx context.Context, d time.Duration) error {
	if d <= r.debt {
		r.debt -= d
		return ctx.Err()
	}
	d -= r.debt
	began := time.Now()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	r.debt = time.Since(began) - d
	return nil
}
