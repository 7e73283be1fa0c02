package pipeline

import (
	"fmt"
	"time"
)

// A Sweep answers for many buffer sizes what a Solver answers for one, in one walk over the
// stream: each window goes through all sizes, four at a time, while the processor's cache
// has it. Over a link without a window the arrivals do not depend on the buffer, so that
// only the door and the committer are left for each size. Of the blocks before a window it
// keeps the last 2N + 1 pops of each size.
type Sweep struct {
	limits   limits
	sizes    []int
	sender   sender
	offered  int64 // the latest
	arrivals []arrival
	times    times
	lanes    []lane
	work     [together][]int64
	// Over a link with a window each size has a Solver.
	solvers []*Solver
	columns Columns
}

// Point is what a sweep has found for one buffer size.
type Point struct {
	// N is the buffer size.
	N int
	// Starved is the time during which the committer was idle although the orderer
	// held a block that the peer lacked.
	Starved time.Duration
	// Blocked is the time during which a block stood at the shut door.
	Blocked time.Duration
}

// arrival is what is the same for all sizes, of one block.
type arrival struct {
	offered int64 // the running maximum
	arrives int64
	intake  int64
	service int64
}

// times are those of the pipeline that a lane needs.
type times struct{ retry, resume, wake int64 }

// lane is a buffer size between two blocks.
type lane struct {
	begins           int64 // the next intake, if its block is there
	ready            int64 // the committer
	starved, blocked int64
	cold             bool // see warm
	pops             history
}

// NewSweep prepares a sweep over sizes of cfg's buffer; cfg.Policy.N is not used.
func NewSweep(cfg Config, sizes []int) (*Sweep, error) {
	if !cfg.Policy.Bounded() {
		return nil, fmt.Errorf("pipeline: a buffer that is %s has no size to sweep over", cfg.Policy.Name)
	}
	s := &Sweep{sizes: sizes, sender: newSender(cfg.Link), offered: past}
	for _, n := range sizes {
		cfg = cfg.WithBuffer(n)
		if err := cfg.Validate(); err != nil {
			return nil, fmt.Errorf("pipeline: %w", err)
		}
		l := lane{begins: past, ready: past}
		if cfg.Link.Window > 0 {
			solver, err := NewSolver(cfg)
			if err != nil {
				return nil, err
			}
			s.solvers = append(s.solvers, solver)
		} else {
			l.pops = newHistory(cfg.Policy.Capacity())
		}
		s.lanes = append(s.lanes, l)
	}
	s.limits, s.times = newLimits(cfg), times{int64(cfg.Policy.Retry), int64(cfg.Intake.Resume), int64(cfg.Wake)}
	return s, nil
}

// Next takes all sizes over the next blocks of the stream. It calls each for every size, by
// its index, with the instants of the pops, which are each's to read until it returns. After
// an error the Sweep is of no more use.
func (s *Sweep) Next(b Blocks, each func(lane int, dequeued []int64)) error {
	if err := s.limits.admit(&b); err != nil {
		return err
	}
	s.arrive(&b)
	if s.solvers != nil {
		s.solve(&b, each)
		return nil
	}
	for from := 0; from < len(s.lanes) && b.Len() > 0; from += together {
		var (
			lanes       [together]lane // the last one fills places that are left
			rooms, pops [together][]int64
		)
		for i := range lanes {
			lanes[i] = s.lanes[min(from+i, len(s.lanes)-1)]
			rooms[i], pops[i] = lanes[i].pops.before(b.Len(), &s.work[i])
		}
		s.walk(&lanes, &rooms, &pops)
		for i := range min(together, len(s.lanes)-from) {
			lanes[i].pops.add(pops[i])
			s.lanes[from+i] = lanes[i]
			each(from+i, pops[i])
		}
	}
	return nil
}

// Points returns what was found until now, one for each size.
func (s *Sweep) Points() []Point {
	points := make([]Point, len(s.lanes))
	for i, l := range s.lanes {
		points[i] = Point{N: s.sizes[i], Starved: time.Duration(l.starved), Blocked: time.Duration(l.blocked)}
	}
	return points
}

// arrive fills in the arrivals of a window, and after them one whose instants are not known.
func (s *Sweep) arrive(b *Blocks) {
	s.arrivals = s.arrivals[:0]
	for i, offered := range b.Offered {
		s.offered = max(s.offered, offered)
		a := arrival{offered: s.offered, intake: int64(s.limits.cfg.Intake.Cost(b.Bytes[i])), service: b.Service[i]}
		if s.solvers == nil {
			_, a.arrives = s.sender.send(offered, b.Bytes[i], b.Transit[i])
		}
		s.arrivals = append(s.arrivals, a)
	}
	s.arrivals = append(s.arrivals, arrival{arrives: past})
}

// solve takes all sizes over a window of blocks on a link with a window.
func (s *Sweep) solve(b *Blocks, each func(lane int, dequeued []int64)) {
	c := &s.columns
	c.resize(b.Len())
	for i, solver := range s.solvers {
		solver.solve(b, c)
		l := &s.lanes[i]
		for k, a := range s.arrivals[:b.Len()] {
			l.starved += c.Dequeued[k] - max(l.ready, a.offered)
			l.ready = c.Dequeued[k] + a.service
			l.blocked += c.Enqueued[k] - c.AtDoor[k]
		}
		each(i, c.Dequeued)
	}
}
