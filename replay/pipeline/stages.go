package pipeline

import "github.com/blockreel/blockreel/traces/event"

// offer puts the orderer's next block into the sender's hands.
func (m *Machine) offer(in Input) {
	if !m.Wants() || in.Bytes < 0 || in.Bytes > MaxBlockBytes || in.Transit < 0 {
		m.refuse(in)
	}
	m.sending = parcel{block: in.Block, bytes: in.Bytes}
	m.transit = event.Time(in.Transit)
	m.waiting = true
}

// admits reports whether the window lets the waiting block go.
func (m *Machine) admits() bool {
	w := m.cfg.Link.Window
	return w == 0 || m.flight.n == 0 || m.inFlight+m.sending.bytes <= w
}

// send begins the transmission of the block that has waited. One that takes no time
// ends at once, since nothing that comes before its end can have become due.
func (m *Machine) send(dst []Output) []Output {
	m.waiting = false
	m.inFlight += m.sending.bytes
	took := m.cfg.Link.transmission(m.sending.bytes)
	if took == 0 {
		return m.sent(dst)
	}
	m.sentAt = m.now + event.Time(took)
	return dst
}

// sent ends the transmission; the block arrives in its turn.
func (m *Machine) sent(dst []Output) []Output {
	m.sentAt = never
	m.sending.arrives = m.now + event.Time(m.cfg.Link.Latency) + m.transit
	m.flight.push(m.sending)
	return append(dst, Output{event.Sent, m.sending.block, m.now})
}

// receives reports whether the receiver is at its Recv.
func (m *Machine) receives() bool {
	return !m.handFull && (m.cfg.Hand > 0 || m.intake == idle)
}

// receive reads the next block off the stream, which gives its bytes back to the window.
func (m *Machine) receive(dst []Output) []Output {
	m.hand, m.handFull = *m.flight.front(), true
	m.flight.pop()
	m.inFlight -= m.hand.bytes
	return append(dst, Output{event.Received, m.hand.block, m.now})
}

// takeIn begins the intake of the block in hand.
func (m *Machine) takeIn() {
	m.inward, m.handFull, m.intake = m.hand, false, working
	cost := m.cfg.Intake.Cost(m.inward.bytes)
	if m.waited {
		cost += m.cfg.Intake.Resume
	}
	m.actAt = m.now + event.Time(cost)
}

// reach ends the intake: the block stands before the door.
func (m *Machine) reach(dst []Output) []Output {
	m.intake, m.reached, m.waited = atDoor, m.now, false
	return append(dst, Output{event.AtDoor, m.inward.block, m.now})
}

// look is a look at the door by the block that stands before it.
func (m *Machine) look(dst []Output) []Output {
	p, b := m.cfg.Policy, m.inward.block
	switch {
	case p.NonBlocking:
		if uint64(b)-uint64(m.height) >= uint64(p.N) {
			m.leaveDoor()
			return append(dst, Output{Dropped, b, m.now})
		}
	case m.shut():
		m.waited, m.actAt = true, never
		return dst
	}
	m.leaveDoor()
	if b < m.next || !m.buffer.push(b) {
		return append(dst, Output{Ignored, b, m.now})
	}
	if b == m.next && !m.busy {
		m.popAt = m.now + event.Time(m.cfg.Wake)
	}
	return append(dst, Output{event.Enqueued, b, m.now})
}

func (m *Machine) shut() bool {
	return !m.cfg.Policy.Unbounded && m.buffer.n > m.cfg.Policy.Threshold()
}

func (m *Machine) leaveDoor() { m.intake, m.actAt = idle, never }

// pop hands the next block to the committer and the word to the driver.
func (m *Machine) pop(dst []Output) []Output {
	dst = append(dst, Output{event.Dequeued, m.next, m.now})
	m.buffer.shift()
	m.next++
	m.busy, m.popAt = true, never
	if m.intake == atDoor && m.actAt == never {
		m.actAt = event.Time(opens(int64(m.reached), int64(m.now), int64(m.cfg.Policy.Retry)))
	}
	return dst
}
