package attach

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/blockreel/blockreel/internal/fabric"
	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// A ChannelReport tells what a channel of the trace was given.
type ChannelReport struct {
	Channel string
	// Blocks counts those of the trace that were found, Bytes what they take. Stored
	// are those of them whose payload the trace had already.
	Blocks, Bytes, Stored int64
	// Transactions in them, and Writes to public state by these, of so many
	// WriteBytes.
	Transactions, Writes, WriteBytes int64
	// Validated counts the blocks that carry validation flags, and Invalid the
	// transactions in them that the peer refused.
	Validated, Invalid int64
	// Unreadable counts the blocks of which some transaction's writes cannot be
	// read; they are counted without it.
	Unreadable int64
	// Late counts the blocks whose first transaction was made, by its client's clock,
	// more than a minute after the trace has seen the block: they may be of another
	// run whose blocks have the same numbers.
	Late int64
	// Repeated counts copies of blocks that were there already.
	Repeated int64
	// Before and After count blocks outside of the trace that were left out.
	Before, After int64
	// Earlier are the blocks before the trace whose payload was kept, EarlierBytes what
	// they take.
	Earlier, EarlierBytes int64
	// Without counts blocks of the trace that no file holds.
	Without int64
}

// A channel is what the streams of one channel share: its blocks.
type channel struct {
	ChannelReport
	chain
	base    time.Time // of the trace's times; zero when it is not known
	streams []*traces.Timeline
	// touched tells that a file was of this channel.
	touched bool
}

// cover widens the channel's range to that of a stream.
func (c *channel) cover(tl *traces.Timeline) error {
	c.streams = append(c.streams, tl)
	if tl.Len() == 0 {
		return nil
	}
	first, end := tl.First, tl.First+event.BlockNum(tl.Len())
	if n := event.BlockNum(len(c.links)); n > 0 {
		first, end = min(first, c.first), max(end, c.first+n)
	}
	if end-first > traces.MaxTimelineBlocks {
		return fmt.Errorf("the streams of channel %s are too far apart: blocks %d to %d", c.Channel, first, end-1)
	}
	c.first, c.links = first, make([]link, end-first)
	return nil
}

// take checks a block and puts its figures into the columns. It reports whether its
// payload is wanted: of one of the trace's blocks or, if keep is set, of one before them.
func (c *channel) take(b *fabric.Block, follows, keep bool) (wanted bool, err error) {
	l, err := c.check(b, follows)
	if err != nil {
		return false, err
	}
	number := event.BlockNum(b.Number)
	switch {
	case number < c.first && !keep:
		c.Before++
		return false, nil
	case number < c.first && !c.earlier.add(number, l):
		c.Repeated++
		return false, nil
	case number < c.first:
		c.Earlier++
		c.EarlierBytes += int64(len(b.Raw))
		return true, nil
	case number-c.first >= event.BlockNum(len(c.links)):
		c.After++
		return false, nil
	}
	known := &c.links[number-c.first]
	again := known.hash != 0
	l.validated = known.validated || c.verdict(b, !known.validated)
	*known = l
	if again {
		c.Repeated++
		return false, nil
	}
	return true, c.fill(b)
}

// verdict counts the validation flags of a block that has some, and reports
// whether it has.
func (c *channel) verdict(b *fabric.Block, fresh bool) bool {
	valid, ok := b.ValidTransactions()
	if ok && fresh {
		invalid := int64(b.Transactions - valid)
		c.Validated++
		c.Invalid += invalid
	}
	return ok
}

// set gives a fact of a block to the streams that do not know it.
func (c *channel) set(b *fabric.Block, k event.Kind, value int64) {
	for _, tl := range c.streams {
		if i, ok := index(tl, b); ok && tl.Value(k, i) == event.Missing {
			tl.MakeColumn(k)[i] = value
		}
	}
}

func index(tl *traces.Timeline, b *fabric.Block) (int, bool) {
	n := event.BlockNum(b.Number)
	if n < tl.First || n-tl.First >= event.BlockNum(tl.Len()) {
		return 0, false
	}
	return int(n - tl.First), true
}

// fill writes what a block tells of itself where the trace does not know it. The number of
// transactions must agree; sizes need not, since a peer's copy of a block is larger than
// the orderer's by its flags.
func (c *channel) fill(b *fabric.Block) error {
	writes, err := b.Writes()
	if err != nil {
		c.Unreadable++
	}
	if c.late(b) {
		c.Late++
	}
	c.Blocks++
	c.Bytes += int64(len(b.Raw))
	c.Transactions += int64(b.Transactions)
	c.Writes += int64(writes.Count)
	c.WriteBytes += int64(writes.Bytes)
	for _, tl := range c.streams {
		i, ok := index(tl, b)
		if told := tl.Value(event.Transactions, i); ok && told != event.Missing && told != int64(b.Transactions) {
			return fmt.Errorf("%w: the block has %d transactions, and %s had %d: these are blocks of another run",
				ErrContradiction, b.Transactions, tl.Name(), told)
		}
	}
	c.set(b, event.Transactions, int64(b.Transactions))
	c.set(b, event.Bytes, int64(len(b.Raw)))
	c.set(b, event.Writes, int64(writes.Count))
	return nil
}

// maxSkew is how far a client's clock may be ahead of the network's.
const maxSkew = time.Minute

// late reports whether the block's first transaction was made after the block.
func (c *channel) late(b *fabric.Block) bool {
	if c.base.IsZero() {
		return false
	}
	var made timestamppb.Timestamp
	for _, envelope := range b.Envelopes() {
		t, err := fabric.ParseTransaction(envelope)
		if err != nil || t.Timestamp == nil || proto.Unmarshal(t.Timestamp, &made) != nil || made.CheckValid() != nil {
			return false
		}
		break
	}
	for _, tl := range c.streams {
		i, ok := index(tl, b)
		if !ok {
			continue
		}
		for _, k := range []event.Kind{event.Offered, event.Committed} {
			if at := tl.Value(k, i); at != event.Missing {
				return made.AsTime().After(c.base.Add(time.Duration(at) + maxSkew))
			}
		}
	}
	return false
}

// finish counts what is missing; a hole in the midst of the files is an error.
func (c *channel) finish() error {
	known, hole, holed := c.known()
	if holed {
		err := fmt.Errorf("channel %s: %w: block %d is in no file, although blocks before and behind it are", c.Channel, ErrHole, hole)
		if c.Earlier > 0 && hole <= c.first {
			err = fmt.Errorf("%w (blocks before the trace, which begins at %d, can be left out altogether)", err, c.first)
		}
		return err
	}
	c.Without = int64(len(c.links) - known)
	return nil
}
