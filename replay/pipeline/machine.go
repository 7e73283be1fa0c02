package pipeline

import (
	"fmt"
	"math"
	"time"

	"github.com/blockreel/blockreel/traces/event"
)

// never is later than every instant of a run.
const never = event.Time(math.MaxInt64)

// Output is one thing that happens to a block: Sent, Received, AtDoor, Enqueued,
// Dequeued or Ignored.
type Output struct {
	Kind  event.Kind
	Block event.BlockNum
	At    event.Time
}

// Ignored is the Kind of an Output that is no instant of a trace, and so not Valid as its
// event: the block was admitted but is buffered or popped already.
const Ignored = event.Kind(254)

// A Machine is one stream's pipeline: the orderer's sender, the link, the receiver
// with its intake, the payloads buffer with its door, and the committer's loop.
// An instant that nothing is scheduled for is never.
type Machine struct {
	cfg       Config
	threshold int        // of cfg.Policy
	now       event.Time // of the last input
	wake      event.Time // at which something is due without an input

	// The sender holds at most one block: waiting for the window to admit it, or in
	// transmission until sentAt, or neither.
	sending  parcel
	transit  event.Time // of the block sending, on top of the link's latency
	waiting  bool
	sentAt   event.Time
	inFlight int64 // bytes in flight
	flight   flight
	lands    event.Time // the front of flight

	// The receiver's hand holds a block that is received and not yet in the intake.
	// With Hand = 0 it stays empty.
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

	// The committer is asleep (popAt never), about to pop at popAt, or busy with
	// block next − 1 (popAt never).
	busy  bool
	popAt event.Time

	// What the last input has returned. A move of the machine says no more than two things.
	outputs [8]Output
	said    int
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
		cfg:       cfg,
		threshold: cfg.Policy.Threshold(),
		now:       math.MinInt64,
		wake:      never,
		sentAt:    never,
		lands:     never,
		actAt:     never,
		next:      event.BlockNum(height),
		popAt:     never,
	}, nil
}

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

// Wake returns when the machine wants the next Step, unless an input comes before; false
// when it waits for inputs only. A Tick that comes later finds what was due happening
// late, as in a peer whose timers fire late.
func (m *Machine) Wake() (event.Time, bool) { return m.wake, m.wake != never }

// Tick, Offer and Ready are the inputs. Each lets everything happen that is due, and returns
// what has happened, which is the caller's to read until the next input. It ends early after a
// pop, so that the driver can begin with the block, and complete it at this very instant if it
// takes no time, and after many outputs; Wake then returns the same instant again.
//
// They panic on what cannot be: time that runs backwards, an offer that the machine does not
// want, the completion of a block that was not popped.

// Tick tells the machine that the instant has come that Wake returned.
func (m *Machine) Tick(at event.Time) []Output {
	return m.run(at)
}

// Offer hands the orderer's next block to its sender, who must want it. Blocks that were offered
// earlier stay in the orderer's ledger. A block has 0 to MaxBlockBytes; transit is the time that
// it takes on top of the link's latency, which delays the arrivals, not the sends, of those
// after it.
func (m *Machine) Offer(at event.Time, b event.BlockNum, bytes int64, transit time.Duration) []Output {
	if !m.Wants() || bytes < 0 || bytes > MaxBlockBytes || transit < 0 {
		m.refuse("offer", b)
	}
	m.sending = parcel{block: b, bytes: bytes}
	m.transit = event.Time(transit)
	m.waiting = true
	return m.run(at)
}

// Ready tells the machine that the block that it popped last is committed, and the committer
// back for the next one.
func (m *Machine) Ready(at event.Time, b event.BlockNum) []Output {
	if !m.busy || b+1 != m.next {
		m.refuse("completion", b)
	}
	m.busy = false
	if m.buffer.starts(m.next) {
		m.popAt = at
	}
	return m.run(at)
}

func (m *Machine) refuse(what string, b event.BlockNum) {
	panic(fmt.Sprintf("pipeline: the %s of block %d cannot be: the sender is free: %v, the committer is busy: %v, its next block is %d",
		what, b, m.Wants(), m.busy, m.next))
}

// run does what is due, in the order of the package's comment, up to a pop.
func (m *Machine) run(now event.Time) []Output {
	if now < m.now {
		panic(fmt.Sprintf("pipeline: an input at %d came after one at %d", now, m.now))
	}
	m.now, m.said = now, 0
	for m.popAt > now && m.said < len(m.outputs)-1 {
		switch {
		case m.actAt <= now:
			if m.intake == working {
				m.reach(now) // nothing that comes before a look becomes due by this
			}
			m.look(now)
		case m.handFull && m.intake == idle:
			m.handFull = false
			m.takeIn(m.hand, now)
		case m.lands <= now && m.receives():
			m.receive(now)
		case m.sentAt <= now:
			m.sent(now)
		case m.waiting && m.admits():
			m.send(now)
		default:
			m.wake = m.timer()
			return m.outputs[:m.said]
		}
	}
	if m.popAt <= now && m.said < len(m.outputs) {
		m.pop(now)
	}
	if m.wake = max(m.timer(), now); m.handFull && m.intake == idle || m.waiting && m.admits() {
		m.wake = now
	}
	return m.outputs[:m.said]
}

// say adds to what the Step returns.
func (m *Machine) say(k event.Kind, b event.BlockNum, now event.Time) {
	m.outputs[m.said%len(m.outputs)] = Output{k, b, now}
	m.said++
}

// timer is the earliest instant at which something is due.
func (m *Machine) timer() event.Time {
	t := min(m.popAt, m.sentAt)
	if m.lands < t && m.receives() {
		t = m.lands
	}
	return min(t, m.actAt)
}
