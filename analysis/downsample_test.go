package analysis

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/blockreel/blockreel/traces/event"
)

// In every bucket the drawn curve must span what the whole one spans.
func TestDownsampleKeepsEnvelope(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	const buckets = 50
	var s Series
	at, v := int64(0), int64(100)
	for range 20_000 {
		at += 1 + rng.Int64N(1000)
		v += rng.Int64N(11) - 5
		s.add(at, v)
	}
	s.V[7777] = 100_000 // a stall of one block
	d := s.Curve().Downsample(s.Curve().Shape(), buckets)
	if d.Len() > 4*buckets {
		t.Errorf("%d steps", d.Len())
	}
	if !slices.Contains(d.V, 100_000) {
		t.Error("the stall is gone")
	}
	for i := 1; i < d.Len(); i++ {
		if d.T[i] <= d.T[i-1] {
			t.Fatalf("time stands still at step %d", i)
		}
	}
	type envelope struct{ first, lo, hi, last int64 }
	envelopes := func(s Series, start, span int64) map[int]envelope {
		m := map[int]envelope{}
		for i, at := range s.T {
			b := bucketOf(at, start, span, buckets)
			e, ok := m[b]
			if !ok {
				e = envelope{s.V[i], s.V[i], s.V[i], 0}
			}
			e.lo, e.hi, e.last = min(e.lo, s.V[i]), max(e.hi, s.V[i]), s.V[i]
			m[b] = e
		}
		return m
	}
	start, span := s.T[0], s.T[s.Len()-1]-s.T[0]
	want, got := envelopes(s, start, span), envelopes(d, start, span)
	for b, w := range want {
		if got[b] != w {
			t.Errorf("bucket %d: %v, want %v", b, got[b], w)
		}
	}
	if short := s.Curve().Downsample(s.Curve().Shape(), s.Len()); short.Len() != s.Len() {
		t.Error("a short series was changed")
	}
}

func TestDepthByHand(t *testing.T) {
	d, err := inMemory(Depth(timeline(map[event.Kind][]int64{
		event.Enqueued: {0, 1, 2, 10, 20},
		event.Dequeued: {0, 5, 10, 12, gone},
	})))
	if err != nil {
		t.Fatal(err)
	}
	if want := []int64{0, 1, 2, 5, 10, 12, 20}; !slices.Equal(d.T, want) {
		t.Errorf("times %v, want %v", d.T, want)
	}
	if want := []int64{0, 1, 2, 1, 1, 0, 1}; !slices.Equal(d.V, want) {
		t.Errorf("depths %v, want %v", d.V, want)
	}
}

// TestDepthAgainstBruteForce holds that the depth, whether or not the instants ascend with the
// blocks, is at each of them what has come in less what has gone out.
func TestDepthAgainstBruteForce(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 4))
	for n := range 200 {
		tl := randomTimeline(rng, 1+rng.IntN(60))
		depth, err := Depth(tl)
		if err != nil {
			continue
		}
		if n%2 == 0 {
			in := tl.MakeColumn(event.Enqueued)
			rng.Shuffle(len(in), func(i, j int) { in[i], in[j] = in[j], in[i] })
			depth, _ = Depth(tl)
		}
		for at, got := range depth {
			want := int64(0)
			for i := range tl.Len() {
				in, out := tl.Value(event.Enqueued, i), tl.Value(event.Dequeued, i)
				if in == gone {
					continue
				}
				if in <= at {
					want++
				}
				if out != gone && max(in, out) <= at {
					want--
				}
			}
			if got != max(want, 0) {
				t.Fatalf("run %d: depth %d at %d, want %d", n, got, at, want)
			}
		}
	}
}

func TestPartsOverTimeShowTheSlowest(t *testing.T) {
	tl := queue(1000, 2*ms, 2*ms)
	tl.MakeColumn(event.Offered)[500] -= 80 * ms
	parts, columns, err := PartsOverTime(tl, event.Offered, 20)
	if err != nil || len(columns) != 20 {
		t.Fatalf("%d columns, %v", len(columns), err)
	}
	slow := 0
	for _, c := range columns {
		if len(c.Parts) != len(parts) {
			t.Fatalf("%d parts of %d", len(c.Parts), len(parts))
		}
		if c.Parts[0] == 80*ms {
			slow++
		}
	}
	if slow != 1 {
		t.Errorf("%d columns show the slow block", slow)
	}

	tl.MakeColumn(event.Committed)[700] += ms / 2
	parts, columns, err = PartsOverTime(tl, event.Dequeued, 1)
	if err != nil || len(parts) != 2 || parts[0].Name != "validate" {
		t.Fatalf("parts of the service: %v, %v", parts, err)
	}
	if p := columns[0].Parts; p[0] != ms || p[1] != ms+ms/2 {
		t.Errorf("the slowest service is %v", p)
	}
}

func TestFormats(t *testing.T) {
	for _, c := range []struct {
		ns          int64
		exact, near string
	}{
		{0, "0 s", "0 s"}, {999, "999 ns", "999 ns"}, {12_345, "12.35 µs", "12.3 µs"}, {999_960, "1 ms", "1 ms"},
		{4_680_000_000, "4.680 s", "4.68 s"}, {13_765_000_000, "13.765 s", "13.8 s"}, {359_432_000_000, "359.432 s", "5 min 59 s"},
		{7_300_000_000_000, "2 h 02 min", "2 h 02 min"}, {-1_500_000, "−1.5 ms", "−1.5 ms"}, {99_999_999, "100 ms", "100 ms"},
		{107_878_000_000, "107.878 s", "108 s"},
	} {
		if got := FormatDuration(c.ns); got != c.exact {
			t.Errorf("FormatDuration(%d) = %q, want %q", c.ns, got, c.exact)
		}
		if got := ApproxDuration(c.ns); got != c.near {
			t.Errorf("ApproxDuration(%d) = %q, want %q", c.ns, got, c.near)
		}
	}
	for x, want := range map[float64]string{0.998: "99.8 %", 1: "100 %", 0: "0 %", 0.0001: "< 0.1 %", -0.25: "−25 %"} {
		if got := FormatShare(x); got != want {
			t.Errorf("FormatShare(%v) = %q, want %q", x, got, want)
		}
	}
	for x, want := range map[float64]string{1234.5: "1,235", 13.37: "13.4", 0.5: "0.5"} {
		if got := FormatNumber(x); got != want {
			t.Errorf("FormatNumber(%v) = %q, want %q", x, got, want)
		}
	}
}
