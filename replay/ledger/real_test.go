package ledger

import (
	"bytes"
	"strings"
	"testing"

	"github.com/blockreel/blockreel/internal/fabric"
	"github.com/blockreel/blockreel/internal/fabric/blocktest"
	peerpb "github.com/blockreel/blockreel/internal/fabric/proto/peer"
	"github.com/blockreel/blockreel/replay/block"
	"github.com/blockreel/blockreel/traces/event"
)

// realBlocks makes a ledger's blocks of marshalled ones.
func realBlocks(t testing.TB, raw [][]byte) []block.Block {
	t.Helper()
	var blocks []block.Block
	for _, payload := range raw {
		view, err := fabric.ParseBlock(payload)
		if err != nil {
			t.Fatal(err)
		}
		blocks = append(blocks, block.Block{
			Number: event.BlockNum(view.Number), Transactions: view.Transactions, Bytes: len(payload), Payload: payload,
		})
	}
	return blocks
}

// The verdicts on real blocks are those of the peer that committed them, from the genesis
// block on and, for a ledger that begins later, with what it believes.
func TestRealFlags(t *testing.T) {
	for _, c := range []struct {
		name      string
		blocks    func(t testing.TB) [][]byte
		conflicts int64 // MVCC_READ_CONFLICT in the blocks
	}{
		{"sample", blocktest.Sample, 25},
		{"fabric-2.5-mvcc-debug", func(t testing.TB) [][]byte { return blocktest.Run(t, "fabric-2.5-mvcc-debug") }, 2779},
		{"fabric-2.5-mvcc-blockfiles", func(t testing.TB) [][]byte { return blocktest.Run(t, "fabric-2.5-mvcc-blockfiles") }, 1781},
	} {
		t.Run(c.name, func(t *testing.T) {
			if testing.Short() && c.name != "sample" {
				t.Skip("verifies thousands of signatures")
			}
			blocks := realBlocks(t, c.blocks(t))
			for _, from := range []int{0, 1, 7, len(blocks) / 2} {
				l := open(t, Memory, Config{Channel: "ch1", First: blocks[from].Number})
				for i := range blocks[from:] {
					commit(t, l, &blocks[from+i])
				}
				r := l.Report()
				if r.Compared+r.AdoptedPast != r.Transactions || r.Transactions == 0 {
					t.Errorf("from block %d: %d of %d transactions were compared, %d codes adopted", from, r.Compared, r.Transactions, r.AdoptedPast)
				}
				for _, d := range r.Differences {
					t.Errorf("from block %d: %v", from, d)
				}
				const conflict = byte(peerpb.TxValidationCode_MVCC_READ_CONFLICT)
				if from <= 1 && (r.Codes[conflict] != c.conflicts || r.AdoptedPast != 0 || r.Believed != 0) {
					t.Errorf("%d conflicts, want %d, found here: %d codes adopted, %d reads believed",
						r.Codes[conflict], c.conflicts, r.AdoptedPast, r.Believed)
				}
				if (from > 1) != (r.Believed > 0) {
					t.Errorf("from block %d: %d reads and range queries were believed", from, r.Believed)
				}
				// The first block of a ledger that begins late, and block 0, have nothing to go on.
				if want := int64(len(blocks) - from - 1); r.ComparedHashes < want || r.DifferentHashes > 0 {
					t.Errorf("from block %d: %d commit hashes compared, want %d; %d differ, the first of block %d",
						from, r.ComparedHashes, want, r.DifferentHashes, r.FirstDifferent)
				}
				check(t, l)
			}
		})
	}
}

// An orderer's blocks have no verdicts: the ledger comes to those of a peer by itself.
func TestBlocksWithoutVerdicts(t *testing.T) {
	l := open(t, Memory, Config{Channel: "ch1"})
	var bare, hashes [][]byte
	var want Report
	for _, raw := range blocktest.Sample(t) {
		view, err := fabric.ParseBlock(raw)
		if err != nil {
			t.Fatal(err)
		}
		for _, code := range view.Flags() {
			want.Codes[code]++
			want.Transactions++
		}
		bare = append(bare, view.Committed([]byte{}, []byte{}))
		peer, _ := peerCommitHash(&view)
		hashes = append(hashes, peer[:])
	}
	blocks := realBlocks(t, bare)
	for i := range blocks {
		commit(t, l, &blocks[i])
		if got, ok := l.CommitHash(); ok != (i > 0) || ok && !bytes.Equal(got[:], hashes[i]) {
			t.Errorf("the commit hash of block %d is %x, %v, want %x", i, got, ok, hashes[i])
		}
	}
	r := l.Report()
	if r.Compared != 0 || r.ComparedHashes != 0 || r.AdoptedPolicies+r.AdoptedPast != 0 {
		t.Errorf("there was something to compare: %+v", r)
	}
	if want.Transactions == 0 || r.Transactions != want.Transactions || r.Codes != want.Codes {
		t.Errorf("validation codes of %d transactions are %v, want those of %d, %v", r.Transactions, r.Codes, want.Transactions, want.Codes)
	}
	check(t, l)
}

// There is a commit hash to hold against a peer's log as long as all is here that it follows from.
func TestCommitHashFollows(t *testing.T) {
	raw := blocktest.Sample(t)
	whole := realBlocks(t, raw)
	var bare [][]byte
	for _, b := range raw {
		view, err := fabric.ParseBlock(b)
		if err != nil {
			t.Fatal(err)
		}
		bare = append(bare, view.Committed([]byte{}, []byte{}))
	}
	orderers := realBlocks(t, bare)
	for _, c := range []struct {
		name   string
		from   int
		blocks func(i int) block.Block
		want   string // for each block of the sample: a hash, or none
	}{
		{"from block 1 on", 1, func(i int) block.Block { return orderers[i] }, " +++++++++++++"},
		{"from block 2 on", 2, func(i int) block.Block { return orderers[i] }, "  ------------"},
		{"a peer's", 0, func(i int) block.Block { return whole[i] }, "--------------"},
		{"some of a peer", 3, func(i int) block.Block {
			if i == 5 {
				return whole[i]
			}
			return orderers[i]
		}, "   ---++++++++"},
		{"one made up", 0, func(i int) block.Block {
			if i == 9 {
				return block.Block{Number: 9, Transactions: 1, Writes: 1, Bytes: 100}
			}
			return orderers[i]
		}, "-++++++++-----"},
	} {
		l := open(t, Memory, Config{Channel: "ch1", First: event.BlockNum(c.from)})
		got := []byte(strings.Repeat(" ", c.from))
		for i := c.from; i < len(raw); i++ {
			b := c.blocks(i)
			commit(t, l, &b)
			mark := byte('-')
			if _, ok := l.CommitHash(); ok {
				mark = '+'
			}
			got = append(got, mark)
		}
		if string(got) != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// All that the transactions of this run did was good.
func TestRealOrdererBlocks(t *testing.T) {
	if testing.Short() {
		t.Skip("verifies 16,000 signatures")
	}
	l := open(t, Memory, Config{Channel: "ch1"})
	blocks := realBlocks(t, blocktest.Run(t, "fabric-2.5-burst-n20-info")[:800])
	for i := range blocks {
		commit(t, l, &blocks[i])
	}
	if r := l.Report(); r.Compared != 0 || r.Codes[valid] != r.Transactions || r.Transactions != 7_964 {
		t.Errorf("%d of %d transactions valid, %d compared", r.Codes[valid], r.Transactions, r.Compared)
	}
}
