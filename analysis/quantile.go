package analysis

import (
	"iter"
	"math"
	"math/bits"
	"slices"
)

// Quantiles describes a set of values, in their own unit. The percentiles are
// nearest rank: p50 is the least value that at least half of all values do not
// exceed. So each of them is a value that occurred.
type Quantiles struct {
	// Count is the number of values; with 0 of them there is no Quantiles at all.
	Count int64   `json:"count"`
	Mean  float64 `json:"mean"`
	Min   int64   `json:"min"`
	P50   int64   `json:"p50"`
	P90   int64   `json:"p90"`
	P95   int64   `json:"p95"`
	P99   int64   `json:"p99"`
	P99_9 int64   `json:"p99_9"` //nolint:revive // spelt as in the JSON
	Max   int64   `json:"max"`
}

// Summarize returns the quantiles of values, nil when there are none.
func Summarize(values []int64) *Quantiles { return NewTally(windowOf(values)).Quantiles() }

// Percentile returns the p-th percentile, 0 ≤ p ≤ 100, of values by nearest rank
// (see [Quantiles]). It panics when there are none.
func Percentile(values []int64, p float64) int64 { return NewTally(windowOf(values)).Percentile(p) }

func windowOf(values []int64) iter.Seq[[]int64] {
	return func(yield func([]int64) bool) { yield(values) }
}

// rank returns the index of the p-th percentile among n sorted values: ⌈p·n/100⌉ − 1.
// Ranks that lie within a millionth of a whole number are that number, so that
// 99.9 % of 1,000 is the 999th value in spite of binary fractions.
func rank(n int, p float64) int {
	return min(max(int(math.Ceil(p*float64(n)/100-1e-6)), 1), n) - 1
}

// A Tally has the percentiles of values that need not be in memory at once: it counts them
// in buckets, and takes from a second pass over the values those of the buckets that
// hold the wanted ranks. Few values it keeps.
type Tally struct {
	n               int
	sum             float64
	least, greatest int64
	values          iter.Seq[[]int64] // gives all of them once more
	few             []int64
	counts          [2][]uint32 // of values below zero, and of the others, by bucket
}

const (
	// fewValues is how many values a Tally keeps before it counts.
	fewValues = 4096
	// A bucket is a value below 2·octave, and a 1,024th of an octave above.
	octave     = 1024
	octaveBits = 10
	numBuckets = (63-octaveBits)*octave + octave
)

// NewTally counts values, which come in windows, more than once and in the same order.
func NewTally(values iter.Seq[[]int64]) *Tally {
	t := &Tally{values: values}
	for w := range values {
		t.add(w)
	}
	return t
}

// bucket returns the side and the bucket of a value; on either side they grow with its distance
// from zero.
func bucket(v int64) (side, i int) {
	u := uint64(v ^ v>>63)
	shift := max(bits.Len64(u)-octaveBits-1, 0)
	return int(v>>63) + 1, int(u>>shift) + shift<<octaveBits
}

func (t *Tally) add(values []int64) {
	if len(values) == 0 {
		return
	}
	if t.n == 0 {
		t.least, t.greatest = values[0], values[0]
	}
	sum, least, greatest := t.sum, t.least, t.greatest
	for _, v := range values {
		sum += float64(v)
		least, greatest = min(least, v), max(greatest, v)
	}
	t.sum, t.least, t.greatest = sum, least, greatest
	if t.n += len(values); t.n <= fewValues {
		t.few = append(t.few, values...)
		return
	}
	t.count(t.few)
	t.few = nil
	t.count(values)
}

func (t *Tally) count(values []int64) {
	below, above := t.counts[0], t.counts[1]
	for _, v := range values {
		switch side, i := bucket(v); {
		case side == 1 && above != nil:
			above[i]++
		case side == 0 && below != nil:
			below[i]++
		default:
			t.counts[side] = make([]uint32, numBuckets)
			t.counts[side][i]++
			below, above = t.counts[0], t.counts[1]
		}
	}
}

// Len is the number of values.
func (t *Tally) Len() int { return t.n }

// Negative counts the values below zero, and returns the least of them.
func (t *Tally) Negative() (n int, least int64) {
	for _, v := range t.few {
		if v < 0 {
			n++
		}
	}
	for _, count := range t.counts[0] {
		n += int(count)
	}
	return n, min(t.least, 0)
}

// Quantiles returns the quantiles of the values, nil when there are none.
func (t *Tally) Quantiles() *Quantiles {
	if t.n == 0 {
		return nil
	}
	v := t.at(rank(t.n, 50), rank(t.n, 90), rank(t.n, 95), rank(t.n, 99), rank(t.n, 99.9))
	return &Quantiles{Count: int64(t.n), Mean: t.sum / float64(t.n), Min: t.least,
		P50: v[0], P90: v[1], P95: v[2], P99: v[3], P99_9: v[4], Max: t.greatest}
}

