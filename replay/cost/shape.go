package cost

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/blockreel/blockreel/replay/block"
)

// A Shape is what of a block its cost may depend on.
type Shape struct {
	Transactions, Writes, Bytes int64
}

// An Observation is a block with the time that each stage took.
type Observation struct {
	Shape
	Times
}

// Times are the stages of the committer's work on one block.
type Times struct {
	Validation time.Duration
	// Stages are those of the commit; Other is what they leave of it.
	block.Stages
	Other time.Duration
}

// Commit is the time from validated to committed.
func (t *Times) Commit() time.Duration { return t.Total() + t.Other }

// The stages by number, in the committer's order; names are Fabric's.
const (
	validation = iota
	stateValidation
	blockCommit
	stateCommit
	historyCommit
	other
	stages
)

// StageNames are the names of the stages in the committer's order.
var StageNames = [stages]string{
	"validation", "state_validation", "block_and_pvtdata_commit", "state_commit", "history_commit", "other_commit",
}

// vector is a number for each stage, in ns.
type vector [stages]float64

func (t *Times) vector() vector {
	return vector{
		float64(t.Validation), float64(t.StateValidation), float64(t.BlockStore),
		float64(t.StateCommit), float64(t.HistoryCommit), float64(t.Other),
	}
}

func (v *vector) times() Times {
	d := func(i int) time.Duration { return time.Duration(math.Round(min(max(v[i], 0), maxTime))) }
	return Times{
		Validation: d(validation),
		Stages: block.Stages{
			StateValidation: d(stateValidation), BlockStore: d(blockCommit),
			StateCommit: d(stateCommit), HistoryCommit: d(historyCommit),
		},
		Other: d(other),
	}
}

func (v *vector) sum() (total float64) {
	for _, x := range v {
		total += x
	}
	return total
}

// notNegative is v without stages below zero. What these would take off, the others give,
// each in its share, as far as there is any: so the sum stays the same.
func (v vector) notNegative() vector {
	sum, above := v.sum(), 0.0
	for _, x := range v {
		above += max(x, 0)
	}
	if sum == above {
		return v
	}
	if sum <= 0 {
		return vector{}
	}
	for s := range v {
		v[s] = max(v[s], 0) * (sum / above)
	}
	return v
}

// maxTime bounds the forecast of a stage in ns, whatever a file says: a day.
const maxTime = 24 * 3600e9

// The terms of a stage's cost.
const (
	fixed = iota
	perTransaction
	perWrite
	perByte
	terms
)

// termNames are the terms as the file names them, without the unit.
var termNames = [terms]string{"fixed", "per_transaction", "per_write", "per_byte"}

// countNames are the counts that the terms multiply.
var countNames = [terms]string{"blocks", "transactions", "writes", "bytes"}

// row is a block's count for each term.
type row [terms]float64

func (s Shape) row() row {
	return row{1, float64(s.Transactions), float64(s.Writes), float64(s.Bytes)}
}

// Limits on telling the counts apart.
const (
	// leastVariation is the part of its mean by which a count must vary (standard
	// deviation) around what the counts before it say of it.
	leastVariation = 0.05
	// mostExplained is the share of its variance that they may explain.
	mostExplained = 0.98
)

// A Merge says that the cost of one count could not be told from another's.
type Merge struct {
	// Term has no coefficient; its cost is in that of Into.
	Term string `json:"term"`
	Into string `json:"into"`
	// Count is how its count followed from the others: so many, and so many more for each
	// transaction, write and byte.
	Count [terms]float64 `json:"count_by_term"`
}

// independent chooses the terms that the data can tell apart: in their order, each that
// varies by itself. Of the others it says into which of these their cost goes. The rows are
// those of usual blocks: a coefficient is not to hang on a few odd ones.
func independent(rows []row) (kept []int, merges []Merge) {
	kept = []int{fixed}
	for t := perTransaction; t < terms; t++ {
		by, explained, left := explain(rows, kept, t)
		mean := columnMean(rows, t)
		if left > leastVariation*mean && explained < mostExplained {
			kept = append(kept, t)
			continue
		}
		for k := range by {
			by[k] = round(by[k], decimals)
		}
		merges = append(merges, Merge{termNames[t], termNames[nearest(rows, kept, t)], by})
	}
	return kept, merges
}

// explain fits count t by the kept ones and returns the fit, the share of the count's
// variance that they explain, and the standard deviation that is left.
func explain(rows []row, kept []int, t int) (c coefficients, share, left float64) {
	var s system
	for i := range rows {
		s.add(&rows[i], rows[i][t], 1)
	}
	c = s.solve(kept, false)
	mean := columnMean(rows, t)
	var total, rest float64
	for i := range rows {
		x := rows[i][t]
		total += (x - mean) * (x - mean)
		rest += (x - c.at(&rows[i])) * (x - c.at(&rows[i]))
	}
	left = math.Sqrt(rest / float64(len(rows)))
	if total == 0 {
		return c, 1, 0
	}
	return c, 1 - rest/total, left
}

