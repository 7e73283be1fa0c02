package report

import (
	"fmt"
	"io"

	"github.com/blockreel/blockreel/analysis"
)

// A StageCost is what a stage of a cost model costs, in ns.
type StageCost struct {
	Stage                                    string
	Fixed, PerTransaction, PerWrite, PerByte float64
	// Typical is the stage's time in the mean block, stalls left out.
	Typical int64
}

// Costs writes a row a stage of a cost model. The cost of a byte is written for a
// thousand of them.
func Costs(w io.Writer, costs []StageCost) error {
	t := table{left: 1}
	t.add("stage", "fixed", "+ a transaction", "+ a write", "+ a kB", "= typical block")
	cell := func(ns float64) string {
		if ns == 0 {
			return unknown
		}
		return analysis.FormatDuration(int64(ns + 0.5))
	}
	for _, c := range costs {
		t.add(c.Stage, cell(c.Fixed), cell(c.PerTransaction), cell(c.PerWrite), cell(1000*c.PerByte), cell(float64(c.Typical)))
	}
	return t.write(w)
}

// A LedgerSweep is the curve over N of one ledger.
type LedgerSweep struct {
	Ledger string
	*analysis.Sweep
}

// LedgerSweeps writes the curves of several ledgers side by side, a row for N and the
// makespan, the largest gap and the p99 of the delivery latency for each ledger, and what to set
// for each.
func LedgerSweeps(w io.Writer, sweeps []LedgerSweep) error {
	if len(sweeps) == 0 {
		return nil
	}
	t := table{}
	heading := []string{"N"}
	for _, s := range sweeps {
		heading = append(heading, s.Ledger+": makespan", "max gap", "p99", "starved")
	}
	t.add(heading...)
	for _, i := range rowsOf(sweeps) {
		cells := []string{analysis.FormatCount(sweeps[0].Points[i].Buffer)}
		for _, s := range sweeps {
			p := &s.Points[i]
			tail := unknown
			if p.Latency != nil {
				tail = analysis.FormatDuration(p.Latency.P99)
			}
			cells = append(cells, analysis.FormatDuration(p.Makespan), analysis.FormatCount(p.MaxGap), tail, analysis.FormatDuration(p.Starved))
		}
		t.add(cells...)
	}
	if err := t.write(w); err != nil {
		return err
	}
	for _, s := range sweeps {
		if _, err := fmt.Fprintln(w, s.Ledger+", "+recommendation(s.Sweep)); err != nil {
			return err
		}
	}
	return nil
}

// rowsOf chooses the points to write: about sweepRows of them, evenly on a log scale, with
// the first, the last and what is special to one of the ledgers among them.
func rowsOf(sweeps []LedgerSweep) (rows []int) {
	special := map[int64]bool{}
	for _, s := range sweeps {
		for _, n := range []analysis.Optional[int64]{s.Knee, s.RecommendedBuffer} {
			if v, ok := n.Get(); ok {
				special[v] = true
			}
		}
	}
	points := sweeps[0].Points
	next := 0.0
	for i, p := range points {
		if len(points) > sweepRows && float64(p.Buffer) < next && i < len(points)-1 && !special[p.Buffer] {
			continue
		}
		if float64(p.Buffer) >= next {
			next = max(float64(p.Buffer)*1.33, float64(p.Buffer)+1)
		}
		rows = append(rows, i)
	}
	return rows
}
