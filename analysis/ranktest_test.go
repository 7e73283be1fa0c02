package analysis

import (
	"cmp"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"
)

// Probabilities of Mann and Whitney's table, and counted by hand.
func TestRankTest(t *testing.T) {
	up := func(from, n int) (v []float64) {
		for i := range n {
			v = append(v, float64(from+i))
		}
		return v
	}
	for _, tc := range []struct {
		a, b []float64
		want float64
	}{
		{up(0, 4), up(10, 4), 2.0 / 70},
		{up(10, 5), up(0, 5), 2.0 / 252},
		{up(0, 3), up(10, 3), 2.0 / 20},
		{[]float64{1, 4, 5}, []float64{2, 3, 6}, 1},
		{[]float64{1, 2, 4}, []float64{3, 5, 6}, 4.0 / 20},
		{up(0, 1), up(1, 1), 1},
		{up(0, 4), up(0, 4), 1},
		{[]float64{1, 2, 2, 2}, []float64{0, 0, 0, 1}, 4.0 / 70},
		{up(0, 25), up(25, 25), 2.0 / 126410606437752}, // 50 over 25
		{nil, up(0, 4), 1},
		{up(0, 25), up(30, 26), 1},
	} {
		if got := RankTest(tc.a, tc.b); math.Abs(got-tc.want) > 1e-12*tc.want {
			t.Errorf("RankTest(%v, %v) is %v, want %v", tc.a, tc.b, got, tc.want)
		}
	}
}

// The test agrees with a count of all permutations, with ties and samples of unequal size.
func TestRankTestIsExact(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		values := make([]float64, 2+r.IntN(8))
		levels := 2 + r.IntN(6)
		for i := range values {
			values[i] = float64(r.IntN(levels))
		}
		n := 1 + r.IntN(len(values)-1)
		got, want := RankTest(values[:n], values[n:]), permutations(values, n)
		if math.Abs(got-want) > 1e-12 {
			t.Errorf("RankTest(%v, %v) is %v, want %v", values[:n], values[n:], got, want)
		}
	}
}

// permutations is the share of the ways to choose n of the values in which the two samples
// differ as much as the first n differ from the others, or more.
func permutations(values []float64, n int) float64 {
	var differences []float64
	for mask := range 1 << len(values) {
		if bits.OnesCount(uint(mask)) != n {
			continue
		}
		difference := 0.0 // pairs in which the chosen value is greater − pairs in which it is less
		for i, x := range values {
			for j, y := range values {
				if mask>>i&1 == 1 && mask>>j&1 == 0 {
					difference += float64(cmp.Compare(x, y))
				}
			}
		}
		differences = append(differences, math.Abs(difference)) // the first n are the least mask
	}
	extreme := slices.DeleteFunc(slices.Clone(differences), func(d float64) bool { return d < differences[0] })
	return float64(len(extreme)) / float64(len(differences))
}
