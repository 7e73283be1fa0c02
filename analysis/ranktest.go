package analysis

import (
	"cmp"
	"slices"
)

// significance is the probability below which a difference counts as real.
const significance = 0.05

// maxRanked is the number of values that the rank test takes: the number of ways to
// choose 25 of 50 is exact in a float64.
const maxRanked = 50

// RankTest returns the probability that two samples of one distribution differ in their
// ranks as much as a and b do, or more. It is the exact two-sided permutation test of Mann
// and Whitney; equal values share their rank. It returns 1 if a sample is empty, and if
// both have more than 50 values together.
//
// The test of golang.org/x/perf/benchmath is exact only for samples of equal size: with
// ties it returns 1.33 for [1 4 6 2 4] and [4].
func RankTest(a, b []float64) float64 {
	n, m := len(a), len(b)
	if n == 0 || m == 0 || n+m > maxRanked {
		return 1
	}
	pooled := slices.Concat(a, b)
	// ways[i][sum] counts the choices of i values whose ranks have this sum.
	ways := make([][]float64, n+1)
	for i := range ways {
		ways[i] = make([]float64, (n+m)*(n+m)+1)
	}
	ways[0][0] = 1
	observed := 0
	for at, x := range pooled {
		rank := doubleRank(x, pooled)
		if at < n {
			observed += rank
		}
		for i := min(n, at+1); i > 0; i-- {
			for sum := rank; sum < len(ways[i]); sum++ {
				ways[i][sum] += ways[i-1][sum-rank]
			}
		}
	}
	all, extreme, mean := 0.0, 0.0, n*(n+m)
	for sum, w := range ways[n] {
		all += w
		if max(sum-mean, mean-sum) >= max(observed-mean, mean-observed) {
			extreme += w
		}
	}
	return extreme / all
}

// doubleRank is twice the rank of x among values, from one half upwards. Equal values
// have the mean of their ranks, so only twice of it is whole.
func doubleRank(x float64, values []float64) (rank int) {
	for _, y := range values {
		switch {
		case y < x:
			rank += 2
		case y == x:
			rank++
		}
	}
	return rank
}

// choose is the number of ways to choose k of n values.
func choose(n, k int) float64 {
	ways := 1.0
	for i := 1; i <= k; i++ {
		ways *= float64(n-k+i) / float64(i)
	}
	return ways
}

// holm returns the probabilities of several tests corrected by Holm's method: the
// probability that any of them finds a difference between equal settings stays below the
// significance, however many there are.
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

// runsFor is the number of runs of each setting that a difference between two settings
// needs to be significant among so many comparisons.
func runsFor(comparisons int) int {
	n := 1
	for n < maxRanked/2 && disjoint(n, n)*float64(comparisons) > significance {
		n++
	}
	return n
}

// disjoint is the probability that n and m figures of equal settings have ranges that do
// not overlap.
func disjoint(n, m int) float64 { return 2 / choose(n+m, n) }
