package pipeline

// together is the number of sizes that one loop takes over a window. Each block of a size has
// to wait for the block before it; meanwhile the processor computes with the other sizes. Of
// four the processor's registers do not hold the state.
const together = 3

// walk takes sizes over the window: rooms are the pops that make room, Policy.Capacity blocks
// before those that it fills in. It is one loop without calls, written out for each size.
func (s *Sweep) walk(l *[together]lane, rooms, pops *[together][]int64) {
	in, cfg := s.arrivals[:len(s.arrivals)-1], &s.limits.cfg
	for i := range l {
		l[i].warm(in[0].arrives, cfg)
	}
	r0, r1, r2 := rooms[0][:len(in)], rooms[1][:len(in)], rooms[2][:len(in)]
	p0, p1, p2 := pops[0][:len(in)], pops[1][:len(in)], pops[2][:len(in)]
	e0, e1, e2 := l[0].enqueued, l[1].enqueued, l[2].enqueued
	q0, q1, q2 := l[0].ready, l[1].ready, l[2].ready
	for i := range in {
		a := &in[i]
		e0 = max(a.arrives, e0) + a.intake
		if e0 < r0[i] {
			e0, q0 = l[0].wait(e0, r0[i], q0, a, s.arrivals[i+1].arrives, cfg)
		} else if e0 >= q0 {
			q0 = l[0].starve(e0, q0, a, cfg)
		}
		p0[i] = q0
		q0 += a.service

		e1 = max(a.arrives, e1) + a.intake
		if e1 < r1[i] {
			e1, q1 = l[1].wait(e1, r1[i], q1, a, s.arrivals[i+1].arrives, cfg)
		} else if e1 >= q1 {
			q1 = l[1].starve(e1, q1, a, cfg)
		}
		p1[i] = q1
		q1 += a.service

		e2 = max(a.arrives, e2) + a.intake
		if e2 < r2[i] {
			e2, q2 = l[2].wait(e2, r2[i], q2, a, s.arrivals[i+1].arrives, cfg)
		} else if e2 >= q2 {
			q2 = l[2].starve(e2, q2, a, cfg)
		}
		p2[i] = q2
		q2 += a.service
	}
	l[0].enqueued, l[1].enqueued, l[2].enqueued = e0, e1, e2
	l[0].ready, l[1].ready, l[2].ready = q0, q1, q2
}

// wait lets a block that comes to the door stand there until a look finds room. The intake of
// the next one, which arrives at next, takes Resume longer, as if the block had been enqueued
// so much later.
func (l *lane) wait(door, room, ready int64, a *arrival, next int64, cfg *Config) (enqueued, pop int64) {
	enqueued = opens(door, room, int64(cfg.Policy.Retry))
	l.blocked += enqueued - door
	pop = ready
	if enqueued >= ready {
		pop = l.starve(enqueued, ready, a, cfg)
	}
	l.cold = next == past
	return max(enqueued, next) + int64(cfg.Intake.Resume), pop
}

// warm makes good for the block that waited at the end of a window, when it was not known when
// the next one arrives.
func (l *lane) warm(next int64, cfg *Config) {
	if l.cold {
		l.enqueued, l.cold = max(l.enqueued, next+int64(cfg.Intake.Resume)), false
	}
}

// starve lets a committer that waits for a block have it.
func (l *lane) starve(enqueued, ready int64, a *arrival, cfg *Config) (pop int64) {
	pop = enqueued + int64(cfg.Wake)
	l.starved += pop - max(ready, a.offered)
	return pop
}
