package pipeline

import "github.com/blockreel/blockreel/traces/event"

// admits reports whether the window lets the waiting block go.
func (m *Machine) admits() bool {
	w := m.cfg.Link.Window
	return w == 0 || m.flight.n == 0 || m.inFlight+m.sending.bytes <= w
}

// send begins the transmission of the block that has waited. One that takes no time
// ends at once, since nothing that comes before its end can have become due.
func (m *Machine) send(now event.Time) {
	m.waiting = false
	m.inFlight += m.sending.bytes
	took := m.cfg.Link.transmission(m.sending.bytes)
	if took == 0 {
		m.sent(now)
		return
	}
	m.sentAt = now + event.Time(took)
}

// sent ends the transmission; the block arrives in its turn.
func (m *Machine) sent(now event.Time) {
	m.sentAt = never
	m.sending.at = now + event.Time(m.cfg.Link.Latency) + m.transit
	if m.flight.n == 0 {
		m.lands = m.sending.at
	}
	m.flight.push(m.sending)
	m.say(event.Sent, m.sending.block, now)
}

// receives reports whether the receiver is at its Recv.
func (m *Machine) receives() bool {
	return !m.handFull && (m.cfg.Hand > 0 || m.intake == idle)
}

// receive reads the next block off the stream, which gives its bytes back to the window. The
// intake begins at once if it is free, since nothing that comes before can have become due.
func (m *Machine) receive(now event.Time) {
	p := *m.flight.front()
	if m.flight.pop(); m.flight.n > 0 {
		m.lands = m.flight.front().at
	} else {
		m.lands = never
	}
	m.inFlight -= p.bytes
	if m.intake == idle {
		m.takeIn(p, now)
	} else {
		m.hand, m.handFull = p, true
	}
	m.say(event.Received, p.block, now)
}

// takeIn begins the intake of a block.
func (m *Machine) takeIn(p parcel, now event.Time) {
	m.inward, m.intake = p, working
	cost := m.cfg.Intake.Cost(p.bytes)
	if m.waited {
		cost += m.cfg.Intake.Resume
	}
	m.actAt = now + event.Time(cost)
}

// reach ends the intake: the block stands before the door.
func (m *Machine) reach(now event.Time) {
	m.intake, m.reached, m.waited = atDoor, now, false
	m.say(event.AtDoor, m.inward.block, now)
}

// look is a look at the door by the block that stands before it.
func (m *Machine) look(now event.Time) {
	if m.buffer.n > m.threshold {
		m.waited, m.actAt = true, never
		return
	}
	m.intake, m.actAt = idle, never
	b := m.inward.block
	if b < m.next || !m.buffer.push(b) {
		m.say(Ignored, b, now)
		return
	}
	if b == m.next && !m.busy {
		m.popAt = now + event.Time(m.cfg.Wake)
	}
	m.say(event.Enqueued, b, now)
}

// pop hands the next block to the committer and the word to the driver.
func (m *Machine) pop(now event.Time) {
	m.say(event.Dequeued, m.next, now)
	m.buffer.shift()
	m.next++
	m.busy, m.popAt = true, never
	if m.intake == atDoor && m.actAt == never {
		m.actAt = event.Time(opens(int64(m.reached), int64(now), int64(m.cfg.Policy.Retry)))
	}
}