// Percentile returns the p-th percentile, 0 ≤ p ≤ 100. It panics when there are no values.
func (t *Tally) Percentile(p float64) int64 { return t.at(rank(t.n, p))[0] }

// at returns the values of these ranks, which ascend.
func (t *Tally) at(ranks ...int) []int64 {
	s := t.choose(ranks...)
	if s.open() {
		for w := range t.values {
			s.add(w)
		}
	}
	values := make([]int64, len(ranks))
	for i, r := range ranks {
		values[i] = s.at(r)
	}
	return values
}

// A choice is the buckets that hold some ranks, and their values.
type choice struct {
	sorted []int64 // all values, when they are few
	slots  [2][]uint16
	picked []picked // in the order of the ranks
}

// picked are the values of a bucket. Often most of them are the same.
type picked struct {
	before, n int // values of lower buckets and of this one
	seen      bool
	value     int64
	same      int // values that are value
	others    []int64
}

// choose finds the buckets of ranks, which ascend.
func (t *Tally) choose(ranks ...int) *choice {
	if t.n <= fewValues {
		return &choice{sorted: slices.Sorted(slices.Values(t.few))}
	}
	s := &choice{}
	before := 0
	visit := func(side, i int) {
		n := int(t.counts[side][i])
		for len(ranks) > 0 && ranks[0] < before+n {
			if s.slots[side] == nil {
				s.slots[side] = make([]uint16, numBuckets)
			}
			if s.slots[side][i] == 0 {
				s.picked = append(s.picked, picked{before: before, n: n})
				s.slots[side][i] = uint16(len(s.picked))
			}
			ranks = ranks[1:]
		}
		before += n
	}
	for i := len(t.counts[0]) - 1; i >= 0; i-- {
		visit(0, i)
	}
	for i := range t.counts[1] {
		visit(1, i)
	}
	return s
}

func (s *choice) open() bool { return s.sorted == nil }

func (s *choice) add(values []int64) {
	for _, v := range values {
		side, i := bucket(v)
		if s.slots[side] == nil || s.slots[side][i] == 0 {
			continue
		}
		switch p := &s.picked[s.slots[side][i]-1]; {
		case !p.seen:
			p.seen, p.value, p.same = true, v, 1
		case v == p.value:
			p.same++
		default:
			p.others = append(p.others, v)
		}
	}
}

// at returns the value of one of the ranks; they ascend.
func (s *choice) at(rank int) int64 {
	if s.sorted != nil {
		return s.sorted[rank]
	}
	for rank >= s.picked[0].before+s.picked[0].n {
		s.picked = s.picked[1:]
	}
	p := &s.picked[0]
	if p.seen {
		slices.Sort(p.others)
		p.seen = false
	}
	k := rank - p.before
	switch less, _ := slices.BinarySearch(p.others, p.value); {
	case k < less:
		return p.others[k]
	case k < less+p.same:
		return p.value
	}
	return p.others[k-p.same]
}

// A PercentilePoint is one point of a latency curve.
type PercentilePoint struct {
	Percent float64 `json:"percent"`
	Value   int64   `json:"value"`
}

// Percentiles returns the percentiles of the values, from the median to the
// maximum, at points that lie evenly on the axis log 1/(1 − p), perDecade of them
// between 90 % and 99 %. It ends at the greatest percentile that the number of
// values can tell from the maximum.
func (t *Tally) Percentiles(perDecade int) []PercentilePoint {
	if t.n == 0 {
		return nil
	}
	var curve []PercentilePoint
	var ranks []int
	last := math.Log10(float64(t.n))
	for x := math.Log10(2); x < last; x += 1 / float64(perDecade) {
		p := 100 * (1 - math.Pow(10, -x))
		curve, ranks = append(curve, PercentilePoint{Percent: p}), append(ranks, rank(t.n, p))
	}
	for i, v := range t.at(ranks...) {
		curve[i].Value = v
	}
	return append(curve, PercentilePoint{Percent: 100 * (1 - 1/float64(t.n)), Value: t.greatest})
}

// A Level is a percentile with its name: p50, …, max.
type Level struct {
	Name  string
	Value int64
}

// Levels returns the percentiles from p50 to max.
func (q *Quantiles) Levels() []Level {
	return []Level{
		{"p50", q.P50}, {"p90", q.P90}, {"p95", q.P95}, {"p99", q.P99}, {"p99_9", q.P99_9}, {"max", q.Max},
	}
}
