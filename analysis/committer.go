package analysis

import (
	"iter"

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
	n                             int
	offered                       *growth // of no blocks when the offers are not known
	enqueued, dequeued, committed traces.Cursor
	// entries: it is known when the blocks entered the buffer.
	entries bool
	// transit is the time in ns that a block takes from the orderer to an idle
	// committer: the median of the blocks that found the pipeline empty or, when
	// none did, the least of all but at most usualTransit; zero when they all waited
	// behind a cut's backlog.
	transit int64
	// start is when the walk begins: the first offer, or Missing for the first pop, when
	// what the committer did before that is not known.
	start int64
	// pause is the usual turnaround in ns, and tolerance how much longer it may be
	// before it is taken for starvation; tolerance is unused when the entries are known.
	pause, tolerance int64
}

// newCommitter returns what tl tells of its committer, or a *MissingError. Without
// offered times that is its work alone: whether it starves or idles between two blocks
// is not known, and the walk calls both idle.
func newCommitter(tl *traces.Timeline, figure string) (*committer, error) {
	if err := require(tl, figure, event.Dequeued, event.Committed); err != nil {
		return nil, err
	}
	c := &committer{
		n:         tl.Len(),
		offered:   newGrowth(tl, event.Offered),
		enqueued:  tl.Cursor(event.Enqueued),
		dequeued:  tl.Cursor(event.Dequeued),
		committed: tl.Cursor(event.Committed),
		start:     event.Missing,
	}
	if n, _ := tl.Settings.Int(traces.SettingCutBacklog); n <= 0 && c.offersKnown() {
		c.start = c.offered.at(0)
	}
	c.entries = 10*tl.Observed(event.Enqueued) >= 9*tl.Observed(event.Dequeued)
	resolution, _ := tl.Settings.Int(traces.SettingResolution)
	c.tolerance = stallTolerance + max(resolution, 0)
	c.measure()
	return c, nil
}

func (c *committer) offersKnown() bool { return c.offered.n > 0 }

// measure sets transit and pause.
func (c *committer) measure() {
	empty, pauses := NewTally(c.waits(true)), NewTally(c.waits(false))
	switch {
	case empty.Len() > 0:
		c.transit = max(empty.Percentile(50), 0)
	case c.start != event.Missing: // else all blocks have waited for those before the cut
		// After an outage even the least of all is a wait, not a way.
		c.transit = min(c.leastTransit(), usualTransit)
	}
	switch {
	case pauses.Len() == 0:
	case c.entries || !c.offersKnown():
		c.pause = pauses.Percentile(50)
	default:
		// Some of these gaps are starvation, with N = 1 a quarter of them: the lower
		// quartile is not.
		c.pause = pauses.Percentile(25)
	}
}

// waits returns how long blocks took that found the pipeline empty, from the orderer to the
// committer, or else the pauses between two blocks of which the next was there already.
func (c *committer) waits(empty bool) iter.Seq[[]int64] {
	return func(yield func([]int64) bool) {
		var buf [growthBlocks]int64
		values := buf[:0]
		c.each(func(i int, now int64) {
			dequeued := c.dequeued.At(i)
			offered := c.offeredAt(i, dequeued)
			wait := int64(-1)
			switch {
			case now == event.Missing: // what came before the first block is not known
			case !c.offersKnown():
				// A longer gap can be anything; a turnaround is never so long.
				if pause := max(dequeued-now, 0); !empty && (c.entries || pause <= c.tolerance) {
					wait = max(dequeued-max(now, c.admitted(i, now)), 0)
				}
			case offered >= now:
				if empty {
					values = append(values, dequeued-offered) // of clocks that differ it is negative
				}
			case !empty:
				if at := c.admitted(i, event.Missing); !c.entries || at != event.Missing && at <= now {
					wait = max(dequeued-now, 0)
				}
			}
			if wait >= 0 {
				values = append(values, wait)
			}
			if len(values) == len(buf) {
				yield(values)
				values = buf[:0]
			}
		})
		yield(values)
	}
}

// leastTransit returns the least time from a block's offer to its pop.
func (c *committer) leastTransit() int64 {
	least := int64(-1)
	c.each(func(i int, _ int64) {
		dequeued := c.dequeued.At(i)
		if took := dequeued - c.offeredAt(i, dequeued); least < 0 || took < least {
			least = max(took, 0)
		}
	})
	return max(least, 0)
}

// each calls visit for every block that was popped and committed, with the instant
// since which the committer was free, Missing before the first block.
func (c *committer) each(visit func(i int, free int64)) {
	free := int64(event.Missing)
	for i := range c.n {
		if popped, done := c.dequeued.At(i), c.committed.At(i); popped != event.Missing && done != event.Missing {
			visit(i, free)
			free = max(free, popped, done)
		}
	}
}

// admitted returns when block i entered the buffer, or now when that is not known.
func (c *committer) admitted(i int, now int64) int64 {
	if c.entries {
		if at := c.enqueued.At(i); at != event.Missing {
			return at
		}
	}
	return now
}

