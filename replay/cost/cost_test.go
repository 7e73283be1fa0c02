package cost

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/blockreel/blockreel/replay/block"
	"github.com/blockreel/blockreel/traces/event"
)

// truth is a ledger of known cost.
type truth struct {
	coefficients [stages]coefficients
	// noise is the standard deviation of each stage's time, as a share of it.
	noise float64
	// stall is added to the state commit of one block in stallEvery.
	stall      time.Duration
	stallEvery int
}

// usual has the magnitudes of a real ledger: a block of 10 transactions, 20 writes and
// 33 kB takes about 6 ms.
var usual = truth{coefficients: [stages]coefficients{
	validation:      {200e3, 150e3, 0, 5},
	stateValidation: {50e3, 5e3, 10e3, 0},
	blockCommit:     {900e3, 0, 0, 20},
	stateCommit:     {1000e3, 0, 20e3, 0},
	historyCommit:   {300e3, 8e3, 0, 0},
}}

// observe measures n blocks of random shapes, whose counts vary by themselves.
func (t truth) observe(seed uint64, n int, shape func(r *rand.Rand) Shape) []Observation {
	r := rand.New(rand.NewPCG(seed, 1))
	obs := make([]Observation, n)
	for i := range obs {
		obs[i].Shape = shape(r)
		row := obs[i].row()
		var v vector
		for s := range v {
			v[s] = t.coefficients[s].at(&row) * max(1+t.noise*r.NormFloat64(), 0.1)
		}
		if t.stallEvery > 0 && r.IntN(t.stallEvery) == 0 {
			v[stateCommit] += float64(t.stall)
		}
		obs[i].Times = v.times()
	}
	return obs
}

func varied(r *rand.Rand) Shape {
	return Shape{Transactions: 1 + r.Int64N(100), Writes: r.Int64N(300), Bytes: 1000 + r.Int64N(400_000)}
}

