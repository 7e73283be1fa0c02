package cost

import (
	"math"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/traces/event"
)

// HeldOut is how far forecasts of blocks that were not fitted were from what these took:
// the blocks are cut into contiguous segments, and each fold forecasts every so-manieth
// of them from the others. Errors are shares of what was measured; a forecast that is
// too long is positive.
type HeldOut struct {
	Segments int `json:"segments"`
	Folds    int `json:"folds"`
	// TotalError is that of the time of all blocks together, and WorstFold the
	// largest, by magnitude, among the folds: of a fifth of the blocks.
	TotalError float64 `json:"total_error"`
	WorstFold  float64 `json:"worst_fold_error"`
	// BlockError is the median error of a block, by magnitude, forecast by its
	// shape and the median residual, as a share of the median block.
	BlockError float64 `json:"block_error_p50"`
	// TailError is the largest error, by magnitude, of the 99th percentile of the blocks'
	// times of a fold.
	TailError float64 `json:"worst_fold_p99_error"`
}

const (
	segments = 20
	folds    = 5
)

// heldOut forecasts every block from the blocks of the other folds.
func heldOut(first event.BlockNum, rows []row, times []vector, kept []int) HeldOut {
	n := len(rows)
	h := HeldOut{Segments: segments, Folds: folds}
	all, missed := make([]int64, 0, n), make([]int64, 0, n)
	var allWant, allGot float64
	for f := range folds {
		m, middle := without(f, first, rows, times, kept)
		var want, got float64
		var predicted, measured []int64
		for i := range rows {
			if fold(i, n) != f {
				continue
			}
			v, plain := m.forecast(first+event.BlockNum(i), &rows[i]), m.typical(&rows[i])
			p, t := v.sum(), times[i].sum()
			want, got = want+t, got+p
			predicted, measured = append(predicted, int64(p)), append(measured, int64(t))
			missed = append(missed, int64(math.Abs(plain.sum()+middle-t)))
		}
		all = append(all, measured...)
		allWant, allGot = allWant+want, allGot+got
		h.WorstFold = larger(h.WorstFold, relative(got, want))
		tail := func(v []int64) float64 { return float64(analysis.Percentile(v, 99)) }
		h.TailError = larger(h.TailError, relative(tail(predicted), tail(measured)))
	}
	h.TotalError = relative(allGot, allWant)
	half := func(v []int64) float64 { return float64(analysis.Percentile(v, 50)) }
	if m := half(all); m > 0 {
		h.BlockError = round(half(missed)/m, 4)
	}
	return h
}

// fold is the fold to which block i of n belongs.
func fold(i, n int) int { return i * segments / n % folds }

// without fits the blocks of all folds but f, and returns the median of what their shapes
// leave.
func without(f int, first event.BlockNum, rows []row, times []vector, kept []int) (m Model, middle float64) {
	var others []row
	var theirs []vector
	for i := range rows {
		if fold(i, len(rows)) != f {
			others, theirs = append(others, rows[i]), append(theirs, times[i])
		}
	}
	m.First = first
	m.fit(others, theirs, kept)
	left := make([]int64, len(others))
	for i := range others {
		v := m.typical(&others[i])
		left[i] = int64(theirs[i].sum() - v.sum())
	}
	return m, float64(analysis.Percentile(left, 50))
}

// larger is the one of greater magnitude.
func larger(a, b float64) float64 {
	if math.Abs(b) > math.Abs(a) {
		return b
	}
	return a
}

// relative is the error of got; 0 where there is nothing to get.
func relative(got, want float64) float64 {
	if want <= 0 {
		return 0
	}
	return round((got-want)/want, 4)
}
