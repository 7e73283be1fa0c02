package analysis

// A Sweep is the figures of one stream over a range of N.
type Sweep struct {
	Channel string `json:"channel"`
	Peer    string `json:"peer"`
	// Points are in order of Buffer.
	Points []SweepPoint `json:"points"`
	// Knee is the least N of the sweep that comes within 5 % of its best makespan; see
	// [Knee]. RecommendedBuffer is the least N with a starved time under 0.1 %
	// of the makespan; see [Recommend].
	Knee              Optional[int64] `json:"knee_buffer"`
	RecommendedBuffer Optional[int64] `json:"recommended_buffer"`
	// RecordedBuffer is the N under which the trace was recorded, where it tells.
	RecordedBuffer Optional[int64] `json:"recorded_buffer"`
	// IdentityError is how a replay with the trace's own settings differs from it:
	// how far to trust the points.
	IdentityError Differences `json:"identity_error"`
	// Trust says in a chart, in place of IdentityError, how far to trust the points of a forecast.
	// Empty: these are no forecast.
	Trust    string   `json:"-"`
	Warnings []string `json:"warnings"`
}

// A SweepPoint is the figures for one N.
type SweepPoint struct {
	Buffer   int64      `json:"buffer"`
	Makespan int64      `json:"makespan_ns"`
	MaxGap   int64      `json:"max_gap_blocks"`
	Latency  *Quantiles `json:"latency_ns"`
	// Starved is the time, in ns, during which the committer was idle although the orderer
	// held blocks that it lacked, less the same of a buffer without limits. A recorded run
	// does not tell what that would be: [StreamStats].Starved leaves out a block's usual way
	// to an idle committer instead, and counts what is late although the door is open.
	Starved int64 `json:"starved_ns"`
	// BufferBytes is the memory that the admitted blocks can take: the bytes of the
	// largest window of 2N + 2 blocks.
	BufferBytes Optional[int64] `json:"buffer_bytes"`
}

const (
	// starvedShare of the makespan is what a recommended buffer may starve.
	starvedShare = 0.001
	// kneeShare is by how much the makespan at the knee may exceed the best.
	kneeShare = 0.05
)

// Knee returns the least N whose makespan is within 5 % of the best of the sweep. It
// does not depend on where the sweep begins; a sweep that begins behind it, all of
// whose points are that good, shows no knee.
func Knee(points []SweepPoint) Optional[int64] {
	if len(points) == 0 {
		return Optional[int64]{}
	}
	best, first := points[0].Makespan, points[0].Buffer
	for _, p := range points {
		best, first = min(best, p.Makespan), min(first, p.Buffer)
	}
	knee := least(points, func(p SweepPoint) bool {
		return float64(p.Makespan-best) <= kneeShare*float64(best)
	})
	if knee == Known(first) {
		return Optional[int64]{}
	}
	return knee
}

// Gain returns by which share of its makespan the recommended N is faster than the one under
// which the trace was recorded; not known unless both are points of the sweep.
func (s *Sweep) Gain() Optional[float64] {
	at := func(n Optional[int64]) (int64, bool) {
		for _, p := range s.Points {
			if n == Known(p.Buffer) {
				return p.Makespan, true
			}
		}
		return 0, false
	}
	recommended, ok := at(s.RecommendedBuffer)
	recorded, known := at(s.RecordedBuffer)
	if !ok || !known || recorded <= 0 {
		return Optional[float64]{}
	}
	return Known(float64(recorded-recommended) / float64(recorded))
}

// Sparse reports whether the sweep leaves out so many N that nothing is known between two of
// them: more than each fourth, or all but one.
func (s *Sweep) Sparse() bool {
	for i := 1; i < len(s.Points); i++ {
		n, next := s.Points[i-1].Buffer, s.Points[i].Buffer
		if next > n+1 && 4*next > 5*n {
			return true
		}
	}
	return len(s.Points) == 1
}

// SmallestSuffices reports whether the recommended N is the smallest of the sweep: this
// load says nothing about how large a buffer has to be.
func (s *Sweep) SmallestSuffices() bool {
	n, ok := s.RecommendedBuffer.Get()
	return ok && len(s.Points) > 0 && n <= s.Points[0].Buffer
}

// FewBlocks returns how many blocks the sweep is made of when these are so few that a
// longer run may need another N.
func (s *Sweep) FewBlocks() (int64, bool) {
	if len(s.Points) == 0 || s.Points[0].Latency == nil {
		return 0, false
	}
	n := s.Points[0].Latency.Count
	return n, n > 0 && n < fewBlocks
}

// Recommend returns the least N whose starved time is under 0.1 % of its makespan,
// if any point of the sweep is.
func Recommend(points []SweepPoint) Optional[int64] {
	return least(points, func(p SweepPoint) bool {
		return float64(p.Starved) < starvedShare*float64(p.Makespan)
	})
}

// least returns the least N of the points that hold.
func least(points []SweepPoint, holds func(SweepPoint) bool) Optional[int64] {
	var n Optional[int64]
	for _, p := range points {
		if holds(p) && (!n.Known() || p.Buffer < n.Or(0)) {
			n = Known(p.Buffer)
		}
	}
	return n
}
