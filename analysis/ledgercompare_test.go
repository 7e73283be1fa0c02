package analysis

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

// ledgerRuns are runs of one setting: figures are blocks/s and ms of mean latency.
func ledgerRuns(ledger string, buffer int64, unpaced bool, figures ...float64) (all []LedgerRun) {
	for i, x := range figures {
		all = append(all, LedgerRun{
			Setting: fmt.Sprintf("n%d-%s", buffer, ledger), Run: i + 1, Ledger: ledger, Buffer: Known(buffer), Channel: "ch", Unpaced: unpaced,
			BlockRate: Known(x), Latency: &Quantiles{Mean: x * 1e6},
		})
	}
	return all
}

// What repeated runs tell apart and what they do not: of all ledgers with one buffer, and of
// a ledger buffer by buffer; without pace by the rate, otherwise by the latency.
func TestCompareLedgers(t *testing.T) {
	slow, fast := ledgerRuns("slow", 0, true, 1, 2, 3, 4, 5), ledgerRuns("fast", 0, true, 50, 60, 70, 80, 65)
	same := ledgerRuns("same", 0, true, 55, 65, 75, 45, 62)
	held := slices.Clone(fast)
	held[1].Invalid, held[1].BlockRate = "the replayer was the bottleneck", Known(1.5)
	never := slices.Clone(same)
	for i := range never {
		never[i].Invalid = "too slow"
	}
	var crowd []LedgerRun // of 6 ledgers, the runs of which do not overlap
	for i := range 6 {
		x := 10 * float64(i+1)
		crowd = append(crowd, ledgerRuns(string(rune('a'+i)), 0, true, x, x+1, x+2, x+3, x+4)...)
	}
	for _, tc := range []struct {
		name            string
		runs            []LedgerRun
		apart, doubtful []string
	}{
		{"none", nil, nil, nil},
		{"one setting", slow, nil, nil},
		{"once each", slices.Concat(slow[:1], fast[:1], same[:1]), nil, []string{"each setting ran once"}},
		{"interrupted in the second round", slices.Concat(slow[:2], fast[:1]), nil, []string{"blocks/s: fast (50) and slow (1 to 2): of fast there is one run alone"}},
		{"apart", slices.Concat(slow[:4], fast[:4]), []string{"fast commits 26 × as many blocks/s as slow (rank test, p = 0.029)"}, nil},
		{"without the run that is not valid", slices.Concat(slow, held), []string{"fast commits 22.5 × as many blocks/s as slow (rank test, p = 0.016)"}, nil},
		{"a setting without a valid run", slices.Concat(slow, fast, never), []string{"fast commits 21.7 × as many blocks/s as slow (rank test, p = 0.0079)"}, nil},
		{
			"all pairs", slices.Concat(slow, fast, same),
			[]string{
				"fast commits 21.7 × as many blocks/s as slow (rank test, p = 0.024, corrected for 3 comparisons by Holm)",
				"same commits 20.7 × as many blocks/s as slow (rank test, p = 0.024, corrected for 3 comparisons by Holm)",
			},
			[]string{"blocks/s: fast (50 to 80) and same (45 to 75) cannot be told apart on this machine: two equal settings differ as much with probability 0.6"},
		},
		{
			"too many comparisons", crowd, nil,
			slices.Repeat([]string{"cannot be told apart on this machine: two equal settings differ as much with probability 0.0079, and 15 comparisons make that 0.12 (Holm); so many take --repeat 6 or more"}, 15),
		},
		{
			"buffers",
			slices.Concat(ledgerRuns("a", 2, false, 9, 8, 7, 6, 10), ledgerRuns("a", 20, false, 1, 2, 3, 4, 5), ledgerRuns("a", 200, false, 1, 2, 3, 4, 5), ledgerRuns("b", 2, false, 1, 2, 3, 4, 5)),
			[]string{"a with N = 2 has 2.67 × the mean latency of a with N = 20", "a with N = 2 has 2.67 × the mean latency of b with N = 2"},
			[]string{"mean latency: a with N = 20 (1 ms to 5 ms) and a with N = 200 (1 ms to 5 ms) cannot"},
		},
		{"too few", slices.Concat(ledgerRuns("a", 2, false, 1, 2, 3), ledgerRuns("b", 2, false, 25, 40, 50)), nil, []string{"3 runs of each cannot tell settings apart, whatever they are: of equal ones, the ranges of so many are disjoint in 1 of 10 cases (--repeat 5 or more)"}},
		{
			"too few of each", slices.Concat(ledgerRuns("a", 2, true, 1, 2, 3), ledgerRuns("b", 2, true, 25, 40, 50), ledgerRuns("c", 2, true, 5, 6, 7), ledgerRuns("d", 2, true, 8, 9, 10)), nil,
			[]string{"blocks/s: b (25 to 50), a (1 to 3), c (5 to 7) and d (8 to 10): 3 runs of each cannot tell settings apart, whatever they are: of equal ones, the ranges of so many are disjoint in 1 of 10 cases (--repeat 5 or more)"},
		},
	} {
		apart, doubtful := Sentences(CompareLedgers(tc.runs))
		for _, c := range []struct{ got, want []string }{{apart, tc.apart}, {doubtful, tc.doubtful}} {
			if len(c.got) != len(c.want) {
				t.Errorf("%s: %q, want %q", tc.name, c.got, c.want)
				continue
			}
			for i := range c.got {
				if !strings.Contains(c.got[i], c.want[i]) {
					t.Errorf("%s: %q, want %q", tc.name, c.got[i], c.want[i])
				}
			}
		}
	}
}

