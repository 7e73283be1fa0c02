package analysis

import (
	"math"
	"math/bits"
	"slices"

	"github.com/blockreel/blockreel/internal/offheap"
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

// Summarize returns the quantiles of values, nil when there are none. It reorders
// values, in linear time.
func Summarize(values []int64) *Quantiles {
	if len(values) == 0 {
		return nil
	}
	q := &Quantiles{Count: int64(len(values)), Min: values[0], Max: values[0]}
	sum := 0.0
	for piece := range offheap.Pieces(values) {
		for _, v := range piece {
			sum += float64(v)
			q.Min, q.Max = min(q.Min, v), max(q.Max, v)
		}
	}
	q.Mean = sum / float64(len(values))
	// Once rank k stands in its place, every higher rank is to its right.
	done := 0
	at := func(p float64) int64 {
		k := rank(len(values), p)
		nthElement(values[done:], k-done)
		done = k
		return values[k]
	}
	q.P50, q.P90, q.P95, q.P99, q.P99_9 = at(50), at(90), at(95), at(99), at(99.9)
	return q
}

// summarized is Summarize of values that are of no more use, and freed.
func summarized(values []int64) *Quantiles {
	defer offheap.Free(values)
	return Summarize(values)
}

// Percentile returns the p-th percentile, 0 ≤ p ≤ 100, of values by nearest rank
// (see [Quantiles]). It reorders values and panics when there are none.
func Percentile(values []int64, p float64) int64 {
	k := rank(len(values), p)
	nthElement(values, k)
	return values[k]
}

// rank returns the index of the p-th percentile among n sorted values: ⌈p·n/100⌉ − 1.
// Ranks that lie within a millionth of a whole number are that number, so that
// 99.9 % of 1,000 is the 999th value in spite of binary fractions.
func rank(n int, p float64) int {
	return min(max(int(math.Ceil(p*float64(n)/100-1e-6)), 1), n) - 1
}

// nthElement reorders v such that v[k] is what it would be if v were sorted, with
// nothing greater before it and nothing less after it.
func nthElement(v []int64, k int) {
	lo, hi := 0, len(v)
	// Quickselect halves the range on average; an input that defeats the choice of
	// pivots is sorted.
	for budget := 2 * bits.Len(uint(len(v))); hi-lo > 16; budget-- {
		if budget == 0 {
			break
		}
		lt, gt := partition3(v[lo:hi], pivot(v[lo:hi]))
		switch {
		case k < lo+lt:
			hi = lo + lt
		case k >= lo+gt:
			lo += gt
		default:
			return
		}
	}
	slices.Sort(v[lo:hi])
}

// pivot returns the median of nine values spread over v.
func pivot(v []int64) int64 {
	var s [9]int64
	for i := range s {
		s[i] = v[i*(len(v)-1)/8]
	}
	slices.Sort(s[:])
	return s[4]
}

// partition3 moves what is less than p to v[:lt], equal to p to v[lt:gt] and
// greater to v[gt:]. Equal values are common: log times have few digits.
func partition3(v []int64, p int64) (lt, gt int) {
	gt = len(v)
	for i := 0; i < gt; {
		switch x := v[i]; {
		case x < p:
			v[i], v[lt] = v[lt], x
			lt++
			i++
		case x > p:
			gt--
			v[i], v[gt] = v[gt], x
		default:
			i++
		}
	}
	return lt, gt
}

// A PercentilePoint is one point of a latency curve.
type PercentilePoint struct {
	Percent float64 `json:"percent"`
	Value   int64   `json:"value"`
}

// PercentileCurve returns the percentiles of values, from the median to the
// maximum, at points that lie evenly on the axis log 1/(1 − p), perDecade of them
// between 90 % and 99 %. It ends at the greatest percentile that the number of
// values can tell from the maximum. It reorders values.
func PercentileCurve(values []int64, perDecade int) []PercentilePoint {
	n := len(values)
	if n == 0 {
		return nil
	}
	slices.Sort(values)
	var curve []PercentilePoint
	last := math.Log10(float64(n))
	for x := math.Log10(2); x < last; x += 1 / float64(perDecade) {
		p := 100 * (1 - math.Pow(10, -x))
		curve = append(curve, PercentilePoint{Percent: p, Value: values[rank(n, p)]})
	}
	return append(curve, PercentilePoint{Percent: 100 * (1 - 1/float64(n)), Value: values[n-1]})
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
