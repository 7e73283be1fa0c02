package attach

import (
	"fmt"
	"time"

	"github.com/dustin/go-humanize/english"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/blockreel/blockreel/internal/fabric"
	commonpb "github.com/blockreel/blockreel/internal/fabric/proto/common"
	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// A ChannelReport says what a channel of the trace was given.
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
	// Hashed counts the blocks with a copy whose commit hash is the one that the trace
	// tells; another one would be an error. An orderer's copy has none.
	Hashed int64
	// Told reports whether the trace has commit hashes.
	Told bool
	// Late counts the blocks whose first transaction was made, by its client's clock,
	// more than a minute after the trace has seen the block.
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
	// touched reports whether a file was of this channel.
	touched bool
}

// cover widens the channel's range to that of a stream.
func (c *channel) cover(tl *traces.Timeline) error {
	c.streams = append(c.streams, tl)
	c.Told = c.Told || tl.Column(event.CommitHash) != nil
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
	if l.hashed, err = c.compareHash(b); err != nil {
		return false, err
	}
	if l.hashed && !known.hashed {
		c.Hashed++
	}
	l.hashed = l.hashed || known.hashed
	if again {
		c.Repeated++
	} else if err := c.fill(b); err != nil {
		return false, err
	}
	valid, validated := b.ValidTransactions()
	if validated && !known.validated {
		if err := c.verdict(b, int64(b.Transactions-valid)); err != nil {
			return false, err
		}
	}
	l.validated = known.validated || validated
	*known = l
	return !again, nil
}

// compareHash compares a block's commit hash with the trace's, and
// reports whether both are there.
func (c *channel) compareHash(b *fabric.Block) (compared bool, err error) {
	hash, err := fabric.MetadataValue(b.Metadata(commonpb.BlockMetadataIndex_COMMIT_HASH))
	if err != nil || len(hash) < event.CommitHashBytes {
		return false, nil // an orderer's copy, or one of a peer before 1.4.1
	}
	number := int64(0)
	for _, x := range hash[:event.CommitHashBytes] {
		number = number<<8 | int64(x)
	}
	for _, tl := range c.streams {
		i, ok := index(tl, b)
		if !ok || tl.Value(event.CommitHash, i) == event.Missing {
			continue
		}
		if told := tl.Value(event.CommitHash, i); told != number {
			return false, fmt.Errorf("%w: the block's commit hash begins with %06x, and that of %s with %06x: these are blocks of another run; "+
				"take those of the ledger that the trace was recorded of", ErrContradiction, number, tl.Name(), told)
		}
		compared = true
	}
	return compared, nil
}

// verdict takes the validation flags of a block.
func (c *channel) verdict(b *fabric.Block, invalid int64) error {
	if err := c.agree(b, event.InvalidTransactions, "refused transactions", invalid); err != nil {
		return err
	}
	c.Validated++
	c.Invalid += invalid
	c.set(b, event.InvalidTransactions, invalid)
	return nil
}

// agree compares a count of a block with the streams'.
func (c *channel) agree(b *fabric.Block, k event.Kind, what string, count int64) error {
	for _, tl := range c.streams {
		i, ok := index(tl, b)
		if !ok {
			continue
		}
		if told := tl.Value(k, i); told != event.Missing && told != count {
			return fmt.Errorf("%w: the block has %d %s, and %s had %d: these are blocks of another run", ErrContradiction, count, what, tl.Name(), told)
		}
	}
	return nil
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

// fill writes the figures of a block that the trace lacks. The number of
// transactions must agree; sizes need not, since a peer's copy of a block is larger than
// the orderer's by its flags.
func (c *channel) fill(b *fabric.Block) error {
	if err := c.agree(b, event.Transactions, "transactions", int64(b.Transactions)); err != nil {
		return err
	}
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
	c.set(b, event.Transactions, int64(b.Transactions))
	c.set(b, event.Bytes, int64(len(b.Raw)))
	c.set(b, event.Writes, int64(writes.Count))
	return nil
}

// maxSkew is how far a client's clock may be ahead of the network's. How far it is behind
// says nothing: a load test may send transactions that were made an hour before.
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

// Foreign says why the blocks may be of another run that has blocks of these numbers,
// although nothing contradicts the trace; empty if there is no sign of it. A single commit
// hash that agrees is enough, since the other blocks are of its chain.
func (r *ChannelReport) Foreign() string {
	if r.Hashed > 0 || r.Late == 0 {
		return ""
	}
	return fmt.Sprintf("the transactions of %s were made more than %v after the trace has seen the block, by their clients' clocks: "+
		"these may be blocks of another run", english.Plural(int(r.Late), "block", ""), maxSkew)
}

// Unhashed says why only numbers, the chain and counts show that the blocks are the
// trace's; empty if commit hashes do.
func (r *ChannelReport) Unhashed() string {
	what := "the blocks have no commit hashes, as a peer's copies have them"
	switch {
	case r.Hashed > 0 || r.Blocks == 0:
		return ""
	case !r.Told:
		what = "the trace has no commit hashes, as a peer's log tells them"
	}
	return what + ": that the blocks are this run's, beside their numbers and counts, " + uncompared
}

// finish counts what is missing; a hole in the middle of the files is an error.
func (c *channel) finish() error {
	known, hole, holed := c.known()
	if holed {
		err := fmt.Errorf("channel %s: %w: block %d is in no file, but blocks before and after it are", c.Channel, ErrHole, hole)
		if c.Earlier > 0 && hole <= c.first {
			err = fmt.Errorf("%w (blocks before the trace, which begins at %d, can be left out altogether)", err, c.first)
		}
		return err
	}
	c.Without = int64(len(c.links) - known)
	return nil
}
