package analysis

import (
	"math"
	"strings"
	"testing"

	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// ledgerTimeline is n blocks offered every 10 ms, popped at once and committed 4 ms
// later, the first three after 9 ms.
func ledgerTimeline(n int) *traces.Timeline {
	tl := traces.NewTimeline(traces.Stream{Channel: "ch"}, 7, n)
	set := func(k event.Kind, i int, v int64) { tl.MakeColumn(k)[i] = v }
	const ms = 1_000_000
	for i := range n {
		t := int64(i) * 10 * ms
		took := int64(4 * ms)
		if i < 3 {
			took = 9 * ms
		}
		set(event.Offered, i, t)
		set(event.Dequeued, i, t)
		set(event.Validated, i, t+ms)
		set(event.Committed, i, t+took)
		set(event.Transactions, i, 5)
		set(event.Bytes, i, 1000)
		set(event.StateCommit, i, 2*ms)
		set(event.HistoryCommit, i, 0)
	}
	return tl
}

// A sum of a part of the blocks is no sum, and no rate is made of it.
func TestCountsOfAllBlocksOrNone(t *testing.T) {
	tl := ledgerTimeline(103)
	tl.MakeColumn(event.InvalidTransactions)[50] = 1
	s := StatsOf(tl)
	if s.Transactions.Or(0) != 515 || s.Bytes.Or(0) != 103_000 || s.InvalidTransactions.Known() {
		t.Errorf("%v transactions, %v invalid, %v bytes", s.Transactions, s.InvalidTransactions, s.Bytes)
	}
	tl.MakeColumn(event.Transactions)[50], tl.MakeColumn(event.Bytes)[50] = event.Missing, event.Missing
	if s = StatsOf(tl); s.Transactions.Known() || s.Bytes.Known() {
		t.Errorf("%v transactions and %v bytes of 102 of 103 blocks", s.Transactions, s.Bytes)
	}
	r := LedgerRunOf(tl, 3)
	if r.Payload.Known() || r.ByteRate.Known() || r.TransactionRate.Known() || !r.BlockRate.Known() {
		t.Errorf("figures %+v", r)
	}
	tl.MakeColumn(event.Committed)[50] = event.Missing // it is not one of the committed
	if r = LedgerRunOf(tl, 3); r.Payload.Or(0) != 102_000 {
		t.Errorf("%v bytes of payload", r.Payload)
	}
}

func TestLedgerRunOf(t *testing.T) {
	r := LedgerRunOf(ledgerTimeline(103), 3)
	near := func(name string, got Optional[float64], want float64) {
		if math.Abs(got.Or(-1)-want) > want/1e6 {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	// From the third commit, 29 ms after the start, to the last, 1,024 ms after it.
	near("rate", r.BlockRate, 100/0.995)
	near("transactions", r.TransactionRate, 500/0.995)
	near("bytes", r.ByteRate, 100_000/0.995)
	near("capacity", r.Capacity, 250)
	if r.Blocks != 100 || r.Warmup != 3 || r.Latency.Max != 4_000_000 || r.Payload.Or(0) != 103_000 {
		t.Errorf("figures %+v", r)
	}
	var names []string
	for _, s := range r.Stages {
		names = append(names, s.Name)
	}
	if got := strings.Join(names, " "); got != "validation state_commit" {
		t.Errorf("stages %s", got)
	}
	if whole := LedgerRunOf(ledgerTimeline(103), 0); whole.Blocks != 103 || whole.Latency.Max != 9_000_000 {
		t.Errorf("without a warm-up %d blocks, latency %+v", whole.Blocks, whole.Latency)
	}
	if all := LedgerRunOf(ledgerTimeline(3), 99); all.Blocks != 1 {
		t.Errorf("a warm-up longer than the run leaves %d blocks, want 1", all.Blocks)
	}
	if r := LedgerRunOf(ledgerTimeline(0), 5); r.BlockRate.Known() || r.Latency != nil {
		t.Errorf("a run without blocks has figures: %+v", r)
	}
}

// TestRankTest: probabilities of Mann and Whitney's table, and by counting all orders.
func TestRankTest(t *testing.T) {
	up := func(from, n int) (v []float64) {
		for i := range n {
			v = append(v, float64(from+i))
		}
		return v
	}
	for _, tc := range []struct {
		a, b []float64
		want float64
	}{
		{up(0, 4), up(10, 4), 2.0 / 70},
		{up(10, 5), up(0, 5), 2.0 / 252},
		{up(0, 3), up(10, 3), 2.0 / 20},
		{[]float64{1, 4, 5}, []float64{2, 3, 6}, 1},
		{[]float64{1, 2, 4}, []float64{3, 5, 6}, 4.0 / 20},
		{up(0, 1), up(1, 1), 1},
		{up(0, 4), up(0, 4), 1},
		{nil, up(0, 4), 1},
		{up(0, 25), up(30, 26), 1},
	} {
		if got := RankTest(tc.a, tc.b); math.Abs(got-tc.want) > 1e-12 {
			t.Errorf("RankTest(%v, %v) is %v, want %v", tc.a, tc.b, got, tc.want)
		}
	}
	sum := 0.0
	for _, c := range orders(25, 25) {
		sum += c
	}
	if sum != 126410606437752 { // 50 over 25
		t.Errorf("%v orders of 25 and 25 values", sum)
	}
}

func TestSpreadOf(t *testing.T) {
	if s := SpreadOf([]float64{5, 1, 3, 2}); s != (Spread{4, 2.5, 1, 5}) {
		t.Errorf("spread %+v", s)
	}
	if s := SpreadOf([]float64{3, 1, 2}); s.Median != 2 {
		t.Errorf("median %v", s.Median)
	}
	if s := SpreadOf(nil); s != (Spread{}) {
		t.Errorf("spread of nothing is %+v", s)
	}
}