// offeredAt returns when block i was offered, or now when that is not known.
func (c *committer) offeredAt(i int, now int64) int64 {
	if i < c.offered.n {
		return c.offered.at(i)
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
func (c *committer) walk(visit func(i int, e edges) bool) {
	at := c.start
	goOn := true
	c.each(func(i int, free int64) {
		if !goOn {
			return
		}
		dequeued := c.dequeued.At(i)
		if at == event.Missing {
			at = max(dequeued, c.offeredAt(0, dequeued))
		}
		popped, offered := max(dequeued, at), c.offeredAt(i, at)
		e := edges{at, popped, popped, popped, max(c.committed.At(i), popped)}
		switch {
		case free == event.Missing:
		case !c.offersKnown():
			e[turnaround] = max(c.starvedUntil(i, at), at)
			e[starved] = e[turnaround]
		case offered < free:
			e[starved] = min(max(offered+c.transit, at), popped)
			e[turnaround] = max(c.starvedUntil(i, e[starved]), e[starved])
		}
		at = e[numStates]
		goOn = visit(i, e)
	})
}

// starvedUntil returns the instant at which block i was within the reach of a
// committer that has been waiting for it since from.
func (c *committer) starvedUntil(i int, from int64) int64 {
	popped := max(c.dequeued.At(i), from)
	if at := c.admitted(i, event.Missing); at != event.Missing {
		return min(popped, at)
	}
	if popped-from > c.pause+c.tolerance {
		return popped - c.pause
	}
	return from
}

// An ideal finds the instant of the last commit if every block were within the committer's
// reach as soon as its way from the orderer allows, as with an unbounded buffer and
// a receiver that is never in the way, and if a block took scale times as long to
// validate and commit. The first block is popped when it was, and turnarounds are
// what they were.
type ideal struct {
	scale float64
	done  int64 // Missing before the first block
}

func (d *ideal) add(c *committer, i int, e edges) {
	start := e[busy]
	if d.done != event.Missing {
		start = max(d.done+e.span(turnaround).Length(), c.offeredAt(i, d.done)+c.transit)
	}
	d.done = start + int64(d.scale*float64(e.span(busy).Length()))
}

// Spans gives stretches of time in order. They do not overlap, and can be walked more than once.
type Spans iter.Seq[Span]

// Starved returns the spans in which the committer starved. Its time adds
// up to [StreamStats].Starved.
func Starved(tl *traces.Timeline) (Spans, error) {
	if err := require(tl, "starved time", event.Offered); err != nil {
		return nil, err
	}
	c, err := newCommitter(tl, "starved time")
	if err != nil {
		return nil, err
	}
	return func(yield func(Span) bool) {
		c.walk(func(_ int, e edges) bool {
			s := e.span(starved)
			return s.Length() <= 0 || yield(s)
		})
	}, nil
}

// Blocked returns the spans in which a block stood at the door.
func Blocked(tl *traces.Timeline) (Spans, error) {
	if err := require(tl, "blocked time", event.AtDoor, event.Enqueued); err != nil {
		return nil, err
	}
	return func(yield func(Span) bool) {
		d := newDoor(tl)
		for s, ok := d.next(); ok && yield(s); s, ok = d.next() {
		}
	}, nil
}

// A door gives the spans in which a block stood at it.
type door struct {
	atDoor, enqueued traces.Cursor
	i, n             int
	last             int64
	total            int64 // length of the spans so far
}

func newDoor(tl *traces.Timeline) *door {
	return &door{atDoor: tl.Cursor(event.AtDoor), enqueued: tl.Cursor(event.Enqueued), n: tl.Len(), last: event.Missing}
}

func (d *door) next() (Span, bool) {
	for d.i < d.n {
		from, to := d.atDoor.At(d.i), d.enqueued.At(d.i)
		d.i++
		if from == event.Missing || to == event.Missing {
			continue
		}
		// The door holds one block at a time.
		if from = max(from, d.last); to > from {
			d.last = to
			d.total += to - from
			return Span{from, to}, true
		}
	}
	return Span{}, false
}

// An overlapper adds up the time that lies both in spans that are added in order and in
// those that next gives; neither of these overlap among themselves.
type overlapper struct {
	next  func() (Span, bool)
	span  Span
	ok    bool
	total int64
}

func newOverlapper(next func() (Span, bool)) *overlapper {
	o := &overlapper{next: next}
	o.span, o.ok = next()
	return o
}

func (o *overlapper) add(s Span) {
	for o.ok {
		o.total += max(min(s.To, o.span.To)-max(s.From, o.span.From), 0)
		if s.To < o.span.To {
			return
		}
		o.span, o.ok = o.next()
	}
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
	o := newOverlapper(func() (s Span, ok bool) {
		if len(b) == 0 {
			return s, false
		}
		s, b = b[0], b[1:]
		return s, true
	})
	for _, s := range a {
		o.add(s)
	}
	return o.total
}
