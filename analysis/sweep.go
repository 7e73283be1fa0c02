package analysis

// A Sweep is the figures of one stream over a range of N.
type Sweep struct {
	Channel string `json:"channel"`
	Peer    string `json:"peer"`
	// Points are in order of Buffer.
	Points []SweepPoint `json:"points"`
	// Knee is the least N of the sweep that brings 95 % of what the largest brings;
	// see [Knee]. RecommendedBuffer is the least N with a starved time under 0.1 %
	// of the makespan; see [Recommend].
	Knee              Optional[int64] `json:"knee_buffer"`
	RecommendedBuffer Optional[int64] `json:"recommended_buffer"`
	// IdentityError is how a replay with the trace's own settings differs from it:
	// how far to trust the points.
	IdentityError Differences `json:"identity_error"`
	Warnings      []string    `json:"warnings"`
}

// A SweepPoint is the figures for one N.
type SweepPoint struct {
	Buffer   int64      `json:"buffer"`
	Makespan int64      `json:"makespan_ns"`
	MaxGap   int64      `json:"max_gap_blocks"`
	Latency  *Quantiles `json:"latency_ns"`
	Starved  int64      `json:"starved_ns"`
	// BufferBytes is the memory that the admitted blocks can take: the bytes of the
	// largest window of 2N + 2 blocks.
	BufferBytes Optional[int64] `json:"buffer_bytes"`
}

const (
	// starvedShare of the makespan is what a recommended buffer may starve.
	starvedShare = 0.001
	// kneeShare of what the best point wins over the worst is what the knee wins.
	kneeShare = 0.95
	// flatShare of the makespan: a curve that moves less has no knee.
	flatShare = 0.01
)

// Knee returns the least N whose makespan has come 95 % of the way from the worst
// makespan of the sweep to the best. A sweep whose makespans differ by less than
// 1 % has none.
func Knee(points []SweepPoint) Optional[int64] {
	if len(points) == 0 {
		return Optional[int64]{}
	}
	best, worst := points[0].Makespan, points[0].Makespan
	for _, p := range points {
		best, worst = min(best, p.Makespan), max(worst, p.Makespan)
	}
	if share(worst-best, worst) < flatShare {
		return Optional[int64]{}
	}
	limit := worst - int64(kneeShare*float64(worst-best))
	return least(points, func(p SweepPoint) bool { return p.Makespan <= limit })
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
