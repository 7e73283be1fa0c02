package pipeline

import (
	"time"

	"github.com/blockreel/blockreel/internal/offheap"
	"github.com/blockreel/blockreel/traces/event"
)

// lane is where a buffer size's recurrence stands between two blocks.
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
	s.walk(&l, scratch.dequeued, Policy{N: n}.Capacity())
	return s.point(n, &l, scratch.dequeued)
}

// walk takes a lane over all blocks.
func (s *Sweep) walk(l *lane, dequeued []int64, capacity int) {
	for from := 0; from < len(dequeued); from += offheap.Breath {
		s.stretch(l, dequeued, capacity, from, min(from+offheap.Breath, len(dequeued)))
		offheap.Breathe()
	}
}

// stretch takes a lane over the blocks from from to before to.
func (s *Sweep) stretch(l *lane, dequeued []int64, capacity, from, to int) {
	retry, resume, wake := int64(s.cfg.Policy.Retry), int64(s.cfg.Intake.Resume), int64(s.cfg.Wake)
	for i := from; i < to; i++ {
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
