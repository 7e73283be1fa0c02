package report

import (
	"fmt"
	"io"

	"github.com/blockreel/blockreel/analysis"
)

// sweepRows is about how many rows of a sweep are written.
const sweepRows = 24

// Sweep writes the curve over N, the knee and the recommended N. Of a long sweep it writes the rows that are evenly spaced on a log scale,
// with the first, the last, the knee and the recommended N among them.
func Sweep(w io.Writer, s *analysis.Sweep) error {
	knee, hasKnee := s.Knee.Get()
	best, hasBest := s.RecommendedBuffer.Get()
	t := table{remarks: true}
	t.add("N", "makespan", "max gap", "p50", "p95", "p99", "max", "starved", "memory", "")
	next := 0.0
	for i, p := range s.Points {
		remark := ""
		switch {
		case hasKnee && hasBest && p.Buffer == knee && knee == best:
			remark = "knee, recommended"
		case hasKnee && p.Buffer == knee:
			remark = "knee"
		case hasBest && p.Buffer == best:
			remark = "recommended"
		case i == len(s.Points)-1:
		case len(s.Points) > sweepRows && float64(p.Buffer) < next:
			continue
		}
		if float64(p.Buffer) >= next {
			next = max(float64(p.Buffer)*1.33, float64(p.Buffer)+1)
		}
		t.add(sweepRow(&p, remark)...)
	}
	if err := t.write(w); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w, recommendation(s))
	return err
}

func sweepRow(p *analysis.SweepPoint, remark string) []string {
	cells := []string{analysis.FormatCount(p.Buffer), analysis.FormatDuration(p.Makespan), analysis.FormatCount(p.MaxGap)}
	if q := p.Latency; q != nil {
		for _, v := range [...]int64{q.P50, q.P95, q.P99, q.Max} {
			cells = append(cells, analysis.FormatDuration(v))
		}
	} else {
		cells = append(cells, unknown, unknown, unknown, unknown)
	}
	memory := unknown
	if b, ok := p.BufferBytes.Get(); ok {
		memory = analysis.FormatBytes(b)
	}
	return append(cells, analysis.FormatDuration(p.Starved), memory, remark)
}

// recommendation says in a sentence what to set.
func recommendation(s *analysis.Sweep) string {
	best, ok := s.RecommendedBuffer.Get()
	if !ok {
		return "recommended: none of these, the committer starves for more than 0.1 % of the makespan with each"
	}
	text := fmt.Sprintf("recommended: N = %d, the least with a starved time under 0.1 %% of the makespan", best)
	if knee, ok := s.Knee.Get(); ok && knee != best {
		text += fmt.Sprintf("; N = %d already brings 95 %% of what can be won", knee)
	}
	return text
}
