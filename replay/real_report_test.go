package replay

import (
	"context"
	"strings"
	"testing"

	"github.com/blockreel/blockreel/replay/block"
	"github.com/blockreel/blockreel/replay/ledger"
	"github.com/blockreel/blockreel/traces/event"
)

// All that a ledger has found in real blocks is told, and of made-up ones nothing.
func TestTellReport(t *testing.T) {
	for _, tc := range []struct {
		name            string
		report          ledger.Report
		facts, warnings []string
	}{
		{"made up", ledger.Report{Blocks: 9, MadeUp: 9, Transactions: 90}, nil, nil},
		{"an orderer's copy", ledger.Report{Blocks: 9, Transactions: 90}, []string{"carry no verdicts"}, nil},
		{
			"as the peer", ledger.Report{Blocks: 9, Compared: 2000, ComparedHashes: 9, AdoptedPolicies: 40, AdoptedPast: 5, Believed: 3},
			[]string{"2,000 of 2,000 validation codes as", "9 commit hashes equal", "40 more validation codes taken over", "5 more validation codes taken over", "3 reads and range queries believed"}, nil,
		},
		{
			"another verdict", ledger.Report{
				Blocks: 9, Compared: 20, Different: 1, ComparedHashes: 9, DifferentHashes: 4, FirstDifferent: 5,
				Differences: []ledger.Difference{{Block: 5, Transaction: 2, Peer: 11}},
			},
			nil, []string{"1 of 20 validation codes are not the peer's, the first is block 5, transaction 2", "4 of 9 commit hashes are not the peer's, the first is that of block 5"},
		},
		{"partly made up", ledger.Report{Blocks: 9, MadeUp: 2, Compared: 20}, []string{"20 of 20"}, []string{"2 of 9 blocks were made up"}},
	} {
		j := &job{}
		j.tellReport("badger", tc.report)
		for _, c := range []struct{ got, want []string }{{j.facts, tc.facts}, {j.warnings, tc.warnings}} {
			if len(c.got) != len(c.want) {
				t.Errorf("%s: %q, want %q", tc.name, c.got, c.want)
				continue
			}
			for i := range c.got {
				if !strings.HasPrefix(c.got[i], "badger: ") || !strings.Contains(c.got[i], c.want[i]) {
					t.Errorf("%s: %q, want %q", tc.name, c.got[i], c.want[i])
				}
			}
		}
	}
}

// Where the trace has all blocks from the genesis block on, the ledger gets those before the
// first that is replayed, and begins with none of them missing.
func TestEarlierBlocksAreCommitted(t *testing.T) {
	tr, payloads := sized(t, 60, 0, 100)
	whole := tr.Timelines[0]
	for n, want := range map[event.BlockNum]event.BlockNum{firstBlock: firstBlock, firstBlock + 20: firstBlock + 20, 0: 0} {
		tr, payloads := tr, payloads
		if n == 0 { // a trace whose payloads begin with the genesis block
			tr, payloads = sizedFrom(t, 0, 60, 0, 100)
			tr.Timelines[0] = tr.Timelines[0].Part(20, 60)
		} else {
			tr.Timelines[0] = whole.Part(int(n-firstBlock), 60)
		}
		var first, began event.BlockNum = 1 << 40, 0
		k := known{check: func(b *block.Block) error {
			first = min(first, b.Number)
			return nil
		}}
		open := k.opens(nil)
		results, out := replayAll(t, tr, Scenario{
			Ledgers: []string{"badger"}, Clock: Wall, Unpaced: true, Payloads: payloads,
			open: func(ctx context.Context, spec string, cfg ledger.Config) (committer, error) {
				began = cfg.First
				return open(ctx, spec, cfg)
			},
		})
		if began != want || first != want {
			t.Errorf("the ledger begins with block %d and gets block %d first, want %d", began, first, want)
		}
		if m := results[0].Measured[0]; int(m.Blocks+m.Warmup) != tr.Timelines[0].Len() {
			t.Errorf("%d blocks behind %d are counted, of %d", m.Blocks, m.Warmup, tr.Timelines[0].Len())
		}
		if said := strings.Contains(strings.Join(out.Facts, "\n"), "the 20 blocks before the first were committed"); said != (n == 0) {
			t.Errorf("facts %q", out.Facts)
		}
	}
}

// Made-up blocks have no transactions that are refused, and that is said where the trace has.
func TestMadeUpBlocksAreAllValid(t *testing.T) {
	tr, _ := sized(t, 50, 0, 100)
	s := Scenario{Ledgers: []string{"memory"}, Clock: Wall, Unpaced: true}
	const said = "while 7 of the trace's 275 were not"
	if _, out := replayAll(t, tr, s); strings.Contains(strings.Join(out.Warnings, "\n"), "all valid") {
		t.Errorf("nothing was refused: %q", out.Warnings)
	}
	tr.Timelines[0].MakeColumn(event.InvalidTransactions)[9] = 7
	if _, out := replayAll(t, tr, s); !strings.Contains(strings.Join(out.Warnings, "\n"), said) {
		t.Errorf("%q lack %q", out.Warnings, said)
	}
}
