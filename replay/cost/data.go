package cost

import "github.com/blockreel/blockreel/analysis"

// MaxBlocks is how many blocks are fitted at most. Of more, Sample says which.
const MaxBlocks = 50_000

// Sample returns the places of those of n blocks of a run that are to be observed, when
// there are so many runs: all, or stretches that are evenly spread over the run.
func Sample(n, runs int) (places []int) {
	most := MaxBlocks / max(runs, 1)
	if n <= most {
		for i := range n {
			places = append(places, i)
		}
		return places
	}
	number := max(most/stretch, 2)
	for k := range number {
		from := (n - stretch) * k / (number - 1)
		for i := range stretch {
			places = append(places, from+i)
		}
	}
	return places
}

// data are the blocks that are fitted: those of one run in their order, then those of the
// next, as many of each.
type data struct {
	rows  []row
	times []vector
	runs  int
}

func newData(obs []Observation, runs int) *data {
	d := &data{make([]row, len(obs)), make([]vector, len(obs)), runs}
	for i := range obs {
		d.rows[i], d.times[i] = obs[i].row(), obs[i].Times.vector()
	}
	return d
}

// length of a run, in blocks.
func (d *data) length() int { return len(d.rows) / d.runs }

// place of block i in its run.
func (d *data) place(i int) int { return i % d.length() }

// turns is how often a forecast as long as a run takes blocks of each run.
const turns = 8

// interleave brings ranks, which are by block, into the order in which forecasts take them:
// stretches of the runs in turn, each in its place, so that any part of a run has
// something of each; with the next run first when all of a run's length is used up.
func (d *data) interleave(ranks []int) []int {
	order, n := make([]int, len(ranks)), d.length()
	stretch := max(min(n/(turns*d.runs), stretch), 1)
	for i := range order {
		round, at := i/n, i%n
		order[i] = ranks[(at/stretch+round)%d.runs*n+at]
	}
	return order
}

// spread is by how much the runs' mean times of a block differ, the longest from the
// shortest, as a share of the mean.
func (d *data) spread() float64 {
	least, most, all := 0.0, 0.0, 0.0
	for r := range d.runs {
		sum := 0.0
		for _, v := range d.times[r*d.length() : (r+1)*d.length()] {
			sum += v.sum()
		}
		if all += sum; r == 0 || sum < least {
			least = sum
		}
		most = max(most, sum)
	}
	if all <= 0 {
		return 0
	}
	return (most - least) / (all / float64(d.runs))
}

// drift compares what the shapes do not explain at the end of the runs and at their start.
// It takes medians: a stall is no drift.
func (d *data) drift(m *Model) float64 {
	quarter := d.length() / 4
	unexplained := func(from, to int) float64 {
		var left []int64
		for i := range d.rows {
			if at := d.place(i); at >= from && at < to {
				v := m.typical(&d.rows[i])
				left = append(left, int64(d.times[i].sum()-v.sum()))
			}
		}
		return float64(analysis.Percentile(left, 50))
	}
	if m.residuals.mean <= 0 {
		return 0
	}
	return (unexplained(d.length()-quarter, d.length()) - unexplained(0, quarter)) / m.residuals.mean
}
