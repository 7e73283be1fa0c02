package replay

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/blockreel/blockreel/replay/block"
	"github.com/blockreel/blockreel/replay/cost"
	"github.com/blockreel/blockreel/replay/ledger"
	"github.com/blockreel/blockreel/traces/event"
)

// All that a ledger has found in real blocks is told, and of made-up ones nothing.
func TestTellReport(t *testing.T) {
	for _, tc := range []struct {
		name            string
		report          ledger.Report
		log             logHashes
		facts, warnings []string
	}{
		{"made up", ledger.Report{Blocks: 9, MadeUp: 9, Transactions: 90}, logHashes{}, nil, nil},
		{"an orderer's copy", ledger.Report{Blocks: 9, Transactions: 90, Codes: [256]int64{0: 90}}, logHashes{}, []string{"carry no verdicts"}, nil},
		{
			"an orderer's copy of what conflicts", ledger.Report{Blocks: 9, Transactions: 90, Codes: [256]int64{0: 50, 11: 40}}, logHashes{},
			[]string{"carry no verdicts", "40 of 90 transactions were found invalid here, and not written"}, nil,
		},
		{"an orderer's copy and a peer's log", ledger.Report{Blocks: 9, Transactions: 90, Codes: [256]int64{0: 90}}, logHashes{equal: 9}, []string{"9 commit hashes begin as the peer's log"}, nil},
		{
			"an orderer's copy of another ledger", ledger.Report{Blocks: 9, Transactions: 90, Codes: [256]int64{0: 90}}, logHashes{equal: 3, different: true, first: 7},
			nil, []string{"the commit hash of block 7, and so each behind it, is not the one that the peer's log tells (3 before it are): the ledger does not hold what the peer's does; the payloads carry no verdicts of a peer, so that transactions which it refused by a policy"},
		},
		{
			"a peer's blocks without hashes", ledger.Report{Blocks: 9, Compared: 20}, logHashes{equal: 3, different: true, first: 7},
			[]string{"20 of 20"}, []string{"does not hold what the peer's does"},
		},
		{
			"as the peer", ledger.Report{Blocks: 9, Compared: 2000, ComparedHashes: 9, AdoptedPolicies: 40, AdoptedPast: 5, Believed: 3}, logHashes{},
			[]string{"2,000 of 2,000 validation codes as", "9 commit hashes equal", "40 more validation codes taken over", "5 more validation codes taken over", "3 reads and range queries believed"}, nil,
		},
		{
			"another verdict", ledger.Report{
				Blocks: 9, Compared: 20, Different: 1, ComparedHashes: 9, DifferentHashes: 4, FirstDifferent: 5,
				Differences: []ledger.Difference{{Block: 5, Transaction: 2, Peer: 11}},
			}, logHashes{},
			nil, []string{"1 of 20 validation codes are not the peer's, the first is block 5, transaction 2", "4 of 9 commit hashes are not the peer's, the first is that of block 5"},
		},
		{"partly made up", ledger.Report{Blocks: 9, MadeUp: 2, Compared: 20}, logHashes{}, []string{"20 of 20"}, []string{"2 of 9 blocks were made up"}},
	} {
		j := &job{}
		j.tellReport("badger", tc.report, tc.log)
		for _, c := range []struct{ got, want []string }{{j.facts, tc.facts}, {j.warnings, tc.warnings}} {
			if len(c.got) != len(c.want) {
				t.Errorf("%s: %q, want %q", tc.name, c.got, c.want)
				continue
			}
			for i := range c.got {
				if !strings.HasPrefix(c.got[i], "badger: ") && !strings.HasPrefix(c.got[i], "the payloads") || !strings.Contains(c.got[i], c.want[i]) {
					t.Errorf("%s: %q, want %q", tc.name, c.got[i], c.want[i])
				}
			}
		}
	}
}

// hashed is a ledger whose commit hashes begin with the number of the block, but for those of
// some blocks.
type hashed struct {
	known
	number event.BlockNum
	wrong  func(event.BlockNum) bool
}

func (h *hashed) Commit(ctx context.Context, b *block.Block) (block.Stages, error) {
	h.number = b.Number
	return h.known.Commit(ctx, b)
}

func (h *hashed) CommitHash() (sum [32]byte, ok bool) {
	sum[1], sum[2] = byte(h.number>>8), byte(h.number)
	if h.wrong(h.number) {
		sum[0] = 1
	}
	return sum, h.number != firstBlock
}

