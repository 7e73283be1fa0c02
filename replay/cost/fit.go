package cost

import (
	"fmt"
	"math"
	"time"

	"github.com/blockreel/blockreel/analysis"
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
	// MadeUp: the blocks were made up in the trace's shape. There was nothing to verify in
	// them, and the model does not know what validation costs.
	MadeUp bool
	// Machine is where it was measured.
	Machine Machine
	// Transactions, Writes and Bytes are the ranges of the blocks that were fitted.
	Transactions, Writes, Bytes Seen
	// Merged are the terms without a coefficient of their own.
	Merged []Merge
	// HeldOut is the error of forecasts of blocks that were not fitted.
	HeldOut HeldOut
	// Drift is by how much longer the last quarter of the blocks took than the first,
	// beyond what their shapes explain, as a share of the mean block.
	Drift float64

	coefficients [stages]coefficients
	residuals    residuals
}

// Config says what was measured and how.
type Config struct {
	Tool, Ledger string
	Warmup       int
	MadeUp       bool
	Machine      Machine
}

// MinBlocks is the least that is fitted.
const MinBlocks = 40

// Fit fits a model to the observations, which are of consecutive blocks from first on.
func Fit(first event.BlockNum, obs []Observation, cfg Config) (*Model, error) {
	if len(obs) < MinBlocks {
		return nil, fmt.Errorf("a cost model needs at least %d blocks behind the warm-up, and there are %d", MinBlocks, len(obs))
	}
	rows, times := table(obs)
	kept, merged := independent(rows)
	m := &Model{
		Tool: cfg.Tool, Ledger: cfg.Ledger, First: first, Blocks: len(obs), Warmup: cfg.Warmup, MadeUp: cfg.MadeUp, Machine: cfg.Machine,
		Transactions: seen(rows, perTransaction), Writes: seen(rows, perWrite), Bytes: seen(rows, perByte),
		Merged: merged,
	}
	m.fit(rows, times, kept)
	m.HeldOut = heldOut(first, rows, times, kept)
	m.Drift = round(m.drift(rows, times), 4)
	return m, nil
}

func table(obs []Observation) (rows []row, times []vector) {
	rows, times = make([]row, len(obs)), make([]vector, len(obs))
	for i := range obs {
		rows[i], times[i] = obs[i].row(), obs[i].Times.vector()
	}
	return rows, times
}

// fit sets the coefficients and the residuals.
func (m *Model) fit(rows []row, times []vector, kept []int) {
	y := make([]float64, len(rows))
	for s := range stages {
		for i := range times {
			y[i] = times[i][s]
		}
		m.coefficients[s] = robust(rows, y, kept)
	}
	m.residuals = m.divide(rows, times)
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
func robust(rows []row, y []float64, kept []int) coefficients {
	weights := make([]float64, len(rows))
	for i := range weights {
		weights[i] = 1
	}
	left := make([]int64, len(rows))
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
		scale := huber * consistent * float64(analysis.Percentile(left, 50))
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
		v[s] = max(v[s]+left[s], 0)
	}
	return v
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
func (m *Model) MeanBlock() time.Duration { return time.Duration(m.residuals.mean) }

// seen lists the ranges by term.
func (m *Model) seen() [terms]Seen {
	return [terms]Seen{{1, 1, 1}, m.Transactions, m.Writes, m.Bytes}
}

// drift compares what the shapes do not explain at the end and at the start.
func (m *Model) drift(rows []row, times []vector) float64 {
	quarter := len(rows) / 4
	unexplained := func(from, to int) float64 {
		sum := 0.0
		for i := from; i < to; i++ {
			v := m.typical(&rows[i])
			sum += times[i].sum() - v.sum()
		}
		return sum / float64(to-from)
	}
	if m.residuals.mean <= 0 {
		return 0
	}
	return (unexplained(len(rows)-quarter, len(rows)) - unexplained(0, quarter)) / m.residuals.mean
}
