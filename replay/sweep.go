package replay

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/replay/pipeline"
	"github.com/blockreel/blockreel/traces"
)

// maxSweepBlocks bounds what a sweep keeps in memory: with a column a core and eight
// for the trace, 2^26 blocks are 5 GB.
const maxSweepBlocks = traces.MaxTimelineBlocks

// A SweepResult is the curve over N. With several streams, which share the peer's
// setting, the points at its head are those of all of them together: the longest
// makespan, the largest gap, the latencies of all blocks, the sums of starved time and
// memory.
type SweepResult struct {
	analysis.Sweep
	// Streams has the curve of each stream when there are several.
	Streams []analysis.Sweep `json:"streams,omitempty"`
	// Identity is, for each stream, how its replay differs from the trace.
	Identity []Identity `json:"-"`
	// Facts say how the parameters were obtained.
	Facts []string `json:"facts"`
}

// SweepTrace finds the curve for s.Buffers, of recorded services only, in simulated
// time. s.Progress counts points.
func SweepTrace(ctx context.Context, tr *traces.Trace, s Scenario) (*SweepResult, error) {
	if err := s.validate(); err != nil {
		return nil, err
	}
	if len(s.Buffers) == 0 {
		return nil, fmt.Errorf("a sweep needs buffer sizes")
	}
	if s.Mode != "" && s.Mode != ModeFabric && s.Mode != ModeIdeal {
		return nil, fmt.Errorf("a sweep over buffer sizes makes no sense for a buffer that is %s", s.Mode)
	}
	models, warnings, err := s.models(tr)
	if err != nil {
		return nil, err
	}
	r := &SweepResult{}
	r.Warnings = append([]string{}, warnings...)
	for _, m := range models {
		id, err := m.Identity(ctx)
		if err != nil {
			return nil, err
		}
		r.Identity = append(r.Identity, id)
	}
	if err := s.takeServices(models); err != nil {
		return nil, err
	}
	pooled := make([]*pool, len(s.Buffers))
	for i := range pooled {
		pooled[i] = &pool{}
	}
	if len(models) == 1 {
		pooled = nil
	}
	for i, m := range models {
		if m.Len() > maxSweepBlocks {
			return nil, fmt.Errorf("stream %s: %d blocks are more than a sweep can hold", m.Stream.Name(), m.Len())
		}
		one, err := s.sweep(ctx, m, pooled, i*len(s.Buffers), len(models)*len(s.Buffers))
		if err != nil {
			return nil, err
		}
		one.IdentityError = r.Identity[i].Differences
		r.Facts = append(r.Facts, named(models, m, m.Facts)...)
		r.Warnings = append(r.Warnings, named(models, m, m.Warnings)...)
		r.Streams = append(r.Streams, one)
	}
	r.merge(pooled)
	return r, nil
}

// pool collects the latencies of one buffer size over all streams.
type pool struct{ latency []int64 }

// merge makes the head of the result from its streams.
func (r *SweepResult) merge(pooled []*pool) {
	if len(r.Streams) == 1 {
		warnings := r.Warnings
		r.Sweep = r.Streams[0]
		r.Warnings = warnings
		r.Streams = nil
		return
	}
	r.Points = make([]analysis.SweepPoint, len(pooled))
	for i := range r.Points {
		p := analysis.SweepPoint{Buffer: r.Streams[0].Points[i].Buffer, BufferBytes: analysis.Known[int64](0)}
		for _, one := range r.Streams {
			q := one.Points[i]
			p.Makespan, p.MaxGap = max(p.Makespan, q.Makespan), max(p.MaxGap, q.MaxGap)
			p.Starved += q.Starved
			if b, ok := q.BufferBytes.Get(); ok && p.BufferBytes.Known() {
				p.BufferBytes = analysis.Known(p.BufferBytes.Or(0) + b)
			} else {
				p.BufferBytes = analysis.Optional[int64]{}
			}
		}
		p.Latency = analysis.Summarize(pooled[i].latency)
		r.Points[i] = p
	}
	r.Channel = fmt.Sprintf("%d streams", len(r.Streams))
	r.Knee = analysis.Knee(r.Points)
	recommended, all := int64(0), true
	for _, one := range r.Streams {
		n, ok := one.RecommendedBuffer.Get()
		recommended, all = max(recommended, n), all && ok
		if worse(one.IdentityError, r.IdentityError) {
			r.IdentityError = one.IdentityError
		}
	}
	if all {
		r.RecommendedBuffer = analysis.Known(recommended)
	}
}

// worse reports whether the identity error a is worse than b.
func worse(a, b analysis.Differences) bool {
	if b == nil {
		return true
	}
	x, known := a.Worst().Get()
	y, other := b.Worst().Get()
	return !known || other && x > y
}

