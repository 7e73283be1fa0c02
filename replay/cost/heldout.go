package cost

import (
	"math"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/traces/event"
)

// HeldOut is how far forecasts of blocks that were not fitted were from what these took.
// Errors are shares of what was measured; a forecast that is too long is positive.
//
// Each run is cut into contiguous segments, and every fifth of them is a fold, which is
// forecast from the other folds. Those lie on both sides of what is held out: the folds
// tell how well the model knows blocks of the run, and nothing of a longer one. That is what
// Forward tells.
type HeldOut struct {
	Segments int `json:"segments"`
	Folds    int `json:"folds"`
	// MeanFold is the mean magnitude of the folds' errors of the time of all of their
	// blocks, and WorstFold the largest of them. (Their sum says nothing: what one fold
	// lacks the others have.)
	MeanFold  float64 `json:"mean_fold_error"`
	WorstFold float64 `json:"worst_fold_error"`
	// Forward is the error of the time of the last fifth of each run's blocks, forecast from
	// those before.
	Forward float64 `json:"forward_error"`
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

// heldOut forecasts every block from the blocks of the other folds, and the last fifth of
// the runs from what came before.
func heldOut(first event.BlockNum, d *data, kept []int) HeldOut {
	h := HeldOut{Segments: segments, Folds: folds}
	all, missed := make([]int64, 0, len(d.rows)), make([]int64, 0, len(d.rows))
	t := trial{first: first, all: d, kept: kept}
	t.others.rows, t.others.times = make([]row, 0, len(d.rows)), make([]vector, 0, len(d.rows))
	for f := range folds {
		t.run(func(at, n int) bool { return at*segments/n%folds == f })
		all, missed = append(all, t.measured...), append(missed, t.missed...)
		e := t.error()
		h.MeanFold += math.Abs(e) / folds
		h.WorstFold = larger(h.WorstFold, e)
		h.TailError = larger(h.TailError, t.tailError())
	}
	h.MeanFold = round(h.MeanFold, 4)
	if m := median(all); m > 0 {
		h.BlockError = round(median(missed)/m, 4)
	}
	t.run(func(at, n int) bool { return at >= n*(folds-1)/folds })
	h.Forward = t.error()
	return h
}

// A trial holds some of the blocks out, fits the others and forecasts what it held out.
type trial struct {
	first event.BlockNum
	all   *data
	kept  []int
	// others are what is fitted.
	others data
	// Of the blocks that were held out, in ns: what was forecast and measured, and by how
	// much a forecast by the shape and the median residual missed.
	predicted, measured, missed []int64
}

// run holds out the blocks whose place in a run of n blocks is held.
func (t *trial) run(held func(at, n int) bool) {
	o, d := &t.others, t.all
	o.rows, o.times, o.runs = o.rows[:0], o.times[:0], d.runs
	t.predicted, t.measured, t.missed = t.predicted[:0], t.measured[:0], t.missed[:0]
	out := func(i int) bool { return held(d.place(i), d.length()) }
	for i := range d.rows {
		if !out(i) {
			o.rows, o.times = append(o.rows, d.rows[i]), append(o.times, d.times[i])
		}
	}
	m := Model{First: t.first}
	m.fit(o, t.kept)
	left := make([]int64, len(o.rows))
	for i := range o.rows {
		v := m.typical(&o.rows[i])
		left[i] = int64(o.times[i].sum() - v.sum())
	}
	middle := median(left)
	for i := range d.rows {
		if !out(i) {
			continue
		}
		v, plain := m.forecast(t.first+event.BlockNum(i), &d.rows[i]), m.typical(&d.rows[i])
		took := d.times[i].sum()
		t.predicted, t.measured = append(t.predicted, int64(v.sum())), append(t.measured, int64(took))
		t.missed = append(t.missed, int64(math.Abs(plain.sum()+middle-took)))
	}
}

// error is that of the time of all blocks that were held out.
func (t *trial) error() float64 { return relative(sumOf(t.predicted), sumOf(t.measured)) }

// tailError is that of their 99th percentile.
func (t *trial) tailError() float64 {
	return relative(float64(analysis.Percentile(t.predicted, 99)), float64(analysis.Percentile(t.measured, 99)))
}

func sumOf(values []int64) (sum float64) {
	for _, v := range values {
		sum += float64(v)
	}
	return sum
}

// median is the middle one of values.
func median(values []int64) float64 { return float64(analysis.Percentile(values, 50)) }

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
