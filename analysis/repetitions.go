package analysis

import "slices"

// A Spread is a figure over the repetitions of a run.
type Spread struct {
	Count  int     `json:"count"`
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// SpreadOf returns the spread of values, or the zero Spread if there are none.
func SpreadOf(values []float64) Spread {
	n := len(values)
	if n == 0 {
		return Spread{}
	}
	v := slices.Sorted(slices.Values(values))
	return Spread{Count: n, Median: (v[(n-1)/2] + v[n/2]) / 2, Min: v[0], Max: v[n-1]}
}

// LedgerRuns are the repetitions of one setting for one stream.
type LedgerRuns []LedgerRun

// Repetitions gathers the runs of each setting and stream, in the order of their first.
func Repetitions(runs []LedgerRun) []LedgerRuns {
	var all []LedgerRuns
	for _, r := range runs {
		i := slices.IndexFunc(all, func(g LedgerRuns) bool {
			return g[0].Setting == r.Setting && g[0].Channel == r.Channel && g[0].Peer == r.Peer
		})
		if i < 0 {
			all = append(all, LedgerRuns{r})
			continue
		}
		all[i] = append(all[i], r)
	}
	return all
}

// Valid returns the runs whose figures are those of the ledger.
func (g LedgerRuns) Valid() LedgerRuns {
	return slices.DeleteFunc(slices.Clone(g), func(r LedgerRun) bool { return r.Invalid != "" })
}

// NotValid returns the numbers of the other runs.
func (g LedgerRuns) NotValid() (numbers []int) {
	for _, r := range g {
		if r.Invalid != "" {
			numbers = append(numbers, r.Run)
		}
	}
	return numbers
}

// Spread returns the spread of a figure over the valid runs that know it; see
// [LedgerRun.Figure] for its name.
func (g LedgerRuns) Spread(figure string) Spread { return SpreadOf(g.values(figure)) }

func (g LedgerRuns) values(figure string) (values []float64) {
	for _, r := range g.Valid() {
		if x, ok := r.Figure(figure).Get(); ok {
			values = append(values, x)
		}
	}
	return values
}

// A Summary is what the repetitions of a setting say of one stream: the spread of every
// figure that the valid runs know, by its name, which ends in its unit.
type Summary struct {
	Setting string `json:"setting"`
	Channel string `json:"channel"`
	Peer    string `json:"peer"`
	// Runs counts all runs, and NotValid numbers those that count in no figure.
	Runs     int               `json:"runs"`
	NotValid []int             `json:"not_valid_runs,omitempty"`
	Figures  map[string]Spread `json:"figures"`
}

// SummarizeLedgers returns the summary of each setting and stream. The figures are those
// of [LedgerRun.Figure].
func SummarizeLedgers(runs []LedgerRun) (all []Summary) {
	for _, g := range Repetitions(runs) {
		s := Summary{g[0].Setting, g[0].Channel, g[0].Peer, len(g), g.NotValid(), map[string]Spread{}}
		for _, f := range ledgerFigures {
			if spread := g.Spread(f.name); spread.Count > 0 {
				s.Figures[f.name] = spread
			}
		}
		all = append(all, s)
	}
	return all
}

// Figure returns a figure of the run by the name that it has in a [Summary]:
//
//	blocks_per_s transactions_per_s bytes_per_s capacity_blocks_per_s max_gap_blocks
//	latency_mean_ns latency_p50_ns latency_p95_ns latency_p99_ns
//	size_bytes
//	validation_mean_ns state_validation_mean_ns block_and_pvtdata_commit_mean_ns
//	state_commit_mean_ns history_commit_mean_ns
//	service_mean_ns service_p99_ns service_max_ns (from pop to commit)
//
// Of any other name it is not known.
func (r *LedgerRun) Figure(name string) Optional[float64] {
	for _, f := range ledgerFigures {
		if f.name == name {
			return f.of(r)
		}
	}
	return Optional[float64]{}
}

type ledgerFigure struct {
	name string
	of   func(*LedgerRun) Optional[float64]
}

var ledgerFigures = []ledgerFigure{
	{"blocks_per_s", func(r *LedgerRun) Optional[float64] { return r.BlockRate }},
	{"transactions_per_s", func(r *LedgerRun) Optional[float64] { return r.TransactionRate }},
	{"bytes_per_s", func(r *LedgerRun) Optional[float64] { return r.ByteRate }},
	{"capacity_blocks_per_s", func(r *LedgerRun) Optional[float64] { return r.Capacity }},
	{"max_gap_blocks", func(r *LedgerRun) Optional[float64] { return whole(r.MaxGap) }},
	{"latency_mean_ns", func(r *LedgerRun) Optional[float64] { return r.Latency.mean() }},
	{"latency_p50_ns", func(r *LedgerRun) Optional[float64] { return r.Latency.level("p50") }},
	{"latency_p95_ns", func(r *LedgerRun) Optional[float64] { return r.Latency.level("p95") }},
	{"latency_p99_ns", func(r *LedgerRun) Optional[float64] { return r.Latency.level("p99") }},
	{"size_bytes", func(r *LedgerRun) Optional[float64] { return whole(r.Size) }},
	stageFigure("validation"),
	stageFigure("state_validation"),
	stageFigure("block_and_pvtdata_commit"),
	stageFigure("state_commit"),
	stageFigure("history_commit"),
	{"service_mean_ns", func(r *LedgerRun) Optional[float64] { return r.Service.mean() }},
	{"service_p99_ns", func(r *LedgerRun) Optional[float64] { return r.Service.level("p99") }},
	{"service_max_ns", func(r *LedgerRun) Optional[float64] { return r.Service.level("max") }},
}

func stageFigure(stage string) ledgerFigure {
	return ledgerFigure{stage + "_mean_ns", func(r *LedgerRun) Optional[float64] {
		for _, s := range r.Stages {
			if s.Name == stage {
				return s.Duration.mean()
			}
		}
		return Optional[float64]{}
	}}
}

func whole(x Optional[int64]) Optional[float64] {
	if v, ok := x.Get(); ok {
		return Known(float64(v))
	}
	return Optional[float64]{}
}

func (q *Quantiles) mean() Optional[float64] {
	if q == nil {
		return Optional[float64]{}
	}
	return Known(q.Mean)
}

// level is one of q.Levels.
func (q *Quantiles) level(name string) Optional[float64] {
	if q == nil {
		return Optional[float64]{}
	}
	for _, l := range q.Levels() {
		if l.Name == name {
			return Known(float64(l.Value))
		}
	}
	return Optional[float64]{}
}
