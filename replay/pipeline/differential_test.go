package pipeline

import (
	"math/rand/v2"
	"reflect"
	"strconv"
	"testing"
	"time"

	"github.com/blockreel/blockreel/traces/event"
)

func durationAt(column []int64, i int) time.Duration { return time.Duration(at(column, i)) }

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
			N:         1 + r.IntN([]int{1, 3, 30}[r.IntN(3)]),
			Retry:     time.Duration(some(20_000)),
			Unbounded: r.IntN(8) == 0,
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
		Offered:    make([]int64, n),
		Bytes:      column(40_000),
		Transit:    column(3000),
		Validate:   column([]int64{500, 5000}[r.IntN(2)]),
		Commit:     column([]int64{500, 5000}[r.IntN(2)]),
		Turnaround: column(500),
	}
	t, gap := -r.Int64N(1000), some(8000)
	for i := range b.Offered {
		b.Offered[i] = t
		t += some(gap)
	}
	return cfg, b
}

// checkEqual holds the machine, the recurrence and the sweep against each other.
func checkEqual(t *testing.T, cfg Config, b Blocks) {
	t.Helper()
	machine, solved := NewColumns(b.Len()), NewColumns(b.Len())
	pump(t, cfg, b, machine)
	if err := Solve(cfg, b, solved); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(machine, solved) {
		t.Fatalf("machine and recurrence differ for %+v: %s", cfg, firstDifference(machine, solved))
	}
	if cfg.Policy.Unbounded {
		return
	}
	s, err := NewSweep(cfg, b)
	if err != nil {
		t.Fatal(err)
	}
	var (
		scratch Scratch
		sizes   = []int{cfg.Policy.N, cfg.Policy.N + 1, cfg.Policy.N + 2, 1, 2}
		points  = make([]Point, len(sizes))
		pops    = make([]int64, b.Len())
	)
	if err := s.Run(sizes, points, &scratch); err != nil {
		t.Fatal(err)
	}
	for i, n := range sizes {
		if err := Solve(cfg.WithBuffer(n), b, solved); err != nil {
			t.Fatal(err)
		}
		if want := dumbPoint(n, b, solved); points[i] != want {
			t.Fatalf("sweep gives %+v, want %+v, for %+v", points[i], want, cfg)
		}
		if _, err := s.Dequeued(n, pops, &scratch); err != nil {
			t.Fatal(err)
		}
		if b.Len() > 0 && !reflect.DeepEqual(pops, solved.Dequeued) {
			t.Fatalf("sweep's pops differ for %+v", cfg.WithBuffer(n))
		}
	}
}

// dumbPoint is a Point by its definition.
func dumbPoint(n int, b Blocks, c *Columns) Point {
	p := Point{N: n}
	idleSince, held := past, past
	for i := range b.Len() {
		p.End = max(p.End, event.Time(c.Committed[i]))
		if i == 0 {
			p.End = event.Time(c.Committed[i])
		}
		p.Blocked += time.Duration(c.Enqueued[i] - c.AtDoor[i])
		held = max(held, b.Offered[i])
		if from := max(idleSince, held); c.Dequeued[i] > from {
			p.Starved += time.Duration(c.Dequeued[i] - from)
		}
		idleSince = c.Committed[i] + at(b.Turnaround, i)
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
		checkEqual(t, cfg, b)
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
		checkEqual(t, cfg, b)
	})
}
