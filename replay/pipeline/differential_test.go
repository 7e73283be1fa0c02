package pipeline

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"testing"
	"time"
)

// randomRun draws a configuration and blocks. Times are coarse on purpose, so that
// many things happen at one instant.
func randomRun(seed uint64) (Config, Blocks) {
	r := rand.New(rand.NewPCG(seed, 1))
	grain := []int64{1, 10, 100, 1000}[r.IntN(4)]
	some := func(top int64) int64 { // 0 half of the time
		if r.IntN(2) == 0 {
			return 0
		}
		return r.Int64N(top/grain+1) * grain
	}
	cfg := Config{
		Policy: Policy{
			Name:  Policies()[r.IntN(len(Policies()))],
			N:     1 + r.IntN([]int{1, 3, 30}[r.IntN(3)]),
			Retry: time.Duration(some(20_000)),
		},
		Hand: r.IntN(2),
		Intake: Intake{
			Fixed:  time.Duration(some(1000)),
			PerKiB: time.Duration(some(100)),
			Resume: time.Duration(some(2000)),
		},
		Wake: time.Duration(some(1000)),
		Link: Link{
			Latency:   time.Duration(some(5000)),
			Bandwidth: some(40_000_000_000),
			Window:    some(100_000),
		},
	}
	cfg.Policy, _ = cfg.Policy.As(cfg.Policy.Name)
	n := r.IntN(200)
	column := func(top int64) []int64 {
		if r.IntN(4) == 0 {
			return nil
		}
		c := make([]int64, n)
		for i := range c {
			c[i] = some(top)
		}
		return c
	}
	b := Blocks{
		Offered: make([]int64, n),
		Bytes:   column(40_000),
		Transit: column(3000),
		Service: column([]int64{500, 10_000}[r.IntN(2)]),
	}
	t, gap := -r.Int64N(1000), some(8000)
	for i := range b.Offered {
		b.Offered[i] = t
		t += some(gap)
	}
	return cfg, b
}

// checkEqual holds the machine, the recurrence and the sweep against each other. The latter two
// go over the blocks in windows that end where seed says.
func checkEqual(t *testing.T, seed uint64, cfg Config, b Blocks) {
	t.Helper()
	var machine Columns
	pump(t, cfg, b, &machine)
	solved := solveInWindows(t, seed, cfg, b)
	if !reflect.DeepEqual(&machine, solved) {
		t.Fatalf("machine and recurrence differ for %+v: %s", cfg, firstDifference(&machine, solved))
	}
	if !cfg.Policy.Bounded() {
		return
	}
	sizes := []int{cfg.Policy.N, cfg.Policy.N + 1, cfg.Policy.N + 2, 1, 2, 40}
	s, err := NewSweep(cfg, sizes)
	if err != nil {
		t.Fatal(err)
	}
	pops := make([][]int64, len(sizes))
	inWindows(seed+1, b, func(part Blocks) {
		err := s.Next(part, func(lane int, dequeued []int64) { pops[lane] = append(pops[lane], dequeued...) })
		if err != nil {
			t.Fatal(err)
		}
	})
	points := s.Points()
	for i, n := range sizes {
		var solved Columns
		if err := Solve(cfg.WithBuffer(n), b, &solved); err != nil {
			t.Fatal(err)
		}
		if want := dumbPoint(n, b, &solved); points[i] != want {
			t.Fatalf("sweep gives %+v, want %+v, for %+v", points[i], want, cfg)
		}
		if !slices.Equal(pops[i], solved.Dequeued) {
			t.Fatalf("sweep's pops differ for %+v", cfg.WithBuffer(n))
		}
	}
}

// inWindows hands on the blocks in windows of all sizes, none at all among them.
func inWindows(seed uint64, b Blocks, next func(Blocks)) {
	r := rand.New(rand.NewPCG(seed, 2))
	largest := []int{2, 10, 100, 1000}[r.IntN(4)]
	for from := 0; from < b.Len(); {
		to := min(from+r.IntN(largest), b.Len())
		next(b.Part(from, to))
		from = to
	}
}

func solveInWindows(t *testing.T, seed uint64, cfg Config, b Blocks) *Columns {
	t.Helper()
	s, err := NewSolver(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var all, out Columns
	all.resize(0)
	inWindows(seed, b, func(part Blocks) {
		if err := s.Next(part, &out); err != nil {
			t.Fatal(err)
		}
		all.Sent, all.Received = append(all.Sent, out.Sent...), append(all.Received, out.Received...)
		all.AtDoor, all.Enqueued = append(all.AtDoor, out.AtDoor...), append(all.Enqueued, out.Enqueued...)
		all.Dequeued = append(all.Dequeued, out.Dequeued...)
	})
	return &all
}

// dumbPoint is a Point by its definition.
func dumbPoint(n int, b Blocks, c *Columns) Point {
	p := Point{N: n}
	idleSince, held := past, past
	for i := range b.Len() {
		p.Blocked += time.Duration(c.Enqueued[i] - c.AtDoor[i])
		held = max(held, b.Offered[i])
		if from := max(idleSince, held); c.Dequeued[i] > from {
			p.Starved += time.Duration(c.Dequeued[i] - from)
		}
		idleSince = c.Dequeued[i] + valueAt(b.Service, i)
	}
	return p
}

func firstDifference(a, b *Columns) string {
	va, vb := reflect.ValueOf(*a), reflect.ValueOf(*b)
	for i := range a.Sent {
		for f := range va.NumField() {
			x, y := va.Field(f).Index(i).Int(), vb.Field(f).Index(i).Int()
			if x != y {
				return va.Type().Field(f).Name + " of block " + strconv.Itoa(i) + ": " + strconv.Itoa(int(x)) + " and " + strconv.Itoa(int(y))
			}
		}
	}
	return "in length"
}

func TestMachineEqualsRecurrence(t *testing.T) {
	for seed := range uint64(3000) {
		cfg, b := randomRun(seed)
		checkEqual(t, seed, cfg, b)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func FuzzMachineEqualsRecurrence(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		cfg, b := randomRun(seed)
		checkEqual(t, seed, cfg, b)
	})
}
