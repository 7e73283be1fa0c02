package attach

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/blockreel/blockreel/internal/fabric"
	"github.com/blockreel/blockreel/traces/event"
)

// A BlockError is a block that does not agree with its neighbours, with another copy of
// itself, or with the trace.
type BlockError struct {
	// Path is the file that the block stands in.
	Path    string
	Channel string
	Block   event.BlockNum
	Err     error
}

func (e *BlockError) Error() string {
	return fmt.Sprintf("%s: block %d of channel %s: %v", e.Path, e.Block, e.Channel, e.Err)
}

func (e *BlockError) Unwrap() error { return e.Err }

// What a BlockError can wrap, beside fabric.ErrDataHash.
var (
	// ErrFork: the block's previous hash is not that of the block before it, or two
	// files contain different blocks of one number.
	ErrFork = errors.New("the chain forks")
	// ErrHole: blocks are missing in the middle of the files.
	ErrHole = errors.New("blocks are missing")
	// ErrContradiction: the block and the trace differ.
	ErrContradiction = errors.New("it contradicts the trace")
)

// A link is what stays in memory of a block: the first bytes of its own hash and of
// the hash of the block before it; 0 means that there is none yet. Eight bytes of a
// SHA-256 are enough to distinguish blocks of different chains.
type link struct {
	hash, previous uint64
	validated      bool // a copy with validation flags was read
	hashed         bool // its commit hash is the trace's
}

func linkOf(b *fabric.Block) link {
	hash := b.HeaderHash()
	l := link{hash: binary.BigEndian.Uint64(hash[:])}
	if len(b.PreviousHash) >= 8 {
		l.previous = binary.BigEndian.Uint64(b.PreviousHash)
	}
	return l
}

// A chain compares the blocks of a channel with each other, in whatever order files
// bring them.
type chain struct {
	first   event.BlockNum
	links   []link // of the blocks from first on
	earlier earlier
	last    struct {
		number event.BlockNum
		link   link
	}
}

// check compares b with what is known. follows reports whether b comes after the last
// block in the same file.
func (c *chain) check(b *fabric.Block, follows bool) (link, error) {
	number := event.BlockNum(b.Number)
	switch {
	case follows && number > c.last.number+1:
		return link{}, fmt.Errorf("it follows block %d: %w between them", c.last.number, ErrHole)
	case follows && number != c.last.number+1:
		return link{}, fmt.Errorf("it follows block %d: the file's blocks are out of order", c.last.number)
	}
	if sum := b.SumData(); !bytes.Equal(sum[:], b.DataHash) {
		return link{}, fabric.ErrDataHash
	}
	l := linkOf(b)
	if number == c.last.number+1 && c.last.link.hash != 0 && c.last.link.hash != l.previous {
		return link{}, fmt.Errorf("%w: it names another block %d than the one in the files", ErrFork, c.last.number)
	}
	c.last.number, c.last.link = number, l
	if before := c.at(number - 1); number > 0 && before.hash != 0 && before.hash != l.previous {
		return link{}, fmt.Errorf("%w: it names another block %d than the one in the files", ErrFork, number-1)
	}
	if after := c.at(number + 1); after.previous != 0 && after.previous != l.hash {
		return link{}, fmt.Errorf("%w: block %d, which was read before, names another one", ErrFork, number+1)
	}
	if same := c.at(number); same.hash != 0 && same.hash != l.hash {
		return link{}, fmt.Errorf("%w: another block of this number was read before", ErrFork)
	}
	return l, nil
}

// at returns the link of a block, zero when it is not known.
func (c *chain) at(n event.BlockNum) link {
	if n < c.first {
		return c.earlier.at(n)
	}
	if n-c.first >= event.BlockNum(len(c.links)) {
		return link{}
	}
	return c.links[n-c.first]
}

// known counts the blocks of the trace that were read, and returns the first one that is
// missing between others.
func (c *chain) known() (n int, hole event.BlockNum, holed bool) {
	begun := slices.IndexFunc(c.links, func(l link) bool { return l.hash != 0 })
	hole, holed = c.earlier.hole(c.first+event.BlockNum(max(begun, 0)), begun >= 0)
	missing := -1
	for i, l := range c.links {
		switch {
		case l.hash == 0 && n > 0 && missing < 0:
			missing = i
		case l.hash != 0:
			if missing >= 0 && !holed {
				hole, holed = c.first+event.BlockNum(missing), true
			}
			n++
		}
	}
	return n, hole, holed
}
