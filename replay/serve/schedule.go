package serve

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"time"

	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// channel is what is offered of a channel. It does not change.
type channel struct {
	name string
	// places of blocks of ascending numbers without a hole.
	places []place
	// early is the number of blocks from before the recording, which
	// are there from the start.
	early int
	// due is when each block is offered, since the clock's start; it never decreases.
	due []time.Duration
}

func (c *channel) first() uint64 { return c.places[0].number }

// height is the number of the block that is offered next, at this time of the clock.
func (c *channel) height(now time.Duration) uint64 {
	return c.first() + uint64(sort.Search(len(c.due), func(i int) bool { return c.due[i] > now }))
}

// recorded is the number of the first block of the recording.
func (c *channel) recorded() uint64 { return c.first() + uint64(c.early) }

// end is the channel's height at the end of the trace.
func (c *channel) end() uint64 { return c.first() + uint64(len(c.places)) }

// newChannel checks that the channel's payloads have no hole and are of one chain.
func newChannel(tr *traces.Trace, name string, places []place) (*channel, error) {
	for i, p := range places[1:] {
		if before := places[i].number; p.number != before+1 {
			return nil, fmt.Errorf("channel %s: blocks %d to %d have no payload: add them with blockreel attach", name, before+1, p.number-1)
		}
		if p.previous != places[i].hash {
			return nil, fmt.Errorf("channel %s: block %d names another block %d than the one in the trace; a peer would refuse it", name, p.number, p.number-1)
		}
	}
	c := &channel{name: name, places: places}
	if low, high := c.span(tr); low < high && low > c.first() {
		c.early = int(min(low, c.end()) - c.first())
	}
	return c, nil
}

// span is the range of the blocks of the channel's streams.
func (c *channel) span(tr *traces.Trace) (low, high uint64) {
	for _, tl := range tr.Timelines {
		if tl.Channel != c.name || tl.Len() == 0 {
			continue
		}
		first, end := uint64(tl.First), uint64(tl.First)+uint64(tl.Len())
		if low == high {
			low, high = first, end
		}
		low, high = min(low, first), max(high, end)
	}
	return low, high
}

// instants gives the recorded instant of each of the channel's blocks: the earliest at
// which an orderer had it, else the earliest at which some node is known to have had it.
// assumed counts the latter and those that are event.Missing, but for early blocks.
func (c *channel) instants(tr *traces.Trace) (at []event.Time, assumed int) {
	at = make([]event.Time, len(c.places))
	seen := make([]event.Time, len(c.places))
	for i := range at {
		at[i], seen[i] = event.Missing, event.Missing
	}
	for _, tl := range tr.Timelines {
		if tl.Channel != c.name {
			continue
		}
		for kind := range event.Kind(event.NumKinds) {
			column := tl.Column(kind)
			if column == nil || !kind.IsTime() {
				continue
			}
			into := seen
			if kind == event.Offered {
				into = at
			}
			for i, v := range column {
				// Blocks before the first payload wrap around and are out of range too.
				k := uint64(tl.Block(i)) - c.first()
				if v != event.Missing && k < uint64(len(into)) && (into[k] == event.Missing || event.Time(v) < into[k]) {
					into[k] = event.Time(v)
				}
			}
		}
	}
	for i := range at {
		if at[i] == event.Missing {
			at[i] = seen[i]
			if i >= c.early {
				assumed++
			}
		}
	}
	return at, assumed
}

// missing warns of blocks that the trace has before and after those with a payload.
func (c *channel) missing(tr *traces.Trace) (warnings []string) {
	low, high := c.span(tr)
	if low == high {
		return nil
	}
	for _, gap := range [][2]uint64{{low, c.first()}, {c.end(), high}} {
		if gap[0] < gap[1] {
			warnings = append(warnings, fmt.Sprintf("channel %s: blocks %d to %d have no payload and are not served", c.name, gap[0], gap[1]-1))
		}
	}
	return warnings
}

// schedule gives the blocks of all channels their moments. The clock starts with the
// first block of the trace; blocks without a time before that are there from its start,
// others come together with the block before them.
func schedule(channels []*channel, tr *traces.Trace, cfg Config) (warnings []string) {
	origin := event.Time(event.Missing)
	recorded := make([][]event.Time, len(channels))
	for i, c := range channels {
		warnings = append(warnings, c.missing(tr)...)
		var assumed int
		recorded[i], assumed = c.instants(tr)
		if assumed > 0 && !cfg.Unpaced {
			warnings = append(warnings, fmt.Sprintf("channel %s: of %d of %d blocks the trace does not tell when they were offered: they come when a peer first had them, or together with the block before",
				c.name, assumed, len(c.places)-c.early))
		}
		for _, at := range recorded[i] {
			if at != event.Missing && (origin == event.Missing || at < origin) {
				origin = at
			}
		}
	}
	for i, c := range channels {
		c.due = make([]time.Duration, len(c.places))
		if cfg.Unpaced {
			continue
		}
		now := time.Duration(0)
		for k, at := range recorded[i] {
			if at != event.Missing {
				now = max(now, cfg.real((at - origin).Duration()))
			}
			c.due[k] = now
		}
	}
	return warnings
}

// faults are what happens to all readers at once, in real time since the clock's start.
type faults struct {
	stalls []Stall // apart from each other, ascending
	cuts   []time.Duration
}

func newFaults(cfg Config) faults {
	var f faults
	for _, at := range cfg.Disconnects {
		f.cuts = append(f.cuts, cfg.real(at))
	}
	slices.Sort(f.cuts)
	stalls := slices.Clone(cfg.Stalls)
	slices.SortFunc(stalls, func(a, b Stall) int { return cmp.Compare(a.At, b.At) })
	for _, s := range stalls {
		s = Stall{cfg.real(s.At), cfg.real(s.For)}
		if n := len(f.stalls) - 1; n >= 0 && s.At <= f.stalls[n].end() {
			f.stalls[n].For = max(f.stalls[n].end(), s.end()) - f.stalls[n].At
			continue
		}
		f.stalls = append(f.stalls, s)
	}
	return f
}

// free is the first moment from t on that lies in no stall.
func (f faults) free(t time.Duration) time.Duration {
	for _, s := range f.stalls {
		if s.At <= t && t < s.end() {
			return s.end()
		}
	}
	return t
}

// passed counts the cuts up to t.
func (f faults) passed(t time.Duration) int {
	return sort.Search(len(f.cuts), func(i int) bool { return f.cuts[i] > t })
}
