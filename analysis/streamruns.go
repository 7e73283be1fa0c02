package analysis

import "slices"

// StreamRuns are the repetitions of one setting for one stream, the first run first.
type StreamRuns []StreamStats

// Valid returns the runs whose figures are those of the setting.
func (g StreamRuns) Valid() StreamRuns {
	return slices.DeleteFunc(slices.Clone(g), func(s StreamStats) bool { return s.Invalid != "" })
}

// NotValid returns the numbers of the other runs, from 1 on.
func (g StreamRuns) NotValid() (numbers []int) {
	for i := range g {
		if g[i].Invalid != "" {
			numbers = append(numbers, i+1)
		}
	}
	return numbers
}

// Spread returns the spread of a figure over the valid runs that know it; see
// [StreamStats.Figure] for its name.
func (g StreamRuns) Spread(figure string) Spread {
	var values []float64
	for _, s := range g.Valid() {
		if x, ok := s.Figure(figure).Get(); ok {
			values = append(values, x)
		}
	}
	return SpreadOf(values)
}

// Typical is the number of the valid run whose makespan is the median, the lesser of two;
// false when no valid run has one.
func (g StreamRuns) Typical() (run int, ok bool) {
	var runs []int
	for i := range g {
		if g[i].Invalid == "" && g[i].Makespan.Known() {
			runs = append(runs, i+1)
		}
	}
	if len(runs) == 0 {
		return 0, false
	}
	slices.SortStableFunc(runs, func(a, b int) int {
		return int(min(max(g[a-1].Makespan.Or(0)-g[b-1].Makespan.Or(0), -1), 1))
	})
	return runs[(len(runs)-1)/2], true
}

// TypicalOf says what the typical run is.
func (g StreamRuns) TypicalOf() string {
	if (len(g)-len(g.NotValid()))%2 == 0 {
		return "of the two with the middle makespans the one with the lesser"
	}
	return "whose makespan is the median"
}

// Summary returns the summary of the runs of a setting. The figures are those of
// [StreamStats.Figure].
func (g StreamRuns) Summary(setting string) Summary {
	s := Summary{setting, g[0].Channel, g[0].Peer, len(g), g.NotValid(), map[string]Spread{}}
	for _, f := range streamFigures {
		if spread := g.Spread(f.name); spread.Count > 0 {
			s.Figures[f.name] = spread
		}
	}
	return s
}

// Figure returns a figure of the stream by the name that it has in a [Summary]:
//
//	makespan_ns max_gap_blocks latency_mean_ns latency_p50_ns latency_p95_ns latency_p99_ns
//	latency_max_ns blocked_ns starved_ns utilization (a share of 1)
//
// Of any other name it is not known.
func (s *StreamStats) Figure(name string) Optional[float64] {
	for _, f := range streamFigures {
		if f.name == name {
			return f.of(s)
		}
	}
	return Optional[float64]{}
}

var streamFigures = []struct {
	name string
	of   func(*StreamStats) Optional[float64]
}{
	{"makespan_ns", func(s *StreamStats) Optional[float64] { return whole(s.Makespan) }},
	{"max_gap_blocks", func(s *StreamStats) Optional[float64] { return whole(s.MaxGap) }},
	{"latency_mean_ns", func(s *StreamStats) Optional[float64] { return s.Latency.mean() }},
	{"latency_p50_ns", func(s *StreamStats) Optional[float64] { return s.Latency.level("p50") }},
	{"latency_p95_ns", func(s *StreamStats) Optional[float64] { return s.Latency.level("p95") }},
	{"latency_p99_ns", func(s *StreamStats) Optional[float64] { return s.Latency.level("p99") }},
	{"latency_max_ns", func(s *StreamStats) Optional[float64] { return s.Latency.level("max") }},
	{"blocked_ns", func(s *StreamStats) Optional[float64] { return whole(s.Blocked) }},
	{"starved_ns", func(s *StreamStats) Optional[float64] { return whole(s.Starved) }},
	{"utilization", func(s *StreamStats) Optional[float64] { return s.Utilization }},
}
