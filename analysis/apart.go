package analysis

import (
	"cmp"
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

// holm returns the probabilities of several tests as Holm corrects them, so that the
// probability of telling any two equal settings apart stays below the significance however
// many are compared.
func holm(p []float64) []float64 {
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(p[i], p[j]) })
	corrected := make([]float64, len(p))
	least := 0.0
	for rank, i := range order {
		least = max(least, min(1, float64(len(p)-rank)*p[i]))
		corrected[i] = least
	}
	return corrected
}

// runsFor is the number of runs of each setting that are needed to tell any two of them
// apart with so many comparisons.
func runsFor(comparisons int) int {
	n := 1
	for n < mostRanked/2 && disjoint(n, n)*float64(comparisons) > significance {
		n++
	}
	return n
}

// disjoint is the probability that n and m figures of equal settings have ranges that do
// not overlap.
func disjoint(n, m int) float64 {
	orders := 1.0
	for i := 1; i <= n; i++ {
		orders *= float64(m+i) / float64(i)
	}
	return 2 / orders
}
