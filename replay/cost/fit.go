package cost

import (
	"fmt"
	"math"
	"time"

	"github.com/blockreel/blockreel/traces/event"
)

// A Model is what a ledger's stages cost.
type Model struct {
	// Tool wrote the model, Ledger is the spec of the ledger that was measured.
	Tool   string
	Ledger string
	// First is the number of the first block that was fitted. Blocks that were fitted,
	// behind the Warmup blocks at the start of the run.
	First          event.BlockNum
	Blocks, Warmup int
	// Runs over the same blocks, one at least, of which Blocks were fitted altogether, out
	// of Measured: all of them, or a Sample.
	Runs, Measured int
	// MadeUp: the blocks were made up in the trace's shape. There was nothing to verify in
	// them, and the model does not know what validation costs.
	MadeUp bool
	// Refused is the share of the transactions that the ledger found invalid and so did not
	// write. Nil: not known.
	Refused *float64
	// Machine is where it was measured.
	Machine Machine
	// Transactions, Writes and Bytes are what the blocks that were fitted held.
	Transactions, Writes, Bytes Seen
	// Merged are the terms without a coefficient of their own.
	Merged []Merge
	// HeldOut is the error of forecasts of blocks that were not fitted.
	HeldOut HeldOut
	// Drift is by how much longer the median block of the last quarter took than that of the
	// first, beyond what their shapes explain, as a share of the mean block.
	Drift float64
	// RunSpread is the difference of the longest and the shortest run's mean time of a
	// block, as a share of the mean of all runs; 0 of one run.
	RunSpread float64

	coefficients [stages]coefficients
	residuals    residuals
}

// Config says what was measured and how.
type Config struct {
	Tool, Ledger string
	Warmup       int
	MadeUp       bool
	Machine      Machine
	// Refused is as in Model.
	Refused *float64
	// Runs is the number of runs over the same blocks. 0 means 1.
	Runs int
	// Measured is the number of blocks in all runs, behind their warm-ups, when the
	// observations are a Sample of them. 0: they are all.
	Measured int
}

// MinBlocks is the least that is fitted of a run.
const MinBlocks = 40

// Fit fits a model to the observations: of consecutive blocks from first on, or of a Sample
// of them; of several runs, those of one behind those of the other.
func Fit(first event.BlockNum, obs []Observation, cfg Config) (*Model, error) {
	runs := max(cfg.Runs, 1)
	switch n := len(obs) / runs; {
	case n < MinBlocks:
		return nil, fmt.Errorf("a cost model needs at least %d blocks behind the warm-up, and there are %d", MinBlocks, n)
	case n*runs != len(obs):
		return nil, fmt.Errorf("a cost model needs as many blocks of each of %d runs, and there are %d", runs, len(obs))
	case len(obs) > MaxBlocks:
		return nil, fmt.Errorf("a cost model is fitted to at most %d blocks, and there are %d", MaxBlocks, len(obs))
	}
	d := newData(obs, runs)
	m := &Model{
		Tool: cfg.Tool, Ledger: cfg.Ledger, First: first, Blocks: len(obs), Warmup: cfg.Warmup, MadeUp: cfg.MadeUp, Refused: cfg.Refused, Machine: cfg.Machine,
		Runs: runs, Measured: max(cfg.Measured, len(obs)),
		Transactions: seen(d.rows, perTransaction), Writes: seen(d.rows, perWrite), Bytes: seen(d.rows, perByte),
	}
	kept, merged := independent(withoutOdd(d.rows, m.seen()))
	m.Merged = merged
	m.fit(d, kept)
	m.HeldOut = heldOut(first, d, kept)
	m.Drift, m.RunSpread = round(d.drift(m), 4), round(d.spread(), 4)
	return m, nil
}