func fitted(t testing.TB, obs []Observation) *Model {
	t.Helper()
	m, err := Fit(4, obs, Config{Tool: "test", Ledger: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func total(obs []Observation) (sum time.Duration) {
	for i := range obs {
		sum += obs[i].Validation + obs[i].Commit()
	}
	return sum
}

func forecast(m *Model, obs []Observation) (sum time.Duration, each []float64) {
	for i := range obs {
		p := m.Times(event.BlockNum(4+i), obs[i].Shape)
		sum += p.Validation + p.Commit()
		each = append(each, float64(p.Validation+p.Commit()))
	}
	return sum, each
}

// Without noise the coefficients come back, to the nanosecond; with noise and stalls they
// come near, the sum of the forecasts is that of the measured times, and the stalls are
// in it.
func TestFitRecoversCoefficients(t *testing.T) {
	for _, tc := range []struct {
		name                  string
		truth                 truth
		coefficient, makespan float64 // tolerances, relative
	}{
		{"exact", usual, 1e-4, 1e-4},
		{"noise", truth{usual.coefficients, 0.1, 0, 0}, 0.05, 0.005},
		{"stalls", truth{usual.coefficients, 0.1, 800 * time.Millisecond, 150}, 0.06, 0.02},
	} {
		t.Run(tc.name, func(t *testing.T) {
			obs := tc.truth.observe(7, 4000, varied)
			m := fitted(t, obs)
			if len(m.Merged) != 0 {
				t.Errorf("terms were merged: %v", m.Merged)
			}
			typical := Shape{50, 150, 200_000}.row()
			for s, want := range tc.truth.coefficients {
				for term, w := range want {
					// What matters is a term's share of a block's time.
					share := (m.coefficients[s][term] - w) * typical[term] / max(want.at(&typical), 1)
					if math.Abs(share) > tc.coefficient {
						t.Errorf("%s, %s is %v ns, want %v: off by %.1f %% of a block", StageNames[s], termNames[term], m.coefficients[s][term], w, 100*share)
					}
				}
			}
			want := total(obs)
			got, _ := forecast(m, obs)
			if e := float64(got-want) / float64(want); math.Abs(e) > tc.makespan {
				t.Errorf("all blocks take %v, want %v: off by %.2f %%", got, want, 100*e)
			}
		})
	}
}

// The forecast's tail is that of what was measured: neither without stalls nor with more
// of them.
func TestForecastHasTheTail(t *testing.T) {
	obs := truth{usual.coefficients, 0.05, 500 * time.Millisecond, 40}.observe(3, 3000, varied)
	m := fitted(t, obs)
	_, each := forecast(m, obs)
	stalls := func(times []float64) (n int) {
		for _, x := range times {
			if x > 400e6 {
				n++
			}
		}
		return n
	}
	measured := make([]float64, len(obs))
	for i := range obs {
		measured[i] = float64(obs[i].Validation + obs[i].Commit())
	}
	if got, want := stalls(each), stalls(measured); got < want*9/10 || got > want*11/10 {
		t.Errorf("%d stalls, want about %d", got, want)
	}
	if m.HeldOut.TailError < -0.5 || m.HeldOut.TailError > 0.5 || m.HeldOut.MeanFold > 0.15 || m.HeldOut.BlockError > 0.06 {
		t.Errorf("held-out errors %+v", m.HeldOut)
	}
	// The same block always takes the same time.
	if _, again := forecast(m, obs); !reflect.DeepEqual(each, again) {
		t.Error("two forecasts of the same blocks differ")
	}
}

// What the data do not tell apart is merged and said, and the forecast stays right for
// such blocks.
func TestDegenerateShapes(t *testing.T) {
	for _, tc := range []struct {
		name   string
		shape  func(*rand.Rand) Shape
		merged string
	}{
		{"all the same", func(*rand.Rand) Shape { return Shape{10, 20, 33_000} },
			"per_transaction in fixed, per_write in fixed, per_byte in fixed"},
		{"a short block now and then", func(r *rand.Rand) Shape {
			if r.IntN(500) == 0 {
				return Shape{9, 18, 29_700}
			}
			return Shape{10, 20, 33_000}
		}, "per_transaction in fixed, per_write in fixed, per_byte in fixed"},
		{"one of a tenth", nth(170, Shape{10, 20, 33_000}, Shape{1, 2, 4_100}),
			"per_transaction in fixed, per_write in fixed, per_byte in fixed"},
		{"all follow from the transactions", func(r *rand.Rand) Shape {
			n := 1 + r.Int64N(100)
			return Shape{n, 2 * n, 900 + 3200*n + r.Int64N(50)}
		}, "per_write in per_transaction, per_byte in per_transaction"},
		{"bytes alone", func(r *rand.Rand) Shape { return Shape{10, 20, 10_000 + r.Int64N(100_000)} },
			"per_transaction in fixed, per_write in fixed"},
		{"no writes", func(r *rand.Rand) Shape { return Shape{1 + r.Int64N(100), 0, 1000 + r.Int64N(400_000)} },
			"per_write in fixed"},
		{"nothing in them", func(*rand.Rand) Shape { return Shape{} },
			"per_transaction in fixed, per_write in fixed, per_byte in fixed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			obs := truth{usual.coefficients, 0.1, 0, 0}.observe(5, 300, tc.shape)
			m := fitted(t, obs)
			var merged []string
			for _, x := range m.Merged {
				merged = append(merged, x.Term+" in "+x.Into)
			}
			if got := strings.Join(merged, ", "); got != tc.merged {
				t.Errorf("merged %s, want %s", got, tc.merged)
			}
			want := total(obs)
			got, _ := forecast(m, obs)
			if e := float64(got-want) / float64(want); math.Abs(e) > 0.01 || m.HeldOut.MeanFold > 0.03 {
				t.Errorf("all blocks take %v, want %v; held-out error %v", got, want, m.HeldOut.MeanFold)
			}
			for s := range stages {
				for term, c := range m.coefficients[s] {
					if c < 0 || math.IsNaN(c) {
						t.Errorf("%s, %s costs %v ns", StageNames[s], termNames[term], c)
					}
				}
			}
		})
	}
}

// nth makes blocks of one shape, and block n, of the others.
func nth(n int, others, one Shape) func(*rand.Rand) Shape {
	i := 0
	return func(*rand.Rand) Shape {
		if i++; i == n {
			return one
		}
		return others
	}
}

// A forecast of blocks of which the calibration knows nothing says so.
func TestStrange(t *testing.T) {
	same := func(s Shape, n int) (all []Shape) {
		for range n {
			all = append(all, s)
		}
		return all
	}
	uniform := fitted(t, usual.observe(1, 200, func(*rand.Rand) Shape { return Shape{10, 20, 33_000} }))
	follows := fitted(t, usual.observe(1, 200, func(r *rand.Rand) Shape {
		n := 1 + r.Int64N(100)
		return Shape{n, 2 * n, 900 + 3200*n}
	}))
	odd := fitted(t, usual.observe(1, 300, nth(170, Shape{10, 20, 33_000}, Shape{1, 2, 4_100})))
	for _, tc := range []struct {
		name   string
		m      *Model
		shapes []Shape
		want   []string
	}{
		{"the same blocks", uniform, same(Shape{10, 20, 33_000}, 100), nil},
		{"nearly the same", uniform, same(Shape{10, 20, 34_000}, 100), nil},
		{"larger", uniform, same(Shape{50, 20, 33_000}, 100), []string{"100 of 100 blocks have other numbers of transactions", "could not tell"}},
		{"one is larger", uniform, append(same(Shape{10, 20, 33_000}, 99), Shape{50, 20, 33_000}), nil},
		{"another ratio", follows, same(Shape{50, 50, 160_900}, 100), []string{"the cost of writes was measured as part of that of transactions", "50 writes on average where blocks like them had 100"}},
		{"bytes that follow and are not in proportion", follows, same(Shape{2, 4, 7300}, 100), nil},
		{"one was like these", odd, same(Shape{5, 10, 16_900}, 100), []string{"100 of 100 blocks have other numbers of transactions than nearly all of the calibration (10 to 10)"}},
		{"none", uniform, nil, nil},
	} {
		got := strings.Join(tc.m.Strange(tc.shapes), "\n")
		if (got == "") != (tc.want == nil) {
			t.Errorf("%s: %q", tc.name, got)
		}
		for _, w := range tc.want {
			if !strings.Contains(got, w) {
				t.Errorf("%s: %q lacks %q", tc.name, got, w)
			}
		}
	}
}

// Small blocks among large ones: the residuals of the large are not put on the small.
func TestResidualsByClass(t *testing.T) {
	mixed := func(r *rand.Rand) Shape {
		if r.IntN(2) == 0 {
			return Shape{1, 1, 1000 + r.Int64N(200)}
		}
		return Shape{400 + r.Int64N(100), 900 + r.Int64N(200), 1_500_000}
	}
	obs := truth{usual.coefficients, 0.3, 0, 0}.observe(9, 2000, mixed)
	m := fitted(t, obs)
	for _, small := range []bool{true, false} {
		var want, got float64
		for i := range obs {
			if (obs[i].Transactions == 1) == small {
				p := m.Times(event.BlockNum(i), obs[i].Shape)
				want += float64(obs[i].Validation + obs[i].Commit())
				got += float64(p.Validation + p.Commit())
			}
		}
		if e := got/want - 1; math.Abs(e) > 0.02 {
			t.Errorf("small blocks %v: forecast is off by %.1f %%", small, 100*e)
		}
	}
}

// A ledger that slows down as it grows is told.
func TestDrift(t *testing.T) {
	obs := truth{usual.coefficients, 0.05, 0, 0}.observe(2, 2000, varied)
	if d := fitted(t, obs).Drift; math.Abs(d) > 0.02 {
		t.Errorf("a steady ledger drifts by %v", d)
	}
	obs[1900].StateCommit += time.Minute
	if d := fitted(t, obs).Drift; math.Abs(d) > 0.02 {
		t.Errorf("a steady ledger with a stall drifts by %v", d)
	}
	obs[1900].StateCommit -= time.Minute
	for i := range obs {
		obs[i].StateCommit += time.Duration(i) * 5 * time.Microsecond
	}
	if d := fitted(t, obs).Drift; d < 0.2 {
		t.Errorf("a ledger that slows down drifts by %v", d)
	}
}

func TestTooFewBlocks(t *testing.T) {
	if _, err := Fit(0, usual.observe(1, MinBlocks-1, varied), Config{}); err == nil {
		t.Error("fitted to too few blocks")
	}
	if m := fitted(t, usual.observe(1, MinBlocks, varied)); m.Blocks != MinBlocks {
		t.Errorf("%d blocks", m.Blocks)
	}
}

// Stalls that came in a burst are forecast in a burst, in the same place of the same run.
func TestForecastKeepsTheOrder(t *testing.T) {
	obs := usual.observe(4, 3000, func(*rand.Rand) Shape { return Shape{10, 20, 33_000} })
	for i := 1000; i < 1020; i++ {
		obs[i].StateCommit += time.Duration(i) * time.Millisecond
	}
	m := fitted(t, obs)
	for i := range obs {
		got, want := m.Times(event.BlockNum(4+i), obs[i].Shape).StateCommit, obs[i].StateCommit
		if d := got - want; d < -time.Microsecond || d > time.Microsecond {
			t.Fatalf("block %d: state commit takes %v, was %v", i, got, want)
		}
	}
	// Blocks before the calibrated ones and after them take their turn in the same order.
	n := event.BlockNum(len(obs))
	if a, b := m.Times(4+1005, Shape{10, 20, 33_000}), m.Times(4+1005+n*7, Shape{10, 20, 33_000}); a != b {
		t.Errorf("%v, and %v seven runs later", a, b)
	}
	m.First += 10 * n
	if a, b := m.Times(4+1005, Shape{10, 20, 33_000}), m.Times(4+1005+n*10, Shape{10, 20, 33_000}); a != b {
		t.Errorf("%v, and %v ten runs earlier", b, a)
	}
}

// A long run is forecast with as many stalls as there were, and where they were, however
// rare they are; and what they took is not spread over the others.
func TestLongRun(t *testing.T) {
	same := Shape{10, 20, 33_000}
	obs := truth{usual.coefficients, 0.1, 2 * time.Second, 3000}.observe(4, 40_000, func(*rand.Rand) Shape { return same })
	m := fitted(t, obs)
	var want, got, usually, forecast time.Duration
	stalls, stalled, elsewhere := 0, 0, 0
	for i := range obs {
		x := m.Times(event.BlockNum(4+i), same)
		measured, predicted := obs[i].Validation+obs[i].Commit(), x.Validation+x.Commit()
		want, got = want+measured, got+predicted
		if measured > time.Second {
			stalls++
		} else {
			usually += measured
		}
		if predicted > time.Second {
			stalled++
		} else {
			forecast += predicted
		}
		if (measured > time.Second) != (predicted > time.Second) {
			elsewhere++
		}
	}
	if stalls == 0 || stalled != stalls || elsewhere != 0 {
		t.Errorf("%d stalls are forecast, %d of all blocks not as they were; there were %d", stalled, elsewhere, stalls)
	}
	if e := float64(got)/float64(want) - 1; math.Abs(e) > 1e-6 {
		t.Errorf("all blocks take %v, were %v", got, want)
	}
	if e := float64(forecast)/float64(usually) - 1; math.Abs(e) > 1e-6 {
		t.Errorf("blocks without a stall take %v, were %v", forecast, usually)
	}
}

// Of a run that is too long a sample is fitted, evenly spread.
func TestSample(t *testing.T) {
	for _, tc := range []struct{ blocks, runs int }{{40, 1}, {MaxBlocks, 1}, {MaxBlocks + 1, 1}, {120_000, 1}, {120_000, 7}, {25_000, 2}, {3_000_000, 20}} {
		places := Sample(tc.blocks, tc.runs)
		most := MaxBlocks / tc.runs
		if tc.blocks <= most && len(places) != tc.blocks || tc.blocks > most && (len(places) > most || len(places) < most*9/10) {
			t.Errorf("%d of %d blocks in each of %d runs", len(places), tc.blocks, tc.runs)
		}
		for i, at := range places {
			if at < 0 || at >= tc.blocks || i > 0 && at <= places[i-1] {
				t.Fatalf("of %d blocks, place %d behind %d", tc.blocks, at, places[i-1])
			}
		}
		if last := places[len(places)-1]; places[0] != 0 || last != tc.blocks-1 {
			t.Errorf("of %d blocks, %d to %d", tc.blocks, places[0], last)
		}
	}
	same := Shape{10, 20, 33_000}
	all := truth{usual.coefficients, 0.1, 2 * time.Second, 300}.observe(4, 120_000, func(*rand.Rand) Shape { return same })
	var obs []Observation
	for _, at := range Sample(len(all), 1) {
		obs = append(obs, all[at])
	}
	m, err := Fit(4, obs, Config{Ledger: "test", Measured: len(all)})
	if err != nil {
		t.Fatal(err)
	}
	if m.Blocks != len(obs) || m.Measured != len(all) {
		t.Errorf("%d blocks of %d", m.Blocks, m.Measured)
	}
	var file bytes.Buffer
	if err := m.Write(&file); err != nil || file.Len() > MaxFileBytes*6/10 {
		t.Errorf("the file has %d bytes: %v", file.Len(), err)
	}
	if m, err = Read(&file); err != nil {
		t.Fatal(err)
	}
	got, _ := forecast(m, all)
	if e := float64(got)/float64(total(all)) - 1; math.Abs(e) > 0.1 {
		t.Errorf("all blocks take %v, were %v", got, total(all))
	}
	if _, err := Fit(4, all, Config{}); err == nil {
		t.Error("fitted to more than is held")
	}
}

// However many blocks a class has, its strata are within their number and hold it all, and
// few stand for more than a small part of those that took longer.
func TestStrata(t *testing.T) {
	for n := 1; n <= MaxBlocks; n += 1 + n/50 {
		places, from := ends(n), 0
		if len(places) > maxStrata || places[len(places)-1] != n {
			t.Fatalf("%d strata of %d blocks end with %d", len(places), n, places[len(places)-1])
		}
		for _, end := range places {
			if size := end - from; size < 1 || size > 1 && float64(size) > growth*float64(n-end) {
				t.Fatalf("of %d blocks, %d are one stratum below %d", n, size, n-end)
			}
			from = end
		}
	}
}

// Every measured block is found in the class that it was put into, wherever the borders
// lie.
func TestBordersOfClasses(t *testing.T) {
	small := truth{coefficients: [stages]coefficients{blockCommit: {1000, 0, 0, 0.1}}}
	obs := small.observe(6, 4000, func(r *rand.Rand) Shape { return Shape{1, 1, 10_000 + r.Int64N(90_000)} })
	m := fitted(t, obs)
	found := make([]int, len(m.residuals.classes))
	for i := range obs {
		typical := m.Typical(obs[i].Shape)
		r := obs[i].row()
		v := m.typical(&r)
		if typical.BlockStore == 0 {
			t.Fatal("a block costs nothing")
		}
		found[m.residuals.class(v.sum())]++
	}
	if len(found) < 2 {
		t.Fatalf("%d classes", len(found))
	}
	for i, n := range found {
		if n != m.residuals.classes[i].blocks {
			t.Errorf("class %d has %d blocks, and %d are found in it", i, m.residuals.classes[i].blocks, n)
		}
	}
}

// A residual that would make a stage negative is taken from the others: the sum of a
// block stays what it is.
func TestNoStageIsNegative(t *testing.T) {
	for _, tc := range []struct{ v, want vector }{
		{vector{1, 2, 3, 4, 5, 6}, vector{1, 2, 3, 4, 5, 6}},
		{vector{-10, 0, 30, 0, 20, 0}, vector{0, 0, 24, 0, 16, 0}},
		{vector{-10, 0, 0, 4, 0, 0}, vector{}},
		{vector{-10, 0, 0, 0, 0, 0}, vector{}},
		{vector{}, vector{}},
	} {
		if got := tc.v.notNegative(); got != tc.want {
			t.Errorf("%v became %v, want %v", tc.v, got, tc.want)
		}
	}
	m := &Model{residuals: residuals{classes: []class{{strata: []stratum{{1, vector{validation: -300, stateCommit: 200}}}, blocks: 1}}, order: []int{0}}}
	m.coefficients[validation][fixed], m.coefficients[stateCommit][fixed] = 100, 1000
	if x := m.Times(0, Shape{}); x.Validation != 0 || x.Commit() != 1000 {
		t.Errorf("%+v", x)
	}
}

// Folds whose times differ are told, although what one lacks the others have.
func TestFoldsDoNotCancel(t *testing.T) {
	obs := usual.observe(1, 1000, func(*rand.Rand) Shape { return Shape{10, 20, 33_000} })
	for i := range obs {
		if i*segments/len(obs)%folds == 2 {
			obs[i].StateCommit += 6 * time.Millisecond
		}
	}
	if h := fitted(t, obs).HeldOut; h.MeanFold < 0.2 || h.WorstFold > -0.3 {
		t.Errorf("held-out errors %+v", h)
	}
}

// What a longer run will show, the forward error tells, and the folds, which lie in
// between, do not.
func TestForward(t *testing.T) {
	obs := usual.observe(1, 1000, func(*rand.Rand) Shape { return Shape{10, 20, 33_000} })
	if h := fitted(t, obs).HeldOut; math.Abs(h.Forward) > 0.001 {
		t.Errorf("of a steady ledger: %+v", h)
	}
	for i := range obs {
		obs[i].StateCommit += time.Duration(i) * 10 * time.Microsecond
	}
	if h := fitted(t, obs).HeldOut; h.Forward > -0.3 || math.Abs(h.WorstFold) > 0.15 {
		t.Errorf("of a ledger that slows down: %+v", h)
	}
}

// Of several runs all are fitted, and a forecast takes from each in turn.
func TestRuns(t *testing.T) {
	const n, runs = 1024, 4
	same := Shape{10, 20, 33_000}
	var obs []Observation
	for run := range runs {
		one := usual.observe(1, n, func(*rand.Rand) Shape { return same })
		for i := range one {
			one[i].StateCommit += time.Duration(run) * time.Millisecond
		}
		obs = append(obs, one...)
	}
	m, err := Fit(4, obs, Config{Ledger: "test", Runs: runs})
	if err != nil {
		t.Fatal(err)
	}
	mean := float64(total(obs)) / float64(len(obs))
	if want := 3e6 / mean; math.Abs(m.RunSpread-want) > 0.001 {
		t.Errorf("the runs spread by %v, want %v", m.RunSpread, want)
	}
	if m.Runs != runs || m.Blocks != n*runs || math.Abs(m.Drift) > 0.001 || math.Abs(m.HeldOut.Forward) > 0.05 {
		t.Errorf("%d runs of %d blocks in all drift by %v; held-out errors %+v", m.Runs, m.Blocks, m.Drift, m.HeldOut)
	}
	// Any quarter of a run has as much of each.
	const part = n / 4
	for from := 0; from < runs*n; from += part {
		var sum time.Duration
		for i := range part {
			x := m.Times(event.BlockNum(4+from+i), same)
			sum += x.Validation + x.Commit()
		}
		if e := float64(sum)/part/mean - 1; math.Abs(e) > 0.01 {
			t.Errorf("from %d on a block takes %v ns, on average %v", from, float64(sum)/part, mean)
		}
	}
	if _, err := Fit(4, obs[1:], Config{Runs: runs}); err == nil {
		t.Error("runs of unequal length were fitted")
	}
}

func TestCommitIsItsParts(t *testing.T) {
	x := Times{Stages: block.Stages{StateValidation: 1, BlockStore: 2, StateCommit: 3, HistoryCommit: 4}, Other: 5, Validation: 100}
	v := x.vector()
	if x.Commit() != 15 || v.sum() != 115 || v.times() != x {
		t.Errorf("parts of %+v: %v", x, v)
	}
}

func TestFile(t *testing.T) {
	for _, obs := range [][]Observation{
		truth{usual.coefficients, 0.1, time.Second, 100}.observe(1, 3000, varied),
		usual.observe(1, 50, func(*rand.Rand) Shape { return Shape{10, 20, 33_000} }),
	} {
		m, refused := fitted(t, obs), 0.25
		m.Refused = &refused
		var b bytes.Buffer
		if err := m.Write(&b); err != nil {
			t.Fatal(err)
		}
		if b.Len() > MaxFileBytes/5 {
			t.Errorf("the file has %d bytes", b.Len())
		}
		again, err := Read(bytes.NewReader(b.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		for i := range obs {
			n := event.BlockNum(i)
			if x, y := m.Times(n, obs[i].Shape), again.Times(n, obs[i].Shape); x != y {
				t.Fatalf("block %d takes %v, and %v when it was read", i, x, y)
			}
		}
		var c bytes.Buffer
		if err := again.Write(&c); err != nil {
			t.Fatal(err)
		}
		if b.String() != c.String() || again.Refused == nil || *again.Refused != refused {
			t.Error("a model that was read is written otherwise")
		}
		// Files of earlier programs do not tell it.
		if again, err = Read(strings.NewReader(strings.Replace(b.String(), `"refused_share": 0.25,`, "", 1))); err != nil || again.Refused != nil {
			t.Errorf("a file without the share of refused transactions: %v", err)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	var b bytes.Buffer
	if err := fitted(t, usual.observe(1, 50, varied)).Write(&b); err != nil {
		t.Fatal(err)
	}
	good := b.String()
	for _, tc := range []struct{ from, to, want string }{
		{good, "", "calibrate"},
		{good, "{}", "calibrate"},
		{good, good + "x", "calibrate"},
		{`"blockreel_cost": 2`, `"blockreel_cost": 1`, "version 1"},
		{`"drift"`, `"draft"`, "draft"},
		{`"fixed_ns": `, `"fixed_ns": -`, "coefficient"},
		{`"per_byte_ns": `, `"fixed_ns": 3601e9, "per_byte_ns": `, "not in 0…3.6e+12"},
		{`"runs": 1`, `"runs": 0`, "in 0 runs"},
		{`"refused_share": null`, `"refused_share": 1.5`, "share of 1.5"},
		{`"measured_blocks": 50`, `"measured_blocks": 49`, "of 49 that were measured"},
		{`"stage": "state_commit"`, `"stage": "state"`, "is expected"},
		{`"blocks": 50`, `"blocks": 49`, "residuals are of 50"},
		{`"blocks": 50`, `"blocks": -1`, "is made of"},
		{`"ledger": "test"`, `"ledger": ""`, "name its ledger"},
		{`"merged_terms": []`, `"merged_terms": [{"term":"fixed","into":"per_byte"}]`, "merges"},
		{`"merged_terms": []`, `"merged_terms": [{"term":"per_write","into":"per_byte","count_by_term":[0,0,0,1e30]}]`, "follows by"},
		{`"from_block_cost_ns": 0`, `"from_block_cost_ns": 5`, "begins at"},
		{`"order_of_ranks_ppm": [`, `"order_of_ranks_ppm": [1000001, `, "a rank of 1000001"},
		{`"first_block": 4`, `"first_block": -4`, "first block"},
		{`"strata": [`, `"strata": [{"blocks":0,"stages_ns":[0,0,0,0,0,0]},`, "stands for 0"},
		{good, strings.Replace(good, "{", "{"+strings.Repeat(" ", MaxFileBytes), 1), "longer"},
	} {
		if !strings.Contains(good, tc.from) {
			t.Fatalf("the file has no %s", tc.from)
		}
		_, err := Read(strings.NewReader(strings.Replace(good, tc.from, tc.to, 1)))
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%.40q for %.40q: %v, want %q", tc.to, tc.from, err, tc.want)
		}
	}
}

// FuzzRead: no file makes a forecast fail, and what is read is written as it was.
func FuzzRead(f *testing.F) {
	var b bytes.Buffer
	m, err := Fit(0, usual.observe(1, 300, varied), Config{Tool: "t", Ledger: "l"})
	if err != nil {
		f.Fatal(err)
	}
	if err := m.Write(&b); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := Read(bytes.NewReader(text))
		if err != nil {
			return
		}
		for n := range event.BlockNum(600) {
			s := Shape{int64(n), int64(n), int64(n) << 30}
			if x := m.Times(n*n*n, s); x.Validation < 0 || x.Commit() < 0 {
				t.Fatalf("block %d takes %+v", n, x)
			}
			m.Strange([]Shape{s})
		}
		var once, twice bytes.Buffer
		if err := m.Write(&once); err != nil {
			t.Fatal(err)
		}
		again, err := Read(bytes.NewReader(once.Bytes()))
		if err != nil {
			t.Fatalf("what was written is refused: %v", err)
		}
		if err := again.Write(&twice); err != nil || once.String() != twice.String() {
			t.Fatalf("written otherwise: %v", err)
		}
	})
}

// BenchmarkFit tells, beside the time, how much is allocated for a block in all.
func BenchmarkFit(b *testing.B) {
	for _, n := range []int{2_000, MaxBlocks} {
		obs := truth{usual.coefficients, 0.1, time.Second, 200}.observe(1, n, varied)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for b.Loop() {
				fitted(b, obs)
			}
			runtime.ReadMemStats(&after)
			per := float64(b.N) * float64(n)
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/per, "ns/block")
			b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/per, "B/block")
		})
	}
}

func BenchmarkTimes(b *testing.B) {
	m := fitted(b, truth{usual.coefficients, 0.1, time.Second, 200}.observe(1, 2000, varied))
	n := event.BlockNum(0)
	for b.Loop() {
		m.Times(n, Shape{10, 20, 33_000})
		n++
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N), "ns/block")
}
