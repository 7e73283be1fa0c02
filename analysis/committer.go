package analysis

import (
	"github.com/blockreel/blockreel/internal/offheap"
	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// A Span is a stretch of time in ns since the start of the trace.
type Span struct{ From, To int64 }

// Length is the length of the span in ns.
func (s Span) Length() int64 { return s.To - s.From }

// The committer is always in one of four states; around a block it passes them in
// this order.
type committerState int

const (
	// idle: the orderer held no block that the peer lacked, or the only one was on
	// its way to an empty pipeline, which no buffer makes shorter.
	idle committerState = iota
	// starved: the orderer held blocks that the peer lacked, for longer than their
	// way takes, and the buffer did not hold the next one.
	starved
	// turnaround: between two blocks with the next one already in the buffer.
	turnaround
	// busy: from the pop of a block to its commit.
	busy
	numStates
)

// stallTolerance is how much longer than usual the committer may take from one
// block to the next before that counts as starvation, where the trace does not say
// when blocks entered the buffer. In debug logs of Fabric 2.5, 99 % of the
// turnarounds with the next block in the buffer took less than 2.4 ms.
const stallTolerance = 3_000_000

// usualTransit is the way of a block, in ns, where no block found the pipeline empty: the
// median of a run of Fabric 2.5 that was never behind.
const usualTransit = 2_000_000

// A committer is what is known of a stream's committer.
type committer struct {
	offered, enqueued, dequeued, committed []int64
	made                                   []int64 // offered, if it is no column of the timeline
	// transit is the time in ns that a block takes from the orderer to an idle
	// committer: the median of the blocks that found the pipeline empty or, when
	// none did, the least of all but at most usualTransit; zero when they all waited
	// behind a cut's backlog.
	transit int64
	// start is when the walk begins: the first offer, or Missing for the first pop, when
	// what the committer did before that is not known.
	start int64
	// pause is the usual turnaround in ns, and tolerance how much longer it may be
	// before it is taken for starvation; tolerance is unused when enqueued is known.
	pause, tolerance int64
}

// newCommitter returns what tl tells of its committer, or a *MissingError. Without
// offered times that is its work alone: whether it starves or idles between two blocks
// is not known, and the walk calls both idle.
func newCommitter(tl *traces.Timeline, figure string) (*committer, error) {
	if err := require(tl, figure, event.Dequeued, event.Committed); err != nil {
		return nil, err
	}
	offered, made := heightTimes(tl.Column(event.Offered))
	c := &committer{
		offered:   offered,
		made:      made,
		dequeued:  tl.Column(event.Dequeued),
		committed: tl.Column(event.Committed),
		start:     event.Missing,
	}
	if n, _ := tl.Settings.Int(traces.SettingCutBacklog); n <= 0 && len(c.offered) > 0 {
		c.start = c.offered[0]
	}
	if 10*tl.Observed(event.Enqueued) >= 9*tl.Observed(event.Dequeued) {
		c.enqueued = tl.Column(event.Enqueued)
	}
	resolution, _ := tl.Settings.Int(traces.SettingResolution)
	c.tolerance = stallTolerance + max(resolution, 0)
	c.measure()
	return c, nil
}

// free gives back what newCommitter has made.
func (c *committer) free() { offheap.Free(c.made) }

// measure sets transit and pause.
func (c *committer) measure() {
	var empty, pauses []int64
	defer func() {
		offheap.Free(empty)
		offheap.Free(pauses)
	}()
	least := int64(-1)
	c.each(func(i int, now int64) {
		dequeued := c.dequeued[i]
		offered := c.offeredAt(i, dequeued)
		if took := dequeued - offered; least < 0 || took < least {
			least = max(took, 0)
		}
		switch {
		case now == event.Missing: // what came before the first block is not known
		case c.offered == nil:
			// A longer gap can be anything; a turnaround is never so long.
			if pause := max(dequeued-now, 0); c.enqueued != nil || pause <= c.tolerance {
				pauses = offheap.Append(pauses, max(dequeued-max(now, c.admitted(i, now)), 0))
			}
		case offered >= now:
			empty = offheap.Append(empty, dequeued-offered)
		case c.enqueued == nil || c.enqueued[i] != event.Missing && c.enqueued[i] <= now:
			pauses = offheap.Append(pauses, max(dequeued-now, 0))
		}
	})
	switch {
	case len(empty) > 0:
		c.transit = max(Percentile(empty, 50), 0)
	case c.start != event.Missing: // else all blocks have waited for those before the cut
		// After an outage even the least of all is a wait, not a way.
		c.transit = min(max(least, 0), usualTransit)
	}
	if len(pauses) == 0 {
		return
	}
	if c.enqueued != nil || c.offered == nil {
		c.pause = Percentile(pauses, 50)
		return
	}
	// Some of these gaps are starvation, with N = 1 a quarter of them: the lower
	// quartile is not.
	c.pause = Percentile(pauses, 25)
}

// each calls visit for every block that was popped and committed, with the instant
// since which the committer was free, Missing before the first block.
func (c *committer) each(visit func(i int, free int64)) {
	free := int64(event.Missing)
	for i, popped := range c.dequeued {
		if done := c.committed[i]; popped != event.Missing && done != event.Missing {
			visit(i, free)
			free = max(free, popped, done)
		}
	}
}

// admitted returns when block i entered the buffer, or now when that is not known.
func (c *committer) admitted(i int, now int64) int64 {
	if c.enqueued != nil && c.enqueued[i] != event.Missing {
		return c.enqueued[i]
	}
	return now
}

// offeredAt returns when block i was offered, or now when that is not known.
func (c *committer) offeredAt(i int, now int64) int64 {
	if i < len(c.offered) {
		return c.offered[i]
	}
	return now
}

// edges bound what the committer did around one block: from edges[state] to
// edges[state+1] it was in that state.
type edges [numStates + 1]int64

func (e edges) span(s committerState) Span { return Span{e[s], e[s+1]} }

// walk calls visit for every block that was popped and committed with what the
// committer did since the block before, or since the start, until its commit.
// The spans follow each other without gaps or overlaps; many are empty.
func (c *committer) walk(visit func(i int, e edges)) {
	at := c.start
	c.each(func(i int, free int64) {
		if at == event.Missing {
			at = max(c.dequeued[i], c.offeredAt(0, c.dequeued[i]))
		}
		popped, offered := max(c.dequeued[i], at), c.offeredAt(i, at)
		e := edges{at, popped, popped, popped, max(c.committed[i], popped)}
		switch {
		case free == event.Missing:
		case c.offered == nil:
			e[turnaround] = max(c.starvedUntil(i, at), at)
			e[starved] = e[turnaround]
		case offered < free:
			e[starved] = min(max(offered+c.transit, at), popped)
			e[turnaround] = max(c.starvedUntil(i, e[starved]), e[starved])
		}
		at = e[numStates]
		visit(i, e)
	})
}

// starvedUntil returns the instant at which block i was within the reach of a
// committer that has been waiting for it since from.
func (c *committer) starvedUntil(i int, from int64) int64 {
	popped := max(c.dequeued[i], from)
	if c.enqueued != nil && c.enqueued[i] != event.Missing {
		return min(popped, c.enqueued[i])
	}
	if popped-from > c.pause+c.tolerance {
		return popped - c.pause
	}
	return from
}

// ideal returns the makespan in ns if every block were within the committer's
// reach as soon as its way from the orderer allows, as with an unbounded buffer and
// a receiver that is never in the way, and if a block took scale times as long to
// validate and commit. The first block is popped when it was, and turnarounds are
// what they were.
func (c *committer) ideal(scale float64) int64 {
	done := int64(event.Missing)
	c.walk(func(i int, e edges) {
		start := e[busy]
		if done != event.Missing {
			start = max(done+e.span(turnaround).Length(), c.offeredAt(i, done)+c.transit)
		}
		done = start + int64(scale*float64(e.span(busy).Length()))
	})
	if done == event.Missing {
		return 0
	}
	return done - c.offered[0]
}

// Starved returns the spans in which the committer starved, in order. Its time adds
// up to [StreamStats].Starved.
func Starved(tl *traces.Timeline) ([]Span, error) {
	if err := require(tl, "starved time", event.Offered); err != nil {
		return nil, err
	}
	c, err := newCommitter(tl, "starved time")
	if err != nil {
		return nil, err
	}
	defer c.free()
	var spans []Span
	c.walk(func(_ int, e edges) {
		if s := e.span(starved); s.Length() > 0 {
			spans = offheap.Append(spans, s)
		}
	})
	return spans, nil
}

// Blocked returns the spans in which a block stood at the door, in order.
func Blocked(tl *traces.Timeline) ([]Span, error) {
	if err := require(tl, "blocked time", event.AtDoor, event.Enqueued); err != nil {
		return nil, err
	}
	door, enqueued := tl.Column(event.AtDoor), tl.Column(event.Enqueued)
	var spans []Span
	last := int64(event.Missing)
	for i, from := range door {
		to := enqueued[i]
		if from == event.Missing || to == event.Missing {
			continue
		}
		// The door holds one block at a time.
		if from = max(from, last); to > from {
			spans = offheap.Append(spans, Span{from, to})
			last = to
		}
	}
	return spans, nil
}

func totalLength(spans []Span) int64 {
	var sum int64
	for _, s := range spans {
		sum += s.Length()
	}
	return sum
}

// overlap returns the time in ns that lies both in a span of a and in one of b;
// each is in order and without overlaps of its own.
func overlap(a, b []Span) int64 {
	var sum int64
	for i, j := 0, 0; i < len(a) && j < len(b); {
		sum += max(min(a[i].To, b[j].To)-max(a[i].From, b[j].From), 0)
		if a[i].To < b[j].To {
			i++
		} else {
			j++
		}
	}
	return sum
}
