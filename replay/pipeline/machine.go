package pipeline

import (
	"fmt"
	"math"

	"github.com/blockreel/blockreel/traces/event"
)

// never is later than every instant of a run.
const never = event.Time(math.MaxInt64)

// A Machine is one stream's pipeline: the orderer's sender, the link, the receiver
// with its intake, the payloads buffer with its door, and the committer's loop.
// An instant that nothing is scheduled for is never.
type Machine struct {
	cfg Config
	now event.Time // of the last input
	// yielded: the last Step ended with a pop, before all that is due at now was done.
	yielded bool

	// The sender holds at most one block: waiting for the window to admit it, or in
	// transmission until sentAt, or neither.
	sending  parcel
	transit  event.Time // of the block sending, on top of the link's latency
	waiting  bool
	sentAt   event.Time
	inFlight int64 // bytes in flight
	flight   flight

	// The receiver's hand holds a block that is received and not yet in the intake.
	// With Hand = 0 it is full only within a Step.
	hand     parcel
	handFull bool

	// The intake holds at most one block: at work on it until actAt, or at the door
	// with it until the look at actAt. While the door is shut no look but the first
	// after the next pop can open it, so actAt is never until that pop.
	intake  stage
	inward  parcel
	actAt   event.Time
	reached event.Time // the door, by the block at it
	waited  bool       // the last block at the door found it shut

	// buffer holds no number below next.
	buffer payloads
	next   event.BlockNum
	height event.Height // of the peer's ledger; at most next, at least next − 1

	// The committer is asleep (popAt never), about to pop at popAt, or busy with
	// block next − 1 (popAt never).
	busy  bool
	popAt event.Time
}

type stage uint8

const (
	idle stage = iota
	working
	atDoor
)

// New returns the machine of a stream to a peer whose ledger has height blocks, so
// that its committer waits for the block of that number.
func New(cfg Config, height event.Height) (*Machine, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("pipeline: %w", err)
	}
	return &Machine{
		cfg:    cfg,
		now:    math.MinInt64,
		sentAt: never,
		actAt:  never,
		next:   event.BlockNum(height),
		height: height,
		popAt:  never,
	}, nil
}

// Free gives the machine's memory back, which the collector may not do of a long queue. It is not to
// be used after that.
func (m *Machine) Free() { m.flight.free() }

// Wants reports whether the sender is free for the orderer's next block.
func (m *Machine) Wants() bool { return !m.waiting && m.sentAt == never }

// Receives reports whether the receiver stands at its Recv with nothing on the way to
// it: a driver whose blocks come over a real stream reads the next one only then.
func (m *Machine) Receives() bool { return m.Wants() && m.flight.n == 0 && m.receives() }

// Buffered is the number of blocks in the buffer.
func (m *Machine) Buffered() int { return m.buffer.n }

// Door returns the block that stands at the shut door, if there is one.
func (m *Machine) Door() (event.BlockNum, bool) {
	return m.inward.block, m.intake == atDoor
}

// Wake says when the machine wants the next Step, unless an input comes before; false
// when it waits for inputs only. A Tick that comes later finds what was due happening
// late, as in a peer whose timers fire late.
func (m *Machine) Wake() (event.Time, bool) {
	if m.yielded {
		return m.now, true
	}
	t := min(m.popAt, m.actAt, m.sentAt)
	if m.flight.n > 0 && m.receives() {
		t = min(t, m.flight.front().arrives)
	}
	return t, t != never
}

// Step takes one input, lets everything happen that is due, and appends what has
// happened to dst. It ends early after a pop, so that the driver can begin with the
// block, and complete it at this very instant if it takes no time; Wake then returns
// the same instant again.
//
// Step panics on an input that cannot be: time that runs backwards, an offer that the
// machine does not want, the completion of a block that was not popped.
func (m *Machine) Step(dst []Output, in Input) []Output {
	if in.At < m.now {
		m.refuse(in)
	}
	m.now = in.At
	switch in.Kind {
	case Tick:
	case Offer:
		m.offer(in)
	case Committed:
		if !m.busy || in.Block+1 != m.next || m.height == event.Height(m.next) {
			m.refuse(in)
		}
		m.height = event.Height(m.next)
		return dst // Ready may follow at this instant, and its pop comes first
	case Ready:
		if !m.busy || in.Block+1 != m.next {
			m.refuse(in)
		}
		m.height = event.Height(m.next)
		m.busy = false
		if m.buffer.starts(m.next) {
			m.popAt = m.now
		}
	default:
		m.refuse(in)
	}
	return m.run(dst)
}

func (m *Machine) refuse(in Input) {
	panic(fmt.Sprintf("pipeline: %v %+v cannot be: it is %d, the sender is free: %v, the committer is busy: %v, its next block is %d, the ledger's height is %d",
		in.Kind, in, m.now, m.Wants(), m.busy, m.next, m.height))
}

// move is one thing that can be due, in the order of the package's comment.
type move uint8

const (
	pop move = iota
	look
	reach
	takeIn
	receive
	sent
	sendNow
	rest
)

// due returns what is due at m.now.
func (m *Machine) due() move {
	switch {
	case m.popAt <= m.now:
		return pop
	case m.actAt <= m.now:
		if m.intake == atDoor {
			return look
		}
		return reach
	case m.handFull && m.intake == idle:
		return takeIn
	case m.flight.n > 0 && m.receives() && m.flight.front().arrives <= m.now:
		return receive
	case m.sentAt <= m.now:
		return sent
	case m.waiting && m.admits():
		return sendNow
	}
	return rest
}

// run does what is due, up to a pop.
func (m *Machine) run(dst []Output) []Output {
	for {
		switch m.due() {
		case pop:
			dst = m.pop(dst)
			m.yielded = m.due() != rest
			return dst
		case look:
			dst = m.look(dst)
		case reach:
			// Nothing that comes before a look has become due by this.
			dst = m.look(m.reach(dst))
		case takeIn:
			m.takeIn()
		case receive:
			dst = m.receive(dst)
		case sent:
			dst = m.sent(dst)
		case sendNow:
			dst = m.send(dst)
		case rest:
			m.yielded = false
			return dst
		}
	}
}
