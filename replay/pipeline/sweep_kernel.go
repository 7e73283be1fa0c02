package pipeline

import (
	"time"

	"github.com/blockreel/blockreel/traces/event"
)

// lane is where one buffer size's recurrence stands between two blocks.
type lane struct {
	enqueued, ready  int64 // of the block before
	resume           int64 // what the next intake takes longer
	starved, blocked int64
}

func newLane() lane { return lane{enqueued: past, ready: past} }

// one solves a single buffer size.
func (s *Sweep) one(n int, scratch *Scratch) Point {
	if s.windowed {
		return s.full(n, scratch)
	}
	l := newLane()
	s.walk(&l, scratch.dequeued[0], Policy{N: n}.Capacity(), s.blocks.Len())
	return s.point(n, &l, scratch.dequeued[0])
}

// walk takes a lane from block 0 to before block end.
func (s *Sweep) walk(l *lane, dequeued []int64, capacity, end int) {
	retry, resume, wake := int64(s.cfg.Policy.Retry), int64(s.cfg.Intake.Resume), int64(s.cfg.Wake)
	for i := range end {
		door := max(s.arrives[i], l.enqueued) + s.intake[i] + l.resume
		l.enqueued, l.resume = door, 0
		if i >= capacity && door < dequeued[i-capacity] {
			l.enqueued, l.resume = opens(door, dequeued[i-capacity], retry), resume
			l.blocked += l.enqueued - door
		}
		pop := l.ready
		if l.enqueued >= pop {
			pop = l.enqueued + wake
		}
		l.starved += pop - max(l.ready, s.offered[i])
		l.ready = pop + s.service[i]
		dequeued[i] = pop
	}
}

// pair solves two buffer sizes side by side.
func (s *Sweep) pair(n0, n1 int, scratch *Scratch, out []Point) {
	var (
		all    = s.blocks.Len()
		c0, c1 = Policy{N: n0}.Capacity(), Policy{N: n1}.Capacity()
		d0, d1 = scratch.dequeued[0], scratch.dequeued[1]
		l0, l1 = newLane(), newLane()
		start  = min(max(c0, c1), all)
	)
	s.walk(&l0, d0, c0, start)
	s.walk(&l1, d1, c1, start)
	if start < all {
		// Slices of one length, so that the loop needs no bounds checks.
		n := all - start
		s.walkPair(&l0, &l1, pairColumns{
			arrives: s.arrives[start:][:n], intake: s.intake[start:][:n],
			service: s.service[start:][:n], offered: s.offered[start:][:n],
			room0: d0[start-c0:][:n], room1: d1[start-c1:][:n],
			dequeued0: d0[start:][:n], dequeued1: d1[start:][:n],
		})
	}
	out[0], out[1] = s.point(n0, &l0, d0), s.point(n1, &l1, d1)
}

// pairColumns are what walkPair walks over, all of one length, from one block on.
type pairColumns struct {
	arrives, intake, service, offered  []int64
	room0, room1, dequeued0, dequeued1 []int64
}

// walkPair is walk for two lanes, from a block on that both doors can be shut for.
func (s *Sweep) walkPair(l0, l1 *lane, c pairColumns) {
	retry, resume, wake := int64(s.cfg.Policy.Retry), int64(s.cfg.Intake.Resume), int64(s.cfg.Wake)
	n := len(c.arrives)
	arrives, intake, service, offered := c.arrives[:n], c.intake[:n], c.service[:n], c.offered[:n]
	room0, room1, dequeued0, dequeued1 := c.room0[:n], c.room1[:n], c.dequeued0[:n], c.dequeued1[:n]
	a, b := *l0, *l1
	for i := range n {
		door := max(arrives[i], a.enqueued) + intake[i] + a.resume
		a.enqueued, a.resume = door, 0
		if room := room0[i]; door < room {
			a.enqueued, a.resume = opens(door, room, retry), resume
			a.blocked += a.enqueued - door
		}
		pop := a.ready
		if e := a.enqueued + wake; a.enqueued >= pop {
			pop = e
		}
		a.starved += pop - max(a.ready, offered[i])
		a.ready = pop + service[i]
		dequeued0[i] = pop

		door = max(arrives[i], b.enqueued) + intake[i] + b.resume
		b.enqueued, b.resume = door, 0
		if room := room1[i]; door < room {
			b.enqueued, b.resume = opens(door, room, retry), resume
			b.blocked += b.enqueued - door
		}
		pop = b.ready
		if e := b.enqueued + wake; b.enqueued >= pop {
			pop = e
		}
		b.starved += pop - max(b.ready, offered[i])
		b.ready = pop + service[i]
		dequeued1[i] = pop
	}
	*l0, *l1 = a, b
}

func (s *Sweep) point(n int, l *lane, dequeued []int64) Point {
	p := Point{N: n, Starved: time.Duration(l.starved), Blocked: time.Duration(l.blocked)}
	if all := len(dequeued); all > 0 {
		p.End = event.Time(dequeued[all-1] + s.tail)
	}
	return p
}

// full solves a buffer size over a link with a window.
func (s *Sweep) full(n int, scratch *Scratch) Point {
	c := scratch.columns
	solve(s.cfg.WithBuffer(n), s.blocks, c)
	l := newLane()
	for i, pop := range c.Dequeued {
		l.starved += pop - max(l.ready, s.offered[i])
		l.ready = pop + s.service[i]
		l.blocked += c.Enqueued[i] - c.AtDoor[i]
	}
	return s.point(n, &l, c.Dequeued)
}