// Comparisons are numbers too, and those of several streams are one family.
func TestComparisonsAsNumbers(t *testing.T) {
	runs := slices.Concat(ledgerRuns("slow", 0, true, 1, 2, 3, 4, 5), ledgerRuns("fast", 0, true, 50, 60, 70, 80, 65))
	for _, r := range slices.Clone(runs) {
		r.Peer = "other"
		runs = append(runs, r)
	}
	all := CompareLedgers(runs)
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"channel":"ch","peer":"other","figure":"blocks_per_s","greater":"n0-fast","lesser":"n0-slow","ratio":21.666666666666668,` +
		`"p":0.007936507936507936,"p_holm":0.015873015873015872,"comparisons":2,"told_apart":true}`
	if len(all) != 2 || !strings.Contains(string(text), want) {
		t.Errorf("%s, want %s", text, want)
	}
	if apart, _ := Sentences(all); len(apart) != 2 || !strings.HasPrefix(apart[1], "ch@other: fast commits") {
		t.Errorf("sentences %q", apart)
	}
}

func TestHolm(t *testing.T) {
	got := holm([]float64{0.04, 0.01, 0.03, 0.6})
	for i, want := range []float64{0.09, 0.04, 0.09, 0.6} {
		if math.Abs(got[i]-want) > 1e-12 {
			t.Errorf("corrected %v, want %v at %d", got, want, i)
		}
	}
	if got := holm([]float64{0.7, 0.8}); got[0] != 1 || got[1] != 1 {
		t.Errorf("probabilities above 1: %v", got)
	}
	for comparisons, want := range map[int]int{1: 4, 2: 5, 6: 5, 7: 6, 15: 6, 23: 6, 24: 7} {
		if got := runsFor(comparisons); got != want {
			t.Errorf("%d comparisons take %d runs, want %d", comparisons, got, want)
		}
	}
}

// A summary counts the valid runs, and names the others.
func TestSummaries(t *testing.T) {
	runs := ledgerRuns("a", 20, true, 9, 1000, 7, 8)
	runs[1].Invalid = "too slow"
	s := SummarizeLedgers(runs)
	if len(s) != 1 || s[0].Runs != 4 || !slices.Equal(s[0].NotValid, []int{2}) {
		t.Fatalf("summaries %+v", s)
	}
	if got := s[0].Figures["blocks_per_s"]; got != (Spread{3, 8, 7, 9}) {
		t.Errorf("blocks/s %+v", got)
	}
	if got, ok := s[0].Figures["size_bytes"]; ok {
		t.Errorf("the size on disk was not measured and is %+v", got)
	}
	streams := StreamRuns{{Makespan: Known(int64(30))}, {Makespan: Known(int64(1)), Invalid: "too slow"}, {Makespan: Known(int64(10))}, {Makespan: Known(int64(20))}}
	sum := streams.Summary("n20")
	if got := sum.Figures["makespan_ns"]; got != (Spread{3, 20, 10, 30}) || !slices.Equal(sum.NotValid, []int{2}) {
		t.Errorf("summary %+v", sum)
	}
	if run, ok := streams.Typical(); run != 4 || !ok {
		t.Errorf("run %d is typical", run)
	}
	if _, ok := streams[1:2].Typical(); ok {
		t.Error("a run that is not valid is typical")
	}
}

// Every figure of a run has a name, and no two the same.
func TestFigureNames(t *testing.T) {
	r := LedgerRunOf(ledgerTimeline(103), 3)
	r.Size = Known(int64(5))
	seen := map[string]bool{}
	for _, f := range ledgerFigures {
		if seen[f.name] {
			t.Errorf("%s is there twice", f.name)
		}
		seen[f.name] = true
		if _, known := r.Figure(f.name).Get(); !known && !strings.Contains(f.name, "_commit_mean") && f.name != "state_validation_mean_ns" {
			t.Errorf("%s is not known", f.name)
		}
	}
	if got := r.Figure("state_commit_mean_ns").Or(0); got != 2e6 {
		t.Errorf("the state's commit takes %v", got)
	}
	if r.Figure("colour").Known() {
		t.Error("a figure that there is not is known")
	}
}
