package replay

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/replay/cost"
	"github.com/blockreel/blockreel/replay/pipeline"
	"github.com/blockreel/blockreel/traces"
)

// A SweepResult is the curve over N. With several streams, which share the peer's
// setting, the points at its head are those of all of them together: the longest
// makespan and starved time, the largest gap, the latencies of all blocks, the sum of
// the memory.
type SweepResult struct {
	analysis.Sweep
	// Ledger is the spec of the ledger whose cost model was swept, HeldOut its
	// errors; without one the services are the recorded.
	Ledger  string        `json:"ledger,omitempty"`
	HeldOut *cost.HeldOut `json:"held_out_error,omitempty"`
	// Streams has the curve of each stream when there are several.
	Streams []analysis.Sweep `json:"streams,omitempty"`
	// Identity is, for each stream, how its replay differs from the trace.
	Identity []Identity `json:"-"`
	// Facts say how the parameters were obtained.
	Facts []string `json:"facts"`
}

// SweepCosts finds the curve of every cost model of s, in its order.
func SweepCosts(ctx context.Context, tr *traces.Trace, s Scenario) ([]*SweepResult, error) {
	costs, report := s.Costs, s.Progress
	all := make([]*SweepResult, len(costs))
	for i, c := range costs {
		s.Costs = []*cost.Model{c}
		if report != nil {
			s.Progress = func(done, n int) { report(i*n+done, len(costs)*n) }
		}
		var err error
		if all[i], err = SweepTrace(ctx, tr, s); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// SweepTrace finds the curve for s.Buffers, of recorded services or those of the only one of
// s.Costs, in simulated time and on all processors. s.Progress counts buffer sizes.
func SweepTrace(ctx context.Context, tr *traces.Trace, s Scenario) (*SweepResult, error) {
	s = s.withDefaults()
	if err := s.validate(); err != nil {
		return nil, err
	}
	switch {
	case len(s.Buffers) == 0:
		return nil, errors.New("a sweep needs buffer sizes")
	case len(s.Costs) > 1:
		return nil, errors.New("a sweep is of one cost model: SweepCosts takes several")
	}
	if s.Mode != "" && s.Mode != ModeFabric && s.Mode != ModeIdeal {
		return nil, fmt.Errorf("a sweep over buffer sizes makes no sense for a buffer that is %s", s.Mode)
	}
	models, warnings, err := s.models(tr)
	if err != nil {
		return nil, err
	}
	r := &SweepResult{Facts: []string{}}
	said := traceWarnings(tr, warnings)
	for _, m := range models {
		id, err := m.Identity(ctx)
		if err != nil {
			return nil, err
		}
		r.Identity = append(r.Identity, id)
		if doubt := id.Distrust(); doubt != "" {
			said = append(said, warningsOf(models, m, []string{doubt})...)
		}
	}
	if err := s.takeServices(models); err != nil {
		return nil, err
	}
	s.forecast(models, r)
	curves := make([]*curve, len(models))
	for i, m := range models {
		if curves[i], err = s.curve(m); err != nil {
			return nil, err
		}
		r.Facts = append(r.Facts, named(models, m, m.Facts)...)
		said = append(said, warningsOf(models, m, m.Warnings)...)
		r.Streams = append(r.Streams, analysis.Sweep{
			Channel: m.Stream.Channel, Peer: m.Stream.Peer, Warnings: m.Warnings,
			Points: make([]analysis.SweepPoint, len(s.Buffers)), IdentityError: r.Identity[i].Differences,
			RecordedBuffer: m.recordedBuffer(),
		})
	}
	r.Warnings = append(analysis.Grouped(said), r.Warnings...)
	r.Points = make([]analysis.SweepPoint, len(s.Buffers))
	if err := s.walk(ctx, curves, r); err != nil {
		return nil, err
	}
	r.finish()
	return r, nil
}

// forecast gives the models the services of the scenario's cost model, if it has one.
func (s *Scenario) forecast(models []*Model, r *SweepResult) {
	facts, warnings := s.tellCosts(models)
	r.Facts, r.Warnings = append(r.Facts, facts...), append(r.Warnings, warnings...)
	for _, c := range s.Costs {
		r.Ledger, r.HeldOut = c.Ledger, &c.HeldOut
		for i, m := range models {
			models[i] = m.withCost(c)
		}
	}
}

// walk finds all points of r, every processor those of a stretch of buffer sizes.
func (s *Scenario) walk(ctx context.Context, curves []*curve, r *SweepResult) error {
	var (
		mu   sync.Mutex
		done int
	)
	g, ctx := errgroup.WithContext(ctx)
	n := len(s.Buffers)
	workers := min(runtime.GOMAXPROCS(0), n)
	for w := range workers {
		g.Go(func() error {
			walkers := make([]walker, len(curves))
			for i, c := range curves {
				walkers[i] = newWalker(c)
			}
			var pooled []int64
			for i := w * n / workers; i < (w+1)*n/workers; i++ {
				batch := (i - w*n/workers) % together
				if batch == 0 {
					for j := range walkers {
						if err := walkers[j].sweep(ctx, s.Buffers[i:min(i+together, (w+1)*n/workers)]); err != nil {
							return err
						}
					}
				}
				pooled = pooled[:0]
				for j := range walkers {
					r.Streams[j].Points[i] = walkers[j].point(batch)
					if len(walkers) > 1 {
						pooled = append(pooled, walkers[j].latency...)
					}
				}
				r.Points[i] = joint(r.Streams, i, pooled)
				if s.Progress != nil {
					mu.Lock()
					done++
					s.Progress(done, n)
					mu.Unlock()
				}
			}
			return nil
		})
	}
	return g.Wait()
}

// joint makes one point of those of all streams.
func joint(streams []analysis.Sweep, i int, latency []int64) analysis.SweepPoint {
	if len(streams) == 1 {
		return streams[0].Points[i]
	}
	p := analysis.SweepPoint{Buffer: streams[0].Points[i].Buffer, Latency: analysis.Summarize(latency)}
	bytes, known := int64(0), true
	for _, one := range streams {
		q := one.Points[i]
		p.Makespan, p.MaxGap, p.Starved = max(p.Makespan, q.Makespan), max(p.MaxGap, q.MaxGap), max(p.Starved, q.Starved)
		b, ok := q.BufferBytes.Get()
		bytes, known = bytes+b, known && ok
	}
	if known {
		p.BufferBytes = analysis.Known(bytes)
	}
	return p
}

// finish finds knee and recommendation of every stream, and of all together.
func (r *SweepResult) finish() {
	recommended, all := int64(0), true
	for i := range r.Streams {
		one := &r.Streams[i]
		one.Knee, one.RecommendedBuffer = analysis.Knee(one.Points), analysis.Recommend(one.Points)
		n, ok := one.RecommendedBuffer.Get()
		recommended, all = max(recommended, n), all && ok
		if worse(one.IdentityError, r.IdentityError) {
			r.IdentityError = one.IdentityError
		}
	}
	r.Channel, r.Peer, r.RecordedBuffer = r.Streams[0].Channel, r.Streams[0].Peer, r.Streams[0].RecordedBuffer
	for _, one := range r.Streams {
		if one.RecordedBuffer != r.RecordedBuffer {
			r.RecordedBuffer = analysis.Optional[int64]{}
		}
	}
	r.Knee = analysis.Knee(r.Points)
	if all {
		r.RecommendedBuffer = analysis.Known(recommended)
	}
	if len(r.Streams) == 1 {
		r.Streams = nil
		return
	}
	r.Channel, r.Peer = fmt.Sprintf("%d streams", len(r.Streams)), ""
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

// A curve is one stream ready for a sweep.
type curve struct {
	cfg    pipeline.Config
	blocks pipeline.Blocks
	sized  bool
	// tail is, for each block, the time from its pop to its commit.
	tail []int64
	// floor is what a buffer without limits starves: the way of the blocks, which no N
	// wins back.
	floor int64
}

func (c *curve) len() int { return c.blocks.Len() }

func (s *Scenario) curve(m *Model) (*curve, error) {
	cfg, err := s.config(m, s.Buffers[0], s.Mode)
	if err != nil {
		return nil, err
	}
	c := &curve{cfg: cfg, blocks: m.blocks(s.Scale), sized: m.sized, tail: make([]int64, m.Len())}
	for i, t := range m.Times {
		c.tail[i] = tail(s.Scale.Apply(t))
	}
	unlimited, err := c.sweep([]int{min(max(m.Len(), 1), pipeline.MaxBuffer)}, func(int, int, []int64) {})
	if err != nil {
		return nil, err
	}
	c.floor = int64(unlimited[0].Starved)
	return c, nil
}

// sweep takes sizes over all blocks. It calls each with the pops of a window that begins with
// block from.
func (c *curve) sweep(sizes []int, each func(lane, from int, dequeued []int64)) ([]pipeline.Point, error) {
	s, err := pipeline.NewSweep(c.cfg, sizes)
	if err != nil {
		return nil, err
	}
	for from := 0; from < c.len(); from += solved {
		err := s.Next(c.blocks.Part(from, min(from+solved, c.len())), func(lane int, dequeued []int64) { each(lane, from, dequeued) })
		if err != nil {
			return nil, err
		}
	}
	return s.Points(), nil
}

// together is the number of sizes that a walker takes over the blocks at once.
const together = 3

// walker is one processor's part of the sweep of a curve.
type walker struct {
	*curve
	found     []pipeline.Point
	committed [together][]int64 // for each of found
	latency   []int64           // of the last point
}

func newWalker(c *curve) walker {
	w := walker{curve: c, latency: make([]int64, c.len())}
	for i := range w.committed {
		w.committed[i] = make([]int64, c.len())
	}
	return w
}

// sweep finds the commits for buffer sizes.
func (w *walker) sweep(ctx context.Context, sizes []int) (err error) {
	w.found, err = w.curve.sweep(sizes, func(lane, from int, dequeued []int64) {
		committed, tail := w.committed[lane][from:], w.tail[from:]
		for i, popped := range dequeued {
			committed[i] = popped + tail[i]
		}
	})
	return errors.Join(err, ctx.Err())
}

// point returns the figures for one of the sizes of the last sweep.
func (w *walker) point(lane int) analysis.SweepPoint {
	found, committed, offered := w.found[lane], w.committed[lane], w.blocks.Offered
	gap, held := 0, 0 // held: blocks committed when block i is offered
	for i, t := range offered {
		w.latency[i] = committed[i] - t
		if i+1 < len(offered) && offered[i+1] == t {
			continue // the height at this instant is that of the last block offered in it
		}
		for held < len(committed) && committed[held] <= t {
			held++
		}
		gap = max(gap, i+1-held)
	}
	return analysis.SweepPoint{
		Buffer:      int64(found.N),
		Makespan:    committed[len(committed)-1] - offered[0],
		MaxGap:      int64(gap),
		Latency:     analysis.Summarize(w.latency),
		Starved:     max(int64(found.Starved)-w.floor, 0),
		BufferBytes: window(w.blocks.Bytes, 2*found.N+2, w.sized),
	}
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