// nearest is the kept count that count t varies with most, or the fixed cost when it
// does not vary.
func nearest(rows []row, kept []int, t int) int {
	best, most := fixed, 0.5 // a correlation below this is none to speak of
	for _, k := range kept[1:] {
		if r := correlation(rows, k, t); r > most {
			best, most = k, r
		}
	}
	if spread(rows, t) <= leastVariation*columnMean(rows, t) {
		return fixed
	}
	return best
}

func columnMean(rows []row, t int) float64 {
	sum := 0.0
	for i := range rows {
		sum += rows[i][t]
	}
	return sum / float64(max(len(rows), 1))
}

func spread(rows []row, t int) float64 { return math.Sqrt(covariance(rows, t, t)) }

func covariance(rows []row, a, b int) float64 {
	x, y, sum := columnMean(rows, a), columnMean(rows, b), 0.0
	for i := range rows {
		sum += (rows[i][a] - x) * (rows[i][b] - y)
	}
	return sum / float64(max(len(rows), 1))
}

func correlation(rows []row, a, b int) float64 {
	if d := spread(rows, a) * spread(rows, b); d > 0 {
		return math.Abs(covariance(rows, a, b)) / d
	}
	return 0
}

// Seen is what one count was among the blocks of a calibration: the range of all but the
// lowest and the highest hundredth of the blocks, and the mean of all.
type Seen struct {
	Min  int64   `json:"min"`
	Mean float64 `json:"mean"`
	Max  int64   `json:"max"`
}

// oddShare of the blocks, or one at least, is odd at either end of a count.
const oddShare = 0.01

func seen(rows []row, t int) Seen {
	counts := make([]float64, len(rows))
	for i := range rows {
		counts[i] = rows[i][t]
	}
	slices.Sort(counts)
	odd := int(math.Ceil(oddShare * float64(len(counts))))
	return Seen{int64(counts[odd]), round(columnMean(rows, t), 3), int64(counts[len(counts)-1-odd])}
}

// withoutOdd are the rows of which every count is in its range.
func withoutOdd(rows []row, ranges [terms]Seen) []row {
	some := make([]row, 0, len(rows))
	for i := range rows {
		in := true
		for t, s := range ranges {
			in = in && rows[i][t] >= float64(s.Min) && rows[i][t] <= float64(s.Max)
		}
		if in {
			some = append(some, rows[i])
		}
	}
	return some
}

const (
	// strangeShare of the blocks may be out of the calibrated range before a forecast
	// says so, as many as the ends of the range leave out of the fewest blocks; rangeSlack
	// is by how much a count may leave it.
	strangeShare = 0.05
	rangeSlack   = 0.1
	// strangeRatio is the most by which a merged count may differ from what the others
	// said of it.
	strangeRatio = 0.1
)

// Strange says, a sentence each, how blocks differ from those that the model was made
// of: their forecast is not backed by what was measured.
func (m *Model) Strange(shapes []Shape) (warnings []string) {
	if len(shapes) == 0 {
		return nil
	}
	rows := make([]row, len(shapes))
	for i, s := range shapes {
		rows[i] = s.row()
	}
	for t, s := range m.seen() {
		if t == fixed {
			continue
		}
		n := 0
		for i := range rows {
			if x := rows[i][t]; x < float64(s.Min)*(1-rangeSlack) || x > float64(s.Max)*(1+rangeSlack) {
				n++
			}
		}
		if float64(n) > strangeShare*float64(len(rows)) {
			warnings = append(warnings, fmt.Sprintf("%d of %d blocks have other numbers of %s than nearly all of the calibration (%d to %d): their cost is extrapolated%s",
				n, len(rows), countNames[t], s.Min, s.Max, m.mergedInto(t)))
		}
	}
	for _, merge := range m.Merged {
		t, into := termOf(merge.Term), termOf(merge.Into)
		if into == fixed {
			continue
		}
		by := coefficients(merge.Count)
		was := 0.0
		for i := range rows {
			was += by.at(&rows[i]) / float64(len(rows))
		}
		if is := columnMean(rows, t); math.Abs(is-was) > strangeRatio*math.Abs(was) {
			warnings = append(warnings, fmt.Sprintf("the cost of %s was measured as part of that of %s, and these blocks have %.3g %s on average where blocks like them had %.3g in the calibration: the forecast does not know the difference",
				countNames[t], countNames[into], is, countNames[t], was))
		}
	}
	return warnings
}

func (m *Model) mergedInto(t int) string {
	for _, merge := range m.Merged {
		if merge.Term == termNames[t] && merge.Into == termNames[fixed] {
			return ", and the calibration could not tell what depends on them"
		}
	}
	return ""
}

func termOf(name string) int {
	for t, n := range termNames {
		if n == name {
			return t
		}
	}
	return fixed
}

// Of returns the shape of a block.
func Of(b *block.Block) Shape {
	return Shape{int64(b.Transactions), int64(b.Writes), int64(b.Bytes)}
}
