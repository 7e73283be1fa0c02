package network

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/blockreel/blockreel/recorder"
	"github.com/blockreel/blockreel/replay/block"
	"github.com/blockreel/blockreel/replay/driver"
	"github.com/blockreel/blockreel/replay/ledger"
	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

func TestMain(m *testing.M) {
	// Badger's log library starts it and never stops it.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/golang/glog.(*fileSink).flushDaemon"))
}

// patience bounds what must happen; nothing is asserted about how fast.
const patience = 2 * time.Minute

// small is a network of two channels and two organizations with ledgers in memory.
func small() Config {
	c := Default()
	c.Channels, c.Orgs, c.Ledger = 2, 2, ledger.Memory
	c.Load = Load{Profile: Poisson, Rate: 400, Blocks: 50, Seed: 3}
	c.Transactions, c.Writes, c.Bytes = 1, 2, 1000
	return c
}

// opened opens a network that is closed with the test.
func opened(t testing.TB, c Config) *Network {
	t.Helper()
	n, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// within is a context that ends with the test's patience.
func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// record runs a network into a trace.
func record(t testing.TB, ctx context.Context, n *Network) (*traces.Trace, Summary) {
	t.Helper()
	if err := n.Prepare(ctx); err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	r, err := recorder.New(&file, n.Header("test"), recorder.Config{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := n.Run(ctx, r)
	if err != nil {
		t.Error(err)
	}
	for _, note := range s.Notes() {
		r.Note(note)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	tr, err := traces.Read(&file)
	if err != nil {
		t.Fatal(err)
	}
	return tr, s
}

// background runs a network until stop is called, which returns what Run has.
func background(t testing.TB, n *Network, o driver.Observer) (stop func() (Summary, error)) {
	ctx, cancel := context.WithCancel(within(t))
	type end struct {
		s   Summary
		err error
	}
	ended := make(chan end, 1)
	go func() {
		s, err := n.Run(ctx, o)
		ended <- end{s, err}
	}()
	stop = sync.OnceValues(func() (Summary, error) {
		cancel()
		e := <-ended
		return e.s, e.err
	})
	t.Cleanup(func() {
		if _, err := stop(); err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	return stop
}

// counter counts the events of each kind on each stream, and can be waited for.
type counter struct {
	mu      sync.Mutex
	n       map[int]*[event.NumKinds]int
	changed chan struct{}
}

func newCounter() *counter {
	return &counter{n: map[int]*[event.NumKinds]int{}, changed: make(chan struct{}, 1)}
}

func (c *counter) Observe(e event.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n[e.Stream] == nil {
		c.n[e.Stream] = &[event.NumKinds]int{}
	}
	c.n[e.Stream][e.Kind]++
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

func (c *counter) count(stream int, k event.Kind) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n[stream] == nil {
		return 0
	}
	return c.n[stream][k]
}

// wait returns when a stream has had so many events of a kind.
func (c *counter) wait(t testing.TB, stream int, k event.Kind, n int) {
	t.Helper()
	over := time.After(patience)
	for c.count(stream, k) < n {
		select {
		case <-c.changed:
		case <-over:
			t.Fatalf("stream %d has %d events %v, want %d", stream, c.count(stream, k), k, n)
		}
	}
}

// quiet returns when nothing has happened for a while. A machine that stands still for
// as long makes it return early, which makes no assertion fail that is about bounds.
func (c *counter) quiet() {
	for {
		select {
		case <-c.changed:
		case <-time.After(400 * time.Millisecond):
			return
		}
	}
}

// gated is a ledger whose first commit waits for its gate, and that takes a fixed time
// for every block; it stores nothing.
type gated struct {
	gate  <-chan struct{} // nil: open
	takes time.Duration
	mu    sync.Mutex
	last  event.BlockNum
	codes []byte
	wrong []event.BlockNum // blocks that did not follow the one before
}

func (g *gated) Height() event.Height { return event.Height(firstBlock) }
func (g *gated) Close() error         { return nil }

// Verdict is that all is good.
func (g *gated) Verdict() (codes []byte, commitHash [32]byte) { return g.codes, commitHash }

func (g *gated) Validate(ctx context.Context, _ *block.Block) error {
	if g.gate == nil {
		return ctx.Err()
	}
	select {
	case <-g.gate:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g *gated) Commit(ctx context.Context, b *block.Block) (block.Stages, error) {
	if g.takes > 0 {
		alarm := driver.NewAlarm()
		defer alarm.Close()
		alarm.Set(g.takes)
		<-alarm.C
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if b.Number != g.last+1 {
		g.wrong = append(g.wrong, b.Number)
	}
	g.last = b.Number
	g.codes = make([]byte, b.Transactions)
	return block.Stages{BlockStore: g.takes}, nil
}

// with makes all streams of a network commit to the ledgers that open makes.
func with(c Config, open func(ledger.Config) store) Config {
	c.open = func(_ string, lc ledger.Config) (store, error) { return open(lc), nil }
	return c
}
