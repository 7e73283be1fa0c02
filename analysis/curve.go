package analysis

import "iter"

// A Curve is a step curve that need not be in memory: it gives its steps in order, each an instant,
// in ns since the start of the trace, and the value from then on. The instants increase strictly.
// It can be walked more than once.
type Curve iter.Seq2[int64, int64]

// A Series is a step curve in memory: from T[i] until T[i+1] its value is V[i]. The times
// increase strictly.
type Series struct {
	T, V []int64
}

// Len is the number of steps.
func (s Series) Len() int { return len(s.T) }

func (s *Series) add(t, v int64) {
	if n := len(s.T); n > 0 && s.T[n-1] == t {
		s.V[n-1] = v
		return
	}
	s.T, s.V = append(s.T, t), append(s.V, v)
}

// Curve returns the series as a curve.
func (s Series) Curve() Curve {
	return func(yield func(int64, int64) bool) {
		for i, t := range s.T {
			if !yield(t, s.V[i]) {
				return
			}
		}
	}
}

// Series returns the steps of the curve in memory.
func (c Curve) Series() (s Series) {
	for t, v := range c {
		s.add(t, v)
	}
	return s
}

// A Shape is what is known of a curve after one walk.
type Shape struct {
	// Steps is their number, First and Last are the instants of the first and of the last.
	Steps       int
	First, Last int64
	// Start and End are the values of these steps; Max is the greatest value, and Way how far the
	// values go up and down in all.
	Start, End, Max, Way int64
}

// Shape walks the curve.
func (c Curve) Shape() (s Shape) {
	for t, v := range c {
		if s.Steps == 0 {
			s.First, s.Start, s.End, s.Max = t, v, v, v
		}
		s.Steps++
		s.Way += max(v-s.End, s.End-v)
		s.Last, s.End, s.Max = t, v, max(s.Max, v)
	}
	return s
}

// Within returns the part of the curve from one instant to another: it begins with the value at
// from, if the curve has one there.
func (c Curve) Within(from, to int64) Curve {
	return func(yield func(int64, int64) bool) {
		pending, before := false, int64(0)
		for t, v := range c {
			if t > to {
				break
			}
			if t <= from {
				pending, before = true, v
				continue
			}
			if pending && !yield(from, before) {
				return
			}
			if pending = false; !yield(t, v) {
				return
			}
		}
		if pending {
			yield(from, before)
		}
	}
}

// At returns the value at an instant: that of the last step before or at it, or of the first.
func (c Curve) At(at int64) (value int64) {
	first := true
	for t, v := range c {
		if t > at && !first {
			break
		}
		value, first = v, false
	}
	return value
}

// Downsample returns a series of at most 4·buckets steps that looks like the curve, whose shape is
// given, when it is drawn buckets pixels wide: of each bucket of time it keeps the first step, the
// least, the greatest and the last, each at its own instant. Nothing is averaged, so
// that a stall of one block stands out as it does in the curve.
func (c Curve) Downsample(shape Shape, buckets int) (out Series) {
	if buckets < 1 || shape.Steps <= 4*buckets {
		return c.Series()
	}
	type step struct{ t, v int64 }
	var first, low, high, last step
	flush := func() {
		early, late := low, high
		if high.t < low.t {
			early, late = high, low
		}
		for _, s := range [4]step{first, early, late, last} {
			out.add(s.t, s.v)
		}
	}
	current := -1
	for t, v := range c {
		s := step{t, v}
		if b := bucketOf(t, shape.First, shape.Last-shape.First, buckets); b != current {
			if current >= 0 {
				flush()
			}
			current, first, low, high = b, s, s, s
		}
		if v < low.v {
			low = s
		}
		if v > high.v {
			high = s
		}
		last = s
	}
	flush()
	return out
}

// bucketOf returns the bucket of t among buckets equal parts of [start, start+span].
// Times so far apart that their difference is no int64 are in the first or the last.
func bucketOf(t, start, span int64, buckets int) int {
	share := float64(t-start) / (float64(span) + 1)
	return int(min(max(share, 0), 1-1e-12) * float64(buckets))
}
