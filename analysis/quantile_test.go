package analysis

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestPercentileIsNearestRank(t *testing.T) {
	values := func() []int64 { return []int64{50, 15, 40, 20, 35} }
	for _, c := range []struct {
		p    float64
		want int64
	}{{0, 15}, {5, 15}, {20, 15}, {20.1, 20}, {30, 20}, {40, 20}, {50, 35}, {99, 50}, {100, 50}} {
		if got := Percentile(values(), c.p); got != c.want {
			t.Errorf("p%v = %d, want %d", c.p, got, c.want)
		}
	}
	thousand := make([]int64, 1000)
	for i := range thousand {
		thousand[i] = int64(1000 - i)
	}
	if got := Percentile(thousand, 99.9); got != 999 {
		t.Errorf("p99.9 of 1…1000 = %d, want 999", got)
	}
}

func TestSummarizeAgainstSort(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	shapes := map[string]func(i int) int64{
		"random":    func(int) int64 { return rng.Int64N(1 << 40) },
		"few":       func(int) int64 { return rng.Int64N(4) },
		"rising":    func(i int) int64 { return int64(i) },
		"falling":   func(i int) int64 { return int64(-i) },
		"organ":     func(i int) int64 { return int64(min(i%100, 100-i%100)) },
		"same":      func(int) int64 { return 7 },
		"heavytail": func(int) int64 { return 1 << rng.IntN(40) },
		"any":       func(int) int64 { return int64(rng.Uint64()) },
		"ties":      func(i int) int64 { return 1e9 + rng.Int64N(3)*rng.Int64N(2) },
		"limits":    func(i int) int64 { return [3]int64{math.MinInt64, -1, math.MaxInt64}[i%3] },
	}
	for name, shape := range shapes {
		for _, n := range []int{1, 2, 3, 17, 100, 999, 1000, 20_000} {
			v := make([]int64, n)
			for i := range v {
				v[i] = shape(i)
			}
			sorted := slices.Sorted(slices.Values(v))
			q := Summarize(v)
			want := func(p float64) int64 { return sorted[rank(n, p)] }
			got := [...]int64{q.Min, q.P50, q.P90, q.P95, q.P99, q.P99_9, q.Max}
			exp := [...]int64{sorted[0], want(50), want(90), want(95), want(99), want(99.9), sorted[n-1]}
			if got != exp {
				t.Errorf("%s, %d values: %v, want %v", name, n, got, exp)
			}
		}
	}
	if Summarize(nil) != nil {
		t.Error("no values have quantiles")
	}
}

func TestPercentileCurve(t *testing.T) {
	v := make([]int64, 1000)
	for i := range v {
		v[i] = int64(i + 1)
	}
	curve := NewTally(windowOf(v)).Percentiles(20)
	if first := curve[0]; first != (PercentilePoint{50, 500}) {
		t.Errorf("the curve starts at %v", first)
	}
	if last := curve[len(curve)-1]; last.Value != 1000 || last.Percent != 99.9 {
		t.Errorf("the curve ends at %v", last)
	}
	for i := 1; i < len(curve); i++ {
		if curve[i].Percent < curve[i-1].Percent || curve[i].Value < curve[i-1].Value {
			t.Errorf("the curve falls at point %d: %v after %v", i, curve[i], curve[i-1])
		}
	}
	if got := NewTally(windowOf([]int64{5})).Percentiles(20); len(got) != 1 || got[0].Value != 5 {
		t.Errorf("of one value: %v", got)
	}
}
