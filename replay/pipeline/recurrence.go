package pipeline

import (
	"errors"
	"fmt"
	"math"
)

// Solve fills out, made for b.Len() blocks, with the instants that a Machine with cfg
// produces for blocks offered in order to a peer that has all blocks before the first,
// exactly. A non-blocking buffer has no such closed form, since what it drops must be
// offered again: that needs the Machine.
func Solve(cfg Config, b Blocks, out *Columns) error {
	if err := cfg.Validate(); err != nil {
		return fmt.Errorf("pipeline: %w", err)
	}
	if cfg.Policy.NonBlocking {
		return errors.New("pipeline: a non-blocking buffer cannot be solved: drive a Machine")
	}
	if err := b.validate(cfg); err != nil {
		return err
	}
	if len(out.Sent) != b.Len() {
		return fmt.Errorf("pipeline: columns for %d blocks, not for %d", len(out.Sent), b.Len())
	}
	solve(cfg, b, out)
	return nil
}

func solve(cfg Config, b Blocks, out *Columns) {
	var (
		capacity = cfg.capacity()
		link     = sendState{link: cfg.Link, sent: past}
		begun    = past // the intake of the block before
		enqueued = past
		ready    = past
		waited   = false
	)
	for i := range b.Len() {
		bytes := at(b.Bytes, i)
		sent, arrives := link.send(i, b.Offered[i], bytes, at(b.Transit, i), &b, out.Received)

		received := max(arrives, enqueued)
		if cfg.Hand > 0 {
			received = max(arrives, begun)
		}
		begun = max(received, enqueued)
		door := begun + int64(cfg.Intake.Cost(bytes))
		if waited {
			door += int64(cfg.Intake.Resume)
		}

		enqueued = door
		waited = i >= capacity && door < out.Dequeued[i-capacity]
		if waited {
			enqueued = opens(door, out.Dequeued[i-capacity], int64(cfg.Policy.Retry))
		}

		dequeued := ready
		if enqueued >= ready {
			dequeued = enqueued + int64(cfg.Wake)
		}
		validated := dequeued + at(b.Validate, i)
		committed := validated + at(b.Commit, i)
		ready = committed + at(b.Turnaround, i)

		out.Sent[i], out.Received[i], out.AtDoor[i], out.Enqueued[i] = sent, received, door, enqueued
		out.Dequeued[i], out.Validated[i], out.Committed[i] = dequeued, validated, committed
	}
}

// past is earlier than every instant of a run, and far enough from the smallest int64
// to be added to.
const past int64 = math.MinInt64 / 2

// capacity is the number of blocks after which one must be popped before another is
// enqueued.
func (c Config) capacity() int {
	if c.Policy.Unbounded {
		return math.MaxInt
	}
	return c.Policy.Capacity()
}

// opens is the look that finds the door open, when that at door found it shut: the first
// of those at door + retry, door + 2 retry, … at or after room. Retry 0 looks all the time.
func opens(door, room, retry int64) int64 {
	if retry == 0 {
		return room
	}
	looks := uint64(max(room-door-1, 0))/uint64(retry) + 1
	return door + int64(looks)*retry
}

// sendState is the orderer's side of the recurrence.
type sendState struct {
	link     Link
	sent     int64 // of the block before
	landed   int   // blocks that have been received when the next send starts
	inFlight int64 // bytes sent and not landed
}

// send returns when block i is sent and when it arrives, unless a block before it is
// still under way; received holds the instants
// of the blocks before it.
func (s *sendState) send(i int, offered, bytes, transit int64, b *Blocks, received []int64) (sent, arrives int64) {
	start := max(offered, s.sent)
	if w := s.link.Window; w > 0 {
		for s.landed < i && s.inFlight+bytes > w {
			s.inFlight -= at(b.Bytes, s.landed)
			s.landed++
		}
		s.inFlight += bytes
		if s.landed > 0 {
			start = max(start, received[s.landed-1])
		}
	}
	s.sent = start + int64(s.link.transmission(bytes))
	return s.sent, s.sent + int64(s.link.Latency) + transit
}