// sweep finds the points of one stream, on all cores.
func (s *Scenario) sweep(ctx context.Context, m *Model, pooled []*pool, before, all int) (analysis.Sweep, error) {
	one := analysis.Sweep{Channel: m.Stream.Channel, Peer: m.Stream.Peer, Points: make([]analysis.SweepPoint, len(s.Buffers))}
	cfg, err := s.config(m, s.Buffers[0])
	if err != nil {
		return one, err
	}
	blocks := m.blocks(s.Scale)
	sweep, err := pipeline.NewSweep(cfg, blocks)
	if err != nil {
		return one, err
	}
	// What a buffer without limits starves is the way of the blocks: no N wins it back.
	unlimited := []int{min(max(m.Len(), 1), pipeline.MaxBuffer)}
	floor := make([]pipeline.Point, 1)
	if err := sweep.Run(unlimited, floor, &pipeline.Scratch{}); err != nil {
		return one, err
	}
	tail := committedAfterPop(blocks)
	var done atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	workers := min(runtime.GOMAXPROCS(0), len(s.Buffers))
	for w := range workers {
		lo, hi := w*len(s.Buffers)/workers, (w+1)*len(s.Buffers)/workers
		g.Go(func() error {
			walk := walker{sweep: sweep, blocks: blocks, tail: tail, committed: make([]int64, m.Len()), latency: make([]int64, m.Len())}
			for i := lo; i < hi; i++ {
				if err := ctx.Err(); err != nil {
					return err
				}
				p, err := walk.point(s.Buffers[i], int64(floor[0].Starved))
				if err != nil {
					return err
				}
				if pooled != nil {
					pooled[i].latency = append(pooled[i].latency, walk.latency...)
				}
				p.BufferBytes = window(blocks.Bytes, 2*s.Buffers[i]+2, m.sized)
				one.Points[i] = p
				if n := done.Add(1); s.Progress != nil {
					s.Progress(before+int(n), all, m.Stream.Name())
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return one, err
	}
	one.Knee, one.RecommendedBuffer = analysis.Knee(one.Points), analysis.Recommend(one.Points)
	one.Warnings = m.Warnings
	return one, nil
}

// committedAfterPop is, for each block, the time from its pop to its commit.
func committedAfterPop(b pipeline.Blocks) []int64 {
	tail := make([]int64, b.Len())
	for i := range tail {
		tail[i] = b.Validate[i] + b.Commit[i]
	}
	return tail
}

// walker is one core's part of a sweep.
type walker struct {
	sweep              *pipeline.Sweep
	blocks             pipeline.Blocks
	tail               []int64
	scratch            pipeline.Scratch
	committed, latency []int64
}

// point finds the figures for buffer size n.
func (w *walker) point(n int, floor int64) (analysis.SweepPoint, error) {
	found, err := w.sweep.Dequeued(n, w.committed, &w.scratch)
	if err != nil {
		return analysis.SweepPoint{}, err
	}
	offered := w.blocks.Offered
	gap, held := 0, 0 // held: blocks committed when block i is offered
	for i, t := range w.tail {
		w.committed[i] += t
		w.latency[i] = w.committed[i] - offered[i]
	}
	for i, t := range offered {
		if i+1 < len(offered) && offered[i+1] == t {
			continue // the height at this instant is that of the last block offered in it
		}
		for held < len(w.committed) && w.committed[held] <= t {
			held++
		}
		gap = max(gap, i+1-held)
	}
	return analysis.SweepPoint{
		Buffer:   int64(n),
		Makespan: int64(found.End) - offered[0],
		MaxGap:   int64(gap),
		Latency:  analysis.Summarize(w.latency),
		Starved:  max(int64(found.Starved)-floor, 0),
	}, nil
}

// window is the largest number of bytes of k blocks in a row; not known without sizes.
func window(bytes []int64, k int, known bool) analysis.Optional[int64] {
	if !known {
		return analysis.Optional[int64]{}
	}
	var sum, most int64
	for i, b := range bytes {
		sum += b
		if i >= k {
			sum -= bytes[i-k]
		}
		most = max(most, sum)
	}
	return analysis.Known(most)
}

// DefaultSweep is what a sweep looks at when nothing is said: every N to 50, then
// coarser, to 500.
func DefaultSweep() []int {
	var ns []int
	for n := 1; n <= 500; n += 1 + n/50*2 {
		ns = append(ns, n)
	}
	for _, n := range []int{100, 200, 500} {
		if !slices.Contains(ns, n) {
			ns = append(ns, n)
		}
	}
	slices.Sort(ns)
	return ns
}
