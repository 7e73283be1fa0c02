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
