package driver

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/blockreel/blockreel/replay/pipeline"
	"github.com/blockreel/blockreel/traces/event"
)

// list is a Source of blocks in memory with their services.
type list struct {
	first    event.BlockNum
	arrivals []Arrival
	services []Service
	given    int
}

func (l *list) Next() (Arrival, bool) {
	if l.given == len(l.arrivals) {
		return Arrival{}, false
	}
	l.given++
	return l.arrivals[l.given-1], true
}

func (l *list) Service(n event.BlockNum) Service { return l.services[n-l.first] }

// journal is an Observer that keeps all events.
type journal struct {
	mu     sync.Mutex
	events []event.Event
}

func (j *journal) Observe(e event.Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.events = append(j.events, e)
}

// column returns the instants of kind k on a stream, by block number from first on.
func (j *journal) column(stream int, k event.Kind, first event.BlockNum, n int) []int64 {
	c := make([]int64, n)
	for i := range c {
		c[i] = event.Missing
	}
	for _, e := range j.events {
		if e.Stream == stream && e.Kind == k {
			c[e.Block-first] = e.Value
		}
	}
	return c
}

func (j *journal) columns(stream int, first event.BlockNum, n int) *columns {
	of := func(k event.Kind) []int64 { return j.column(stream, k, first, n) }
	return &columns{
		pipeline.Columns{
			Sent: of(event.Sent), Received: of(event.Received), AtDoor: of(event.AtDoor),
			Enqueued: of(event.Enqueued), Dequeued: of(event.Dequeued),
		},
		of(event.Validated), of(event.Committed),
	}
}

// blocks are those of a run, with the parts of their services.
type blocks struct {
	pipeline.Blocks
	validate, commit, turnaround []int64
}

// columns are the instants of a run.
type columns struct {
	pipeline.Columns
	validated, committed []int64
}

// solved are the instants as the recurrence has them.
func solved(t *testing.T, cfg pipeline.Config, b blocks) *columns {
	t.Helper()
	b.Service = make([]int64, b.Len())
	for i := range b.Service {
		b.Service[i] = b.validate[i] + b.commit[i] + b.turnaround[i]
	}
	c := &columns{}
	if err := pipeline.Solve(cfg, b.Blocks, &c.Columns); err != nil {
		t.Fatal(err)
	}
	for i, popped := range c.Dequeued {
		c.validated = append(c.validated, popped+b.validate[i])
		c.committed = append(c.committed, popped+b.validate[i]+b.commit[i])
	}
	return c
}

// stream returns a stream of blocks numbered from first on.
func stream(cfg pipeline.Config, first event.BlockNum, b blocks) Stream {
	l := &list{first: first}
	for i := range b.Len() {
		l.arrivals = append(l.arrivals, Arrival{b.Bytes[i], event.Time(b.Offered[i]), time.Duration(b.Transit[i])})
		l.services = append(l.services, Service{time.Duration(b.validate[i]), time.Duration(b.commit[i]), time.Duration(b.turnaround[i])})
	}
	return Stream{Config: cfg, Height: event.Height(first), Source: l, Services: l}
}

// randomRun draws a pipeline and blocks whose times are multiples of a coarse grain,
// so that many things happen at one instant.
func randomRun(seed uint64, n int) (pipeline.Config, blocks) {
	r := rand.New(rand.NewPCG(seed, 7))
	some := func(top int64) int64 { return max(0, r.Int64N(2*top+1)-top) * int64(time.Millisecond) / 10 }
	cfg := pipeline.Config{
		Policy: pipeline.Policy{Name: pipeline.Fabric, N: 1 + r.IntN(6), Retry: time.Duration(some(1000))},
		Hand:   r.IntN(2),
		Intake: pipeline.Intake{Fixed: time.Duration(some(10)), PerKiB: time.Duration(r.IntN(2) * 3000), Resume: time.Duration(some(10))},
		Wake:   time.Duration(some(10)),
		Link:   pipeline.Link{Latency: time.Duration(some(50)), Bandwidth: int64(r.IntN(2)) * 100_000_000, Window: r.Int64N(2) * 200_000},
	}
	column := func(top int64) []int64 {
		c := make([]int64, n)
		for i := range c {
			c[i] = some(top)
		}
		return c
	}
	if cfg.Policy.Retry == 0 {
		cfg.Policy.Name = pipeline.Ideal
	}
	b := blocks{
		pipeline.Blocks{Offered: column(60), Bytes: column(1), Transit: column(20)},
		column(60), column(60), column(3),
	}
	for i := 1; i < n; i++ {
		b.Offered[i] += b.Offered[i-1]
	}
	for i := range b.Bytes {
		b.Bytes[i] = r.Int64N(60_000)
	}
	return cfg, b
}
