package scrape

import (
	"errors"
	"math"
)

// Sample is one figure's value on a channel.
type Sample struct {
	// Name is that of Fabric's metric.
	Name string
	// Channel is empty for a figure of the whole node.
	Channel string
	// Unit is blocks, transactions, ns, or empty for the number of a block.
	Unit  string
	Value float64
}

// history remembers what the pages before have said, since counters and histograms only
// tell what is new by a difference.
type history struct {
	last map[series]reading
	// before is what a counter had reached when its node started again.
	before  map[series]float64
	started float64
	begun   bool
}

// startMoves is by how much a process's start may seem to move, in seconds: it is the
// boot time and ticks since, and the boot time follows the wall clock.
const startMoves = 1.5

var errTooManySeries = errors.New("the pages' channels change all the time: no node's do")

// samples gives the samples of a page that follows those before.
func (h *history) samples(p page) ([]Sample, error) {
	if h.last == nil {
		h.last, h.before = map[series]reading{}, map[series]float64{}
	}
	if h.started != 0 && p.started != 0 && math.Abs(p.started-h.started) > startMoves {
		for key := range h.last {
			h.restart(key)
		}
	}
	if p.started != 0 {
		h.started = p.started
	}
	var all []Sample
	for _, f := range figures {
		for _, key := range p.of(f.name) {
			if v, ok := h.next(f.kind, key, p.readings[key]); ok {
				all = append(all, Sample{Name: f.name, Channel: key.channel, Unit: f.unit, Value: v})
			}
		}
	}
	h.begun = true
	if len(h.last) > maxSeries {
		return nil, errTooManySeries
	}
	return all, nil
}

// next gives the value that follows those before; ok is false if there is none.
func (h *history) next(k kind, key series, r reading) (v float64, ok bool) {
	if k == gauge {
		return r.value, true
	}
	if last := h.last[key]; r.value < last.value || r.count < last.count {
		h.restart(key)
	}
	last := h.last[key]
	h.last[key] = r
	if k == counter {
		return h.before[key] + r.value, true
	}
	count := r.count - last.count
	// The first page's observations are of no interval. A series that appears later has
	// begun since.
	if !h.begun || count <= 0 {
		return 0, false
	}
	v = (r.value - last.value) / count * 1e9
	return v, !math.IsInf(v, 0)
}

// restart makes a series begin at zero again.
func (h *history) restart(key series) {
	h.before[key] += h.last[key].value
	h.last[key] = reading{}
}
