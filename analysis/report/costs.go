package report

import (
	"io"

	"github.com/blockreel/blockreel/analysis"
)

// A StageCost is what a stage of a cost model costs, in ns.
type StageCost struct {
	Stage                                    string
	Fixed, PerTransaction, PerWrite, PerByte float64
	// Typical is the stage's time in a block of mean shape, stalls left out.
	Typical int64
}

// Costs writes a row a stage of a cost model. The cost of a byte is written for a
// thousand of them.
func Costs(w io.Writer, costs []StageCost) error {
	t := table{left: 1}
	t.add("stage", "fixed", "+ a transaction", "+ a write", "+ a kB", "= mean block")
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
