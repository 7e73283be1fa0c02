package traces

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/blockreel/blockreel/traces/event"
)

// segmentShapes are the sorts of values that columns hold.
var segmentShapes = map[string]func(r *rand.Rand, i int) int64{
	"constant":     func(*rand.Rand, int) int64 { return -7 },
	"counts":       func(r *rand.Rand, _ int) int64 { return r.Int64N(500) },
	"milliseconds": func(_ *rand.Rand, i int) int64 { return int64(i)*3_000_000 - 5e12 },
	"nanoseconds":  func(r *rand.Rand, i int) int64 { return int64(i)*2_000_000 + r.Int64N(700_000) },
	"any":          func(r *rand.Rand, _ int) int64 { return int64(r.Uint64()) },
	"limits":       func(_ *rand.Rand, i int) int64 { return [2]int64{math.MaxInt64, math.MinInt64 + 1}[i%2] },
	"one step":     func(_ *rand.Rand, i int) int64 { return int64(i/700) * math.MaxInt64 },
}

func TestSegmentRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for name, shape := range segmentShapes {
		for _, missing := range []float64{0, 0.001, 0.5, 0.999, 1} {
			var values, got [segmentBlocks]int64
			observed, least, greatest := 0, int64(math.MaxInt64), int64(math.MinInt64)
			for i := range values {
				if values[i] = shape(r, i); values[i] == event.Missing || r.Float64() < missing {
					values[i] = event.Missing
					continue
				}
				observed, least, greatest = observed+1, min(least, values[i]), max(greatest, values[i])
			}
			s := packSegment(values[:])
			s.unpack(&got)
			if got != values {
				t.Errorf("%s, %v missing: comes back different", name, missing)
			}
			if int(s.observed) != observed || observed > 0 && (s.least != least || s.greatest != greatest) {
				t.Errorf("%s, %v missing: %d values from %d to %d, want %d from %d to %d",
					name, missing, s.observed, s.least, s.greatest, observed, least, greatest)
			}
		}
	}
}

func BenchmarkSegment(b *testing.B) {
	for _, name := range []string{"counts", "milliseconds", "nanoseconds"} {
		r := rand.New(rand.NewPCG(1, 2))
		var values [segmentBlocks]int64
		for i := range values {
			values[i] = segmentShapes[name](r, i)
		}
		s := packSegment(values[:])
		perValue := func(b *testing.B) {
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/segmentBlocks, "ns/value")
			b.ReportMetric(float64(len(s.data))/segmentBlocks, "bytes/value")
		}
		b.Run("pack/"+name, func(b *testing.B) {
			for b.Loop() {
				packSegment(values[:])
			}
			perValue(b)
		})
		b.Run("unpack/"+name, func(b *testing.B) {
			for b.Loop() {
				s.unpack(&values)
			}
			perValue(b)
		})
	}
}
