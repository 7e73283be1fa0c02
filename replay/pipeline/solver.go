package pipeline

import (
	"fmt"
	"math"

	"github.com/blockreel/blockreel/traces/event"
)

// past is earlier than every instant of a run, and far enough from the smallest int64
// to be added to.
const past int64 = math.MinInt64 / 2

// A Solver gives the instants that a Machine produces for blocks offered in order to a peer
// that has all blocks before the first, exactly. It goes over a stream of any length window
// by window; where windows end makes no difference. Of the blocks before it keeps the last
// 2N + 1 pops and what is in flight.
type Solver struct {
	limits   limits
	sender   sender
	pops     history // of a bounded buffer
	work     []int64
	begun    int64 // the intake of the block before
	enqueued int64 // of the block before
	ready    int64 // the committer, for the next block
	waited   bool  // the block before, at the door
}

// NewSolver returns a Solver that stands before the first block.
func NewSolver(cfg Config) (*Solver, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("pipeline: %w", err)
	}
	s := &Solver{limits: newLimits(cfg), sender: newSender(cfg.Link), begun: past, enqueued: past, ready: past}
	if cfg.Policy.Bounded() {
		s.pops = newHistory(cfg.Policy.Capacity())
	}
	return s, nil
}

// Solve fills out for a whole stream.
func Solve(cfg Config, b Blocks, out *Columns) error {
	s, err := NewSolver(cfg)
	if err != nil {
		return err
	}
	return s.Next(b, out)
}

// Next fills out, whose memory it uses again, for the next blocks of the stream. After an
// error the Solver is of no more use.
func (s *Solver) Next(b Blocks, out *Columns) error {
	if err := s.limits.admit(&b); err != nil {
		return err
	}
	out.resize(b.Len())
	s.solve(&b, out)
	return nil
}

func (s *Solver) solve(b *Blocks, out *Columns) {
	cfg := &s.limits.cfg
	bounded := cfg.Policy.Bounded()
	rooms, pops := s.pops.before(b.Len(), &s.work)
	for i, offered := range b.Offered {
		bytes := b.Bytes[i]
		sent, arrives := s.sender.send(offered, bytes, b.Transit[i])

		received := max(arrives, s.enqueued)
		if cfg.Hand > 0 {
			received = max(arrives, s.begun)
		}
		s.sender.received(bytes, received)
		s.begun = max(received, s.enqueued)
		door := s.begun + int64(cfg.Intake.Cost(bytes))
		if s.waited {
			door += int64(cfg.Intake.Resume)
		}

		s.enqueued = door
		s.waited = bounded && door < rooms[i]
		if s.waited {
			s.enqueued = opens(door, rooms[i], int64(cfg.Policy.Retry))
		}

		dequeued := s.ready
		if s.enqueued >= s.ready {
			dequeued = s.enqueued + int64(cfg.Wake)
		}
		s.ready = dequeued + b.Service[i]
		pops[i] = dequeued

		out.Sent[i], out.Received[i], out.AtDoor[i], out.Enqueued[i] = sent, received, door, s.enqueued
	}
	s.pops.add(pops)
	copy(out.Dequeued, pops)
}

// sender is the orderer's side of the recurrence.
type sender struct {
	link  Link
	sent  int64 // of the block before
	freed int64 // by the receipt of the last block that left flight
	// flight has the blocks that are sent and perhaps not received when the next send
	// starts, if the link has a window; inFlight are their bytes.
	flight   flight
	inFlight int64
}

func newSender(l Link) sender { return sender{link: l, sent: past, freed: past} }

// send returns when the next block is sent and when it arrives, unless a block before it is
// still under way.
func (s *sender) send(offered, bytes, transit int64) (sent, arrives int64) {
	start := max(offered, s.sent)
	if w := s.link.Window; w > 0 {
		for s.flight.n > 0 && s.inFlight+bytes > w {
			first := s.flight.front()
			s.inFlight -= first.bytes
			s.freed = int64(first.at)
			s.flight.pop()
		}
		s.inFlight += bytes
		start = max(start, s.freed)
	}
	s.sent = start + int64(s.link.transmission(bytes))
	return s.sent, s.sent + int64(s.link.Latency) + transit
}

// received tells the sender when the block that it has sent is received.
func (s *sender) received(bytes, at int64) {
	if s.link.Window > 0 {
		s.flight.push(parcel{bytes: bytes, at: event.Time(at)})
	}
}
