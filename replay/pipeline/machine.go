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
	sending     parcel
	waiting     bool
	sentAt      event.Time
	inFlight    int64 // bytes in flight
	flight      flight
	lastArrival event.Time

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
		cfg:         cfg,
		now:         math.MinInt64,
		sentAt:      never,
		lastArrival: math.MinInt64,
		actAt:       never,
		next:        event.BlockNum(height),
		height:      height,
		popAt:       never,
	}, nil
}

// Wants reports whether the sender is free for the orderer's next block.
func (m *Machine) Wants() bool { return !m.waiting && m.sentAt == never }

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
		panic(fmt.Sprintf("pipeline: %v at %d, after %d", in.Kind, in.At, m.now))
	}
	m.now = in.At
	switch in.Kind {
	case Tick:
	case Offer:
		m.offer(in)
	case Committed:
		m.expect(in, m.busy && in.Block+1 == m.next && m.height < event.Height(m.next))
		m.height = event.Height(m.next)
		return dst // Ready may follow at this instant, and its pop comes first
	case Ready:
		m.expect(in, m.busy && in.Block+1 == m.next && m.height == event.Height(m.next))
		m.busy = false
		if m.buffer.starts(m.next) {
			m.popAt = m.now
		}
	default:
		m.expect(in, false)
	}
	return m.run(dst)
}

func (m *Machine) expect(in Input, holds bool) {
	if !holds {
		panic(fmt.Sprintf("pipeline: %v of block %d at %d cannot be: the committer waits for or works on block before %d, the ledger's height is %d",
			in.Kind, in.Block, in.At, m.next, m.height))
	}
}

// run does what is due at m.now in the order of the package's comment.
func (m *Machine) run(dst []Output) []Output {
	m.yielded = false
	for {
		switch {
		case m.popAt <= m.now:
			return m.pop(dst)
		case m.actAt <= m.now && m.intake == atDoor:
			dst = m.look(dst)
		case m.actAt <= m.now:
			dst = append(dst, Output{event.AtDoor, m.inward.block, m.now})
			m.intake, m.reached, m.waited = atDoor, m.now, false
		case m.handFull && m.intake == idle:
			m.takeIn()
		case m.flight.n > 0 && m.receives() && m.flight.front().arrives <= m.now:
			dst = m.receive(dst)
		case m.sentAt <= m.now:
			dst = m.sent(dst)
		case m.waiting && m.admits():
			m.waiting = false
			m.inFlight += m.sending.bytes
			m.sentAt = m.now + event.Time(m.cfg.Link.transmission(m.sending.bytes))
		default:
			return dst
		}
	}
}
