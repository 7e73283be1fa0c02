package report

import (
	"fmt"
	"io"

	"github.com/blockreel/blockreel/analysis"
)

// sweepRows is about how many rows of a sweep are written.
const sweepRows = 24

// A LedgerSweep is the curve over N of one ledger.
type LedgerSweep struct {
	Ledger string
	*analysis.Sweep
}

// Sweep writes the curve over N, the knee and the recommended N. Of a long sweep it
// writes the rows that are evenly spaced on a log scale, with the first, the last, the
// knee and the recommended N among them. Its starved time is [analysis.SweepPoint]'s, not
// that of Stats.
func Sweep(w io.Writer, s *analysis.Sweep) error {
	t := table{remarks: true}
	t.add(sweepHeading...)
	rows := sweepTable(s)
	for _, row := range rows {
		t.add(row...)
	}
	if err := t.write(w); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w, notShown(len(rows), len(s.Points))+recommendation(s))
	return err
}

// LedgerSweeps writes what Sweep does for each of several ledgers, in one table.
func LedgerSweeps(w io.Writer, sweeps []LedgerSweep) error {
	t := table{left: 1, remarks: true}
	t.add(append([]string{"ledger"}, sweepHeading...)...)
	shown, all := 0, 0
	for _, s := range sweeps {
		rows := sweepTable(s.Sweep)
		shown, all = shown+len(rows), all+len(s.Points)
		for _, row := range rows {
			t.add(append([]string{s.Ledger}, row...)...)
		}
	}
	if err := t.write(w); err != nil {
		return err
	}
	if _, err := io.WriteString(w, notShown(shown, all)); err != nil {
		return err
	}
	for _, s := range sweeps {
		if _, err := fmt.Fprintln(w, s.Ledger+", "+recommendation(s.Sweep)); err != nil {
			return err
		}
	}
	return nil
}

// notShown is a line that says that not all rows were written; empty when all were.
func notShown(rows, points int) string {
	if rows == points {
		return ""
	}
	return fmt.Sprintf("%d of %d rows; --json has all\n", rows, points)
}

var sweepHeading = []string{"N", "makespan", "max gap", "p50", "p95", "p99", "max", "starved", "memory", ""}

// sweepTable is the rows to write.
func sweepTable(s *analysis.Sweep) (rows [][]string) {
	knee, hasKnee := s.Knee.Get()
	best, hasBest := s.RecommendedBuffer.Get()
	next := 0.0
	for i, p := range s.Points {
		remark := ""
		switch {
		case hasBest && p.Buffer == best && s.SmallestSuffices():
			remark = "enough"
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
		rows = append(rows, sweepRow(&p, remark))
	}
	return rows
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

// recommendation says in a sentence what to set, and what to doubt of it.
func recommendation(s *analysis.Sweep) string {
	text := advice(s)
	if doubt := s.IdentityError.Distrust(); doubt != "" {
		text += "; but " + doubt
	}
	return text
}

func advice(s *analysis.Sweep) string {
	best, ok := s.RecommendedBuffer.Get()
	if !ok {
		return "recommended: none of these, the committer starves for more than 0.1 % of the makespan with each"
	}
	least := "the least"
	if s.Sparse() {
		least += " of those swept"
	}
	text := fmt.Sprintf("recommended: N = %d, %s with a starved time under 0.1 %% of the makespan", best, least)
	switch knee, ok := s.Knee.Get(); {
	case s.SmallestSuffices() && best <= 1:
		text = fmt.Sprintf("recommended: none in particular, this load does not need the buffer: already with N = %d the committer starves for less than 0.1 %% of the makespan", best)
	case s.SmallestSuffices():
		text = fmt.Sprintf("recommended: none in particular, N = %d is the smallest of the sweep and enough: sweep from N = 1 to see what less would do", best)
	case ok && knee < best:
		text += fmt.Sprintf("; N = %d comes within 5 %% of the best makespan", knee)
	}
	if gain, ok := s.Gain().Get(); ok && !s.SmallestSuffices() && s.RecordedBuffer != s.RecommendedBuffer {
		text += fmt.Sprintf("; over the recorded N = %d it wins %s", s.RecordedBuffer.Or(0), analysis.FormatGain(gain))
	}
	if n, few := s.FewBlocks(); few {
		text += fmt.Sprintf("; the trace has only %s: a longer run may need another N", analysis.FormatBlocks(n))
	}
	return text
}
