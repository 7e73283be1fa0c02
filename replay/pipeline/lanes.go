package pipeline

// together is the number of sizes that one loop takes over a window. Each block of a size has
// to wait for the block before it; meanwhile the processor computes with the other sizes. Of
// four the processor's registers do not hold the state.
const together = 3

// walk takes sizes over the window: rooms are the pops that make room, Policy.Capacity blocks
// before those that it fills in. It is one loop, into which all calls are inlined, written out
// for each size.
func (s *Sweep) walk(l *[together]lane, rooms, pops *[together][]int64) {
	all, in, t := s.arrivals, s.arrivals[:len(s.arrivals)-1], &s.times
	for i := range l {
		l[i].warm(in[0].arrives, t)
	}
	r0, r1, r2 := rooms[0][:len(in)], rooms[1][:len(in)], rooms[2][:len(in)]
	p0, p1, p2 := pops[0][:len(in)], pops[1][:len(in)], pops[2][:len(in)]
	e0, e1, e2 := l[0].begins, l[1].begins, l[2].begins
	q0, q1, q2 := l[0].ready, l[1].ready, l[2].ready
	for i := range in {
		a := &in[i]

		door := max(a.arrives, e0) + a.intake
		enqueued := door
		if e0 = door; door < r0[i] {
			enqueued, e0 = l[0].wait(door, r0[i], all[i+1].arrives, t)
		}
		if enqueued >= q0 {
			q0 = l[0].starve(enqueued, q0, a.offered, t)
		}
		p0[i] = q0
		q0 += a.service

		door = max(a.arrives, e1) + a.intake
		enqueued = door
		if e1 = door; door < r1[i] {
			enqueued, e1 = l[1].wait(door, r1[i], all[i+1].arrives, t)
		}
		if enqueued >= q1 {
			q1 = l[1].starve(enqueued, q1, a.offered, t)
		}
		p1[i] = q1
		q1 += a.service

		door = max(a.arrives, e2) + a.intake
		enqueued = door
		if e2 = door; door < r2[i] {
			enqueued, e2 = l[2].wait(door, r2[i], all[i+1].arrives, t)
		}
		if enqueued >= q2 {
			q2 = l[2].starve(enqueued, q2, a.offered, t)
		}
		p2[i] = q2
		q2 += a.service
	}
	l[0].begins, l[1].begins, l[2].begins = e0, e1, e2
	l[0].ready, l[1].ready, l[2].ready = q0, q1, q2
}

// wait lets a block that comes to the door stand there until a look finds room. It returns
// when the block is enqueued, and when the intake of the next one, which arrives at next,
// can begin: so much later that Resume, by which it takes longer, is in it.
func (l *lane) wait(door, room, next int64, t *times) (enqueued, begins int64) {
	enqueued = opens(door, room, t.retry)
	l.blocked += enqueued - door
	l.cold = next == past
	return enqueued, max(enqueued, next) + t.resume
}

// warm makes good for a block that waited at the end of a window, when it was not known when
// the next one arrives.
func (l *lane) warm(next int64, t *times) {
	if l.cold {
		l.begins, l.cold = max(l.begins, next+t.resume), false
	}
}

// starve lets a committer that waits for a block have it, and returns when.
func (l *lane) starve(enqueued, ready, offered int64, t *times) (pop int64) {
	pop = enqueued + t.wake
	l.starved += pop - max(ready, offered)
	return pop
}
