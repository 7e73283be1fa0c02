package analysis

import (
	"encoding/json"
	"testing"
)

func TestCompare(t *testing.T) {
	a := &StreamStats{Makespan: Known(int64(1000)), MaxGap: Known(int64(0)), Latency: &Quantiles{P50: 10, P90: 20, P95: 30, P99: 40, P99_9: 50, Max: 60}}
	b := &StreamStats{Makespan: Known(int64(1010)), MaxGap: Known(int64(2)), Latency: &Quantiles{P50: 10, P90: 15, P95: 30, P99: 40, P99_9: 50, Max: 60}}
	got, err := json.Marshal(Compare(a, b))
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"makespan":0.01,"max_gap":null,"p50":0,"p90":-0.25,"p95":0,"p99":0,"p99_9":0,"max":0}`; string(got) != want {
		t.Errorf("%s, want %s", got, want)
	}
	if w := Compare(a, b).Worst(); w.Known() {
		t.Errorf("the worst of an unknown error is %v", w)
	}
	b.MaxGap = a.MaxGap
	if w := Compare(a, b).Worst(); w != Known(0.25) {
		t.Errorf("worst %v", w)
	}
	if d := Compare(a, &StreamStats{}); d != nil || d.Worst().Known() {
		t.Errorf("compared with nothing: %v", d)
	}
}

func TestKneeAndRecommendation(t *testing.T) {
	var points []SweepPoint
	for n := int64(1); n <= 100; n++ {
		p := SweepPoint{Buffer: n, Makespan: 10_000}
		if n < 20 {
			p.Makespan += 1000 * (20 - n)
			p.Starved = 1000 * (20 - n)
		}
		points = append(points, p)
	}
	// Within 5 % of 10,000 is up to 10,500: N = 20, since 19 is 11,000. Where the sweep
	// begins and ends behind that makes no difference.
	for _, p := range [][]SweepPoint{points, points[5:], points[18:30]} {
		if k := Knee(p); k != Known(int64(20)) {
			t.Errorf("knee %v of the sweep from %d on", k, p[0].Buffer)
		}
	}
	slow := []SweepPoint{{Buffer: 1, Makespan: 4000}, {Buffer: 2, Makespan: 1060}, {Buffer: 3, Makespan: 1050}, {Buffer: 4, Makespan: 1000}}
	if k := Knee(slow); k != Known(int64(3)) {
		t.Errorf("knee %v of a steep sweep", k)
	}
	if r := Recommend(points); r != Known(int64(20)) {
		t.Errorf("recommended %v", r)
	}
	if r := Recommend(points[:10]); r.Known() {
		t.Errorf("recommended %v of a sweep that starves everywhere", r)
	}
	if k := Knee(points[30:]); k.Known() {
		t.Errorf("knee %v of a flat sweep", k)
	}
	if Knee(nil).Known() || Recommend(nil).Known() {
		t.Error("no points have a knee")
	}
}

func TestDistrust(t *testing.T) {
	a := StreamStats{Makespan: Known(int64(100)), MaxGap: Known(int64(0)), Latency: &Quantiles{P50: 100, P90: 100, P95: 100, P99: 100, P99_9: 100, Max: 100}}
	b := StreamStats{Makespan: Known(int64(105)), MaxGap: Known(int64(0)), Latency: &Quantiles{P50: 95, P90: 100, P95: 100, P99: 100, P99_9: 100, Max: 100}}
	if got := Compare(&a, &b).Distrust(); got != "" {
		t.Errorf("5 %% are trusted: %q", got)
	}
	b.MaxGap, b.Latency.P90 = Known(int64(3)), 2
	want := "do not trust max gap and p90: the replay of the trace with its own settings misses them by all of 3 blocks and −98.0 %"
	if got := Compare(&a, &b).Distrust(); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
