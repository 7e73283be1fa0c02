package analysis

import (
	"fmt"
	"math"
	"slices"
)

// A Spread is a figure over the repetitions of a run.
type Spread struct {
	Count  int     `json:"count"`
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// SpreadOf returns the spread of values, the zero Spread of none.
func SpreadOf(values []float64) Spread {
	n := len(values)
	if n == 0 {
		return Spread{}
	}
	v := slices.Sorted(slices.Values(values))
	return Spread{Count: n, Median: (v[(n-1)/2] + v[n/2]) / 2, Min: v[0], Max: v[n-1]}
}

// significance is the probability below which a difference is taken as real.
const significance = 0.05

// mostRanked bounds the values that the rank test takes: up to here its counts, the
// largest of which is 50 over 25, are whole numbers in a float64.
const mostRanked = 50

// RankTest returns the probability that two samples of one distribution differ in their
// ranks as much as a and b do, or more: the exact two-sided test of Mann and Whitney, which
// assumes nothing of the distribution. Equal values count half. It is 1 of an empty
// sample, and of more than 50 values together.
func RankTest(a, b []float64) float64 {
	n, m := len(a), len(b)
	if n == 0 || m == 0 || n+m > mostRanked {
		return 1
	}
	u := 0.0 // pairs in which a is greater
	for _, x := range a {
		for _, y := range b {
			switch {
			case x > y:
				u++
			case x == y:
				u += 0.5
			}
		}
	}
	extreme := math.Min(u, float64(n*m)-u)
	// Count the orders of n + m values by the number of such pairs.
	counts := orders(n, m)
	total, tail := 0.0, 0.0
	for pairs, c := range counts {
		total += c
		if float64(pairs) <= extreme+1e-9 {
			tail += c
		}
	}
	return math.Min(1, 2*tail/total)
}

// orders returns, by number of pairs in which a value of the first sample is the greater,
// how many orders of n and m values have it: the coefficients of the Gaussian binomial.
func orders(n, m int) []float64 {
	c := make([]float64, n*m+1)
	c[0] = 1
	for i := 1; i <= n; i++ {
		// Multiply by 1 − q^(m+i), divide by 1 − q^i.
		for k := len(c) - 1; k >= m+i; k-- {
			c[k] -= c[k-m-i]
		}
		for k := i; k < len(c); k++ {
			c[k] += c[k-i]
		}
	}
	return c
}

// Apart says in a sentence why the figures of two settings cannot be told apart, or
// nothing when they can. With four runs of each or more that is for the rank test to say;
// with fewer, for which no test can say anything, their ranges must not overlap.
func Apart(nameA string, a []float64, nameB string, b []float64, write func(float64) string) string {
	x, y := SpreadOf(a), SpreadOf(b)
	if x.Count == 0 || y.Count == 0 {
		return ""
	}
	ranges := func(s Spread) string {
		if s.Count == 1 {
			return write(s.Median)
		}
		return write(s.Min) + " to " + write(s.Max)
	}
	both := fmt.Sprintf("%s (%s) and %s (%s)", nameA, ranges(x), nameB, ranges(y))
	overlap := x.Min <= y.Max && y.Min <= x.Max
	switch p := RankTest(a, b); {
	case x.Count == 1 || y.Count == 1:
		return both + " ran once: how much two runs of one setting differ is not known (--repeat 5)"
	case min(x.Count, y.Count) < 4 && overlap:
		return both + " cannot be told apart on this machine: their ranges overlap (--repeat 5 or more)"
	case min(x.Count, y.Count) >= 4 && p > significance:
		return fmt.Sprintf("%s cannot be told apart on this machine: two equal settings differ as much with probability %.2f", both, p)
	}
	return ""
}