func (*hashed) Report() ledger.Report { return ledger.Report{Blocks: 60} }

// The commit hashes that the trace tells are held against those of the ledger, by either clock.
func TestHashesOfTheLog(t *testing.T) {
	for _, clock := range []string{Virtual, Wall} {
		for wrong, want := range map[event.BlockNum]string{
			1000: "58 commit hashes begin as the peer's log tells them", // of 60 one was not told, and one not known
			30:   "the commit hash of block 30, and so each behind it, is not the one that the peer's log tells (23 before it are)",
		} {
			tr, payloads := sized(t, 60, 0, 100)
			told := tr.Timelines[0].MakeColumn(event.CommitHash)
			for i := range told {
				told[i] = firstBlock + int64(i)
			}
			told[7] = event.Missing
			_, out := replayAll(t, tr, Scenario{
				Ledgers: []string{"badger"}, Clock: clock, Unpaced: true, Payloads: payloads,
				open: func(_ context.Context, _ string, cfg ledger.Config) (committer, error) {
					return &hashed{known: known{dir: cfg.Dir}, wrong: func(n event.BlockNum) bool { return n >= wrong }}, nil
				},
			})
			if said := strings.Join(append(out.Facts, out.Warnings...), "\n"); !strings.Contains(said, want) {
				t.Errorf("%s: %q lack %q", clock, said, want)
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
				if !cfg.Existing {
					began = cfg.First
				}
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

// judging is a ledger that refuses every fourth transaction, but for the blocks before 20.
type judging struct {
	known
	report ledger.Report
}

func (j *judging) Commit(ctx context.Context, b *block.Block) (block.Stages, error) {
	j.report.Blocks++
	for i := range 4 {
		j.report.Transactions++
		if b.Number < 20 || i > 0 {
			j.report.Codes[0]++
		}
	}
	return j.known.Commit(ctx, b)
}

func (j *judging) Report() ledger.Report { return j.report }

// A calibration tells how many transactions were refused, those of earlier blocks left out, and
// a forecast of a trace in which it is another share warns of it.
func TestRefusedShareOfCalibration(t *testing.T) {
	_, payloads := sizedFrom(t, 0, 120, time.Millisecond, 100)
	tr, _ := sizedFrom(t, 20, 100, time.Millisecond, 100)
	c, err := Calibrate(t.Context(), tr, Scenario{
		Ledgers: []string{"badger"}, Scale: ledger.Unscaled(), Payloads: payloads, LedgerDir: t.TempDir(),
		open: func(_ context.Context, _ string, cfg ledger.Config) (committer, error) {
			return &judging{known: known{state: 10 * time.Microsecond, dir: cfg.Dir}}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if c.Refused == nil || *c.Refused != 0.25 {
		t.Fatalf("%v of the transactions were refused", c.Refused)
	}
	none := 0.0
	for _, tc := range []struct {
		name    string
		refused *float64 // in the calibration
		invalid int64    // of 5.5 in a block of the trace, or −1: not told
		want    string
	}{
		{"as many", c.Refused, 1, ""},
		{"none", c.Refused, 0, "0 % of the trace's transactions were refused, and so not written, and 25 % of the calibration's"},
		{"not told", c.Refused, -1, ""},
		{"many", &none, 1, "18.2 % of the trace's transactions were refused, and so not written, and 0 % of the calibration's"},
		{"an earlier model", nil, 1, "in the calibration nobody knows how many were"},
		{"an earlier model of good ones", nil, 0, ""},
	} {
		tr, _ := sized(t, 100, time.Millisecond, 100)
		if tc.invalid >= 0 {
			for i := range tr.Timelines[0].MakeColumn(event.InvalidTransactions) {
				tr.Timelines[0].Column(event.InvalidTransactions)[i] = tc.invalid
			}
		}
		m, err := NewModel(tr.Timelines[0], ModelConfig{})
		if err != nil {
			t.Fatal(err)
		}
		model := *c.Model
		model.Refused = tc.refused
		_, warnings := (&Scenario{Costs: []*cost.Model{&model}}).tellCosts([]*Model{m})
		said := strings.Join(warnings, "\n")
		if tc.want == "" && strings.Contains(said, "refused") || !strings.Contains(said, tc.want) {
			t.Errorf("%s: %q, want %q", tc.name, said, tc.want)
		}
	}
}
