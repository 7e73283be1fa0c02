package driver

import (
	"math/bits"
	"time"
)

// Lag tells by how much a wall run's events were later than their deadlines, in time
// of the trace. The quantiles are up to an eighth too high, never too low.
type Lag struct {
	// Events is the number of events that were timed.
	Events        int64
	P50, P99, Max time.Duration
	// Overloaded: P99 is above Wall.MaxLag. The replayer or its machine was too slow to keep
	// the time: a Live run's figures are then not the peer's. Those of a Wall run are of when
	// things were due, but for what a Ledger did: see Result.HandOver.
	Overloaded bool
}

// lateness counts lags in buckets whose width is an eighth of their power of two.
type lateness struct {
	count   [64 * 8]int64
	events  int64
	largest time.Duration
}

func (l *lateness) add(d time.Duration) {
	d = max(d, 0)
	l.count[bucket(uint64(d))]++
	l.events++
	l.largest = max(l.largest, d)
}

// bucket returns the number of v's bucket: up to 15 each value has its own.
func bucket(v uint64) int {
	shift := max(bits.Len64(v)-4, 0)
	return shift<<3 + int(v>>shift)
}

// top is the largest value of a bucket.
func top(b int) uint64 {
	if b < 16 {
		return uint64(b)
	}
	shift := b>>3 - 1
	return (uint64(b-shift<<3)+1)<<shift - 1
}

// quantile returns the smallest bucket's top that at least part per cent of all lags
// do not exceed.
func (l *lateness) quantile(percent int64) time.Duration {
	rank := (l.events*percent + 99) / 100
	var seen int64
	for b, n := range l.count {
		seen += n
		if n > 0 && seen >= rank {
			return min(time.Duration(top(b)), l.largest)
		}
	}
	return 0
}

func (l *lateness) lag(limit time.Duration) Lag {
	p99 := l.quantile(99)
	return Lag{Events: l.events, P50: l.quantile(50), P99: p99, Max: l.largest, Overloaded: p99 > limit}
}