// fit sets the coefficients and the residuals.
func (m *Model) fit(d *data, kept []int) {
	w := workspace{make([]float64, len(d.rows)), make([]float64, len(d.rows)), make([]int64, len(d.rows))}
	for s := range stages {
		for i := range d.times {
			w.y[i] = d.times[i][s]
		}
		m.coefficients[s] = w.robust(d.rows, kept)
	}
	m.residuals = m.divide(d)
}

// A workspace is what the fit of a stage needs: its times, and the weight and the error of
// each.
type workspace struct {
	y, weights []float64
	left       []int64
}

const (
	// huber is the number of standard deviations from which a residual counts less
	// than its square: 1.345 keeps 95 % of the efficiency on normal noise.
	huber = 1.345
	// consistent makes the median absolute deviation a standard deviation of normal noise.
	consistent = 1.4826
	// maxRounds of reweighting; five or ten are enough for most.
	maxRounds = 50
	// settled is the relative change of the coefficients at which it ends.
	settled = 1e-6
)

// robust fits non-negative coefficients by Huber's weights.
func (w *workspace) robust(rows []row, kept []int) coefficients {
	y, weights, left := w.y, w.weights, w.left
	for i := range weights {
		weights[i] = 1
	}
	var c coefficients
	for range maxRounds {
		var s system
		for i := range rows {
			s.add(&rows[i], y[i], weights[i])
		}
		before := c
		c = s.solve(kept, true)
		if near(rows, &before, &c) {
			break
		}
		for i := range rows {
			left[i] = int64(math.Abs(y[i] - c.at(&rows[i])))
		}
		scale := huber * consistent * median(left)
		if scale == 0 { // more than half are on the line: it is the answer
			break
		}
		for i := range rows {
			weights[i] = 1
			if r := math.Abs(y[i] - c.at(&rows[i])); r > scale {
				weights[i] = scale / r
			}
		}
	}
	for t := range c {
		c[t] = round(c[t], decimals)
	}
	return c
}

// decimals of a nanosecond that coefficients are kept to, so that the file says exactly
// what the model is.
const decimals = 6

func round(x float64, decimals int) float64 {
	p := math.Pow10(decimals)
	return math.Round(x*p) / p
}

// near reports whether two models say about the same of a typical block.
func near(rows []row, a, b *coefficients) bool {
	r := &rows[len(rows)/2]
	for t := range a {
		if math.Abs(a[t]-b[t])*r[t] > settled*b.at(r) {
			return false
		}
	}
	return b.at(r) > 0
}

// typical is the cost of a block of this shape without a residual.
func (m *Model) typical(r *row) (v vector) {
	for s := range v {
		v[s] = m.coefficients[s].at(r)
	}
	return v
}

// Times forecasts the stages of a block. The same block always takes the same time.
func (m *Model) Times(n event.BlockNum, s Shape) Times {
	r := s.row()
	v := m.forecast(n, &r)
	return v.times()
}

func (m *Model) forecast(n event.BlockNum, r *row) vector {
	v := m.typical(r)
	left := m.residuals.of(v.sum(), int64(n-m.First))
	for s := range v {
		v[s] += left[s]
	}
	return v.notNegative()
}

// Typical is the cost of a block of this shape by the coefficients alone.
func (m *Model) Typical(s Shape) Times {
	r := s.row()
	v := m.typical(&r)
	return v.times()
}

// Coefficients are what a stage costs, in ns.
type Coefficients struct {
	Fixed, PerTransaction, PerWrite, PerByte float64
}

// Coefficients returns what stage i of StageNames costs.
func (m *Model) Coefficients(i int) Coefficients {
	c := &m.coefficients[i]
	return Coefficients{c[fixed], c[perTransaction], c[perWrite], c[perByte]}
}

// MeanBlock is the mean time of a block of the calibration, stalls included.
func (m *Model) MeanBlock() time.Duration { return time.Duration(math.Round(m.residuals.mean)) }

// seen lists the ranges by term.
func (m *Model) seen() [terms]Seen {
	return [terms]Seen{{1, 1, 1}, m.Transactions, m.Writes, m.Bytes}
}
