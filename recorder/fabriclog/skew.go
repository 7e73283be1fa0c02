package fabriclog

import (
	"time"

	"github.com/dustin/go-humanize/english"

	"github.com/blockreel/blockreel/traces/event"
)

// Skew is what the order of events says about two clocks. No block reaches a peer
// before it is offered, so the smallest difference between a peer's first sign of a
// block and its offer bounds how far the peer's clock can be ahead; when that is
// negative, the peer's clock is behind for certain.
type Skew struct {
	// Known is false when no block has both times.
	Known bool
	// Smallest is the least difference between the peer's first sign of a block and
	// its offer, and Block the block that has it. The peer's clock minus the
	// orderer's is at most this.
	Smallest time.Duration
	Block    event.BlockNum
	// Blocks is the number of blocks that the peer tells of before they were
	// offered, by more than the timestamps' resolution explains.
	Blocks int
}

// quickest is assumed to be more than the quickest delivery of a run takes, for the
// second bound of a skew: it is the interval of the payloads buffer's poll, and a
// delivery to an idle peer takes a tenth of it.
const quickest = 100 * time.Millisecond

// measureSkew compares each block's offer with the peer's first sign of it.
func (s *stream) measureSkew() Skew {
	var k Skew
	for i, offered := range s.Column(event.Offered) {
		sign := s.firstSign(i)
		if offered == missing || sign == missing {
			continue
		}
		d := time.Duration(sign - offered)
		if !k.Known || d < k.Smallest {
			k.Known, k.Smallest, k.Block = true, d, s.Block(i)
		}
		// A time cut to its resolution is early by less than that.
		if d <= -time.Duration(s.resolution) {
			k.Blocks++
		}
	}
	return k
}

// correctClocks measures every stream's skew and, when asked to, corrects it. A
// peer has one clock, so all its streams move together.
func (l *logs) correctClocks(streams []*stream) {
	l.tellStamps()
	fix := make(map[*peer]time.Duration)
	for _, s := range streams {
		l.resolve(s)
		s.report.Skew = s.measureSkew()
		if s.peer != nil && s.report.Skew.Known {
			fix[s.peer] = max(fix[s.peer], -s.report.Skew.Smallest)
		}
	}
	for _, s := range streams {
		if l.cfg.ClockOffset != 0 && s.peer != nil {
			s.warn("%v were added to all times of the peer, as asked for", l.cfg.ClockOffset)
		}
		by := fix[s.peer]
		if l.cfg.FixClockSkew && by > 0 {
			s.shift(by)
			s.warn("%v were added to all times of the peer, the least that leaves no block at the peer before its offer; latencies may be too short by the quickest delivery", by)
			continue
		}
		k := s.report.Skew
		if k.Blocks > 0 {
			s.warn("the clocks differ: the peer tells of %s before the orderer offered them, of block %d by %v. The peer's clock is behind by at least that, and by less than %v if any block was delivered within %v. Latencies and gap are wrong by as much: record again with --fix-clock-skew, which adds %v to the peer's times, or with --clock-offset if you know the difference (or give the log of the orderer that the peer pulls from, if this is another's)",
				english.Plural(k.Blocks, "block", ""), k.Block, -k.Smallest, quickest-k.Smallest, quickest, -k.Smallest)
		}
		s.hintZone(k)
	}
}

// hintZone tells when the clocks differ by what time zones differ.
func (s *stream) hintZone(k Skew) {
	const step, near = 30 * time.Minute, time.Minute
	off := (k.Smallest + step/2).Truncate(step)
	if k.Smallest < 0 {
		off = (k.Smallest - step/2).Truncate(step)
	}
	if k.Known && off != 0 && (k.Smallest-off).Abs() < near {
		s.warn("the peer's times are about %v away from the orderer's at the closest: if no outage explains that, the two logs are written in different time zones", off)
	}
}
