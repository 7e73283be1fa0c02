package analysis

import (
	"iter"
	"slices"

	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// A LedgerRun is what a stream did that was committed to a ledger in real time, behind
// the run's warm-up. A figure that was not measured is null.
type LedgerRun struct {
	// Setting names what was run, Run is the number of the repetition, from 1 on.
	Setting string `json:"setting"`
	Run     int    `json:"run"`
	// Ledger is the spec of the ledger, Buffer is N; not known: it was unbounded.
	Ledger string          `json:"ledger"`
	Buffer Optional[int64] `json:"buffer"`
	// Validators is how many transactions were validated at once; not known of made-up blocks,
	// whose validation takes the trace's time.
	Validators Optional[int64] `json:"validators"`
	Channel    string          `json:"channel"`
	Peer       string          `json:"peer"`
	// Warmup is the number of blocks at the start that no figure below counts but the
	// sizes in bytes; Blocks of those that they count.
	Warmup int64 `json:"warmup_blocks"`
	Blocks int64 `json:"blocks"`
	// The rates are from the last commit of the warm-up to the last commit of all.
	BlockRate       Optional[float64] `json:"blocks_per_s"`
	TransactionRate Optional[float64] `json:"transactions_per_s"`
	ByteRate        Optional[float64] `json:"bytes_per_s"`
	// Capacity is blocks a second of Service: what the committer does when it never
	// waits for a block.
	Capacity Optional[float64] `json:"capacity_blocks_per_s"`
	MaxGap   Optional[int64]   `json:"max_gap_blocks"`
	Latency  *Quantiles        `json:"latency_ns"`
	// Service is the time from pop to commit, Stages what it is made of.
	Service *Quantiles  `json:"service_ns"`
	Stages  []StageTime `json:"stages"`
	// Payload is the bytes of all blocks that the ledger was given, Size the bytes that are allocated
	// to its files after it was closed and opened again.
	Payload Optional[int64] `json:"payload_bytes"`
	Size    Optional[int64] `json:"size_bytes"`
	// NotMeasured says why Size is not known; empty if it is.
	NotMeasured string `json:"not_measured,omitempty"`
	// Unpaced: the arrivals of the trace were dropped.
	Unpaced bool `json:"unpaced"`
	// Invalid says why the figures are not those of the ledger: the replayer or its machine
	// was the bottleneck. They count in no median, range or rank test. Empty: they are.
	Invalid string `json:"not_valid,omitempty"`
}

// A StageTime is one stage of the committer's work on a block, by Fabric's name.
type StageTime struct {
	Name     string     `json:"stage"`
	Duration *Quantiles `json:"duration_ns"`
}

// stageKinds are the parts of a commit by Fabric's names, in its order.
var stageKinds = []struct {
	name string
	kind event.Kind
}{
	{"state_validation", event.StateValidation},
	{"block_and_pvtdata_commit", event.BlockStore},
	{"state_commit", event.StateCommit},
	{"history_commit", event.HistoryCommit},
}

// LedgerRunOf returns the figures of a run behind its first warmup blocks, without what
// only who has seen the disk can say.
func LedgerRunOf(tl *traces.Timeline, warmup int) LedgerRun {
	warmup = min(max(warmup, 0), max(tl.Len()-1, 0))
	r := LedgerRun{Channel: tl.Channel, Peer: tl.Peer, Warmup: int64(warmup), Stages: []StageTime{}}
	r.Payload = sumCommitted(tl, event.Bytes)
	counted := tl.Part(warmup, tl.Len())
	if gap := summarizeGap(counted, nil); gap != nil {
		r.MaxGap = Known(gap.Max)
	}
	r.Latency = latencies(counted).Quantiles()
	r.Service = NewTally(durations(counted, event.Dequeued, event.Committed)).Quantiles()
	if r.Service != nil && r.Service.Mean > 0 {
		r.Capacity = Known(1e9 / r.Service.Mean)
	}
	r.stages(counted)
	r.rates(tl, counted, warmup)
	return r
}

// stages sets the durations of those stages that took any time at all.
func (r *LedgerRun) stages(tl *traces.Timeline) {
	add := func(name string, values iter.Seq[[]int64]) {
		if q := NewTally(values).Quantiles(); q != nil && q.Max > 0 {
			r.Stages = append(r.Stages, StageTime{name, q})
		}
	}
	add("validation", durations(tl, event.Dequeued, event.Validated))
	for _, s := range stageKinds {
		add(s.name, func(yield func([]int64) bool) {
			for _, w := range tl.Windows(s.kind) {
				if !yield(slices.DeleteFunc(slices.Clone(w[0]), func(v int64) bool { return v == event.Missing })) {
					return
				}
			}
		})
	}
}

// rates sets what was committed a second.
func (r *LedgerRun) rates(tl, counted *traces.Timeline, warmup int) {
	from := int64(event.Missing)
	if warmup > 0 {
		from = tl.Value(event.Committed, warmup-1)
	} else if tl.Len() > 0 {
		from = tl.Value(event.Dequeued, 0)
	}
	_, last, n := counted.Bounds(event.Committed)
	r.Blocks = int64(n)
	if n == 0 || from == event.Missing || last <= from {
		return
	}
	span := seconds(last - from)
	r.BlockRate = Known(float64(n) / span)
	for _, x := range []struct {
		kind event.Kind
		rate *Optional[float64]
	}{{event.Transactions, &r.TransactionRate}, {event.Bytes, &r.ByteRate}} {
		if sum, ok := sumCommitted(counted, x.kind).Get(); ok {
			*x.rate = Known(float64(sum) / span)
		}
	}
}
