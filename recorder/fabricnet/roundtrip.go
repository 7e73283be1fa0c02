package fabricnet

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/blockreel/blockreel/traces"
)

// SeriesRoundTrip is the time to a node and back on the connection that its blocks come
// on.
const SeriesRoundTrip = "round_trip"

// spread keeps the least, the greatest and about the median of many measurements.
type spread struct {
	n               int
	least, greatest time.Duration
	kept            []time.Duration // for the median
}

// fewest measurements have a median that is worth noting.
const fewest = 5

// maxKept bounds the measurements that the median is of: if there are more, a random sample
// of them.
const maxKept = 1 << 12

func (s *spread) add(d time.Duration) {
	if s.n == 0 {
		s.least, s.greatest = d, d
	}
	s.n++
	s.least, s.greatest = min(s.least, d), max(s.greatest, d)
	if len(s.kept) < maxKept {
		s.kept = append(s.kept, d)
	} else if i := rand.IntN(s.n); i < maxKept {
		s.kept[i] = d
	}
}

func (s *spread) median() time.Duration {
	sorted := slices.Sorted(slices.Values(s.kept))
	return sorted[len(sorted)/2]
}

// measure measures the way to a node and back at every interval until ctx ends.
func (n *Network) measure(ctx context.Context, nd *node) {
	tick := time.NewTicker(n.cfg.RoundTripEvery)
	defer tick.Stop()
	for {
		asked := time.Now()
		if d, err := nd.conn.RoundTrip(ctx, nd.service); err == nil {
			nd.trips.add(d)
			answered := asked.Add(d)
			nd.answered.Store(&answered)
			n.sample(traces.Series{Name: SeriesRoundTrip, Unit: traces.UnitNS, Node: nd.Name}, answered, float64(d))
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// tellTrips notes what was measured at a node. Nothing measures any more.
func (n *Network) tellTrips(nd *node) {
	t := &nd.trips
	text := fmt.Sprintf("the way to %s %s and back could not be measured", nd.role(), nd.Name)
	if t.n > 0 {
		round := func(d time.Duration) time.Duration { return d.Round(time.Microsecond) }
		took := fmt.Sprintf("%v at least, %v at most", round(t.least), round(t.greatest))
		if t.n >= fewest {
			took = fmt.Sprintf("%v at least, %v in the median, %v at most", round(t.least), round(t.median()), round(t.greatest))
		}
		text = fmt.Sprintf("the way to %s %s and back on the connection of its blocks took %s, in %d measurements, one every %v: "+
			"by up to so much the times of its blocks are late", nd.role(), nd.Name, took, t.n, n.cfg.RoundTripEvery)
		if t.n == 1 {
			text = fmt.Sprintf("the way to %s %s and back on the connection of its blocks took %v, measured once: "+
				"by about so much the times of its blocks are late", nd.role(), nd.Name, round(t.least))
		}
	}
	n.note(-1, traces.NoteFact, "%s", text)
}
