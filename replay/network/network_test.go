package network

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/blockreel/blockreel/recorder"
	"github.com/blockreel/blockreel/replay/ledger"
	"github.com/blockreel/blockreel/replay/pipeline"
	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

func TestMain(m *testing.M) {
	// Badger's log library starts it and never stops it.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/golang/glog.(*fileSink).flushDaemon"))
}

// small is a network of two channels and two peers in memory.
func small() Config {
	c := Default()
	c.Channels, c.Peers, c.Ledger = 2, 2, "memory"
	c.Load = Load{Profile: Poisson, Rate: 100, Blocks: 50, Seed: 3}
	c.Bytes = 1000
	return c
}

// record runs a network into a trace.
func record(t *testing.T, ctx context.Context, c Config) (*traces.Trace, Summary) {
	t.Helper()
	n, err := Open(c)
	if err != nil {
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
	if err := errors.Join(r.Close(), n.Close()); err != nil {
		t.Fatal(err)
	}
	tr, err := traces.Read(&file)
	if err != nil {
		t.Fatal(err)
	}
	return tr, s
}

func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr, s := record(t, t.Context(), small())
		if s.Interrupted || len(s.Streams) != 4 || len(tr.Timelines) != 4 || tr.Loss != nil || tr.Source != "run" {
			t.Fatalf("summary %+v, %d timelines, loss %v", s, len(tr.Timelines), tr.Loss)
		}
		var names []string
		for i, tl := range tr.Timelines {
			names = append(names, tl.Name())
			if tl.First != firstBlock || tl.Len() != 50 || s.Streams[i].Committed != 50 {
				t.Errorf("%s: %d blocks from %d, %d committed", tl.Name(), tl.Len(), tl.First, s.Streams[i].Committed)
			}
			for k := range event.NumKinds {
				if got := tl.Observed(event.Kind(k)); got != 50 {
					t.Errorf("%s: %d values of %v", tl.Name(), got, event.Kind(k))
				}
			}
			for k := event.Sent; k <= event.Committed; k++ {
				for b := range tl.Len() {
					if tl.Value(k, b) < tl.Value(k-1, b) {
						t.Fatalf("%s: block %d is %v before it is %v", tl.Name(), tl.Block(b), k, k-1)
					}
				}
			}
			if n, _ := tl.Settings.Int(traces.SettingBuffer); n != 20 || tl.Settings[traces.SettingLedger] != "memory" {
				t.Errorf("%s: settings %v", tl.Name(), tl.Settings)
			}
			if _, ok, err := pipeline.ParseSettings(tl.Settings); !ok || err != nil {
				t.Errorf("%s: the settings hold no pipeline: %v", tl.Name(), err)
			}
		}
		if want := []string{"ch1@peer0", "ch1@peer1", "ch2@peer0", "ch2@peer1"}; !slices.Equal(names, want) {
			t.Errorf("streams %v, want %v", names, want)
		}
		at := func(i int) []int64 { return tr.Timelines[i].Column(event.Offered) }
		if !slices.Equal(at(0), at(1)) || !slices.Equal(at(2), at(3)) {
			t.Error("two peers of a channel see other offers")
		}
		if slices.Equal(at(0), at(2)) {
			t.Error("two channels have the same offers")
		}
	})
}

// In simulated time, with a ledger that takes none of it, a seed gives a run.
func TestSeedGivesTheRun(t *testing.T) {
	run := func() (tr *traces.Trace) {
		synctest.Test(t, func(t *testing.T) { tr, _ = record(t, t.Context(), small()) })
		return tr
	}
	a, b := run(), run()
	for i := range a.Timelines {
		for k := range event.NumKinds {
			if !slices.Equal(a.Timelines[i].Column(event.Kind(k)), b.Timelines[i].Column(event.Kind(k))) {
				t.Errorf("stream %d: other values of %v", i, event.Kind(k))
			}
		}
	}
}

func TestInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := small()
		c.Blocks = 0 // for ever
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		tr, s := record(t, ctx, c)
		if !s.Interrupted {
			t.Error("the summary does not say that the run was interrupted")
		}
		for i, tl := range tr.Timelines {
			if got := tl.Observed(event.Committed); got < 100 || got != s.Streams[i].Committed {
				t.Errorf("%s: %d commits in the trace, %d in the summary", tl.Name(), got, s.Streams[i].Committed)
			}
		}
		told := slices.ContainsFunc(tr.Notes, func(n traces.Note) bool {
			return n.Kind == traces.NoteWarning && strings.Contains(n.Text, "interrupted")
		})
		if !told || tr.Loss != nil {
			t.Errorf("notes %v, loss %v", tr.Notes, tr.Loss)
		}
	})
}

// depth counts what is admitted and not committed.
type depth struct {
	mu           sync.Mutex
	now, largest int
	heap         uint64
}

func (d *depth) Observe(e event.Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch e.Kind {
	case event.Enqueued:
		d.now++
		d.largest = max(d.largest, d.now)
	case event.Committed:
		d.now--
		if e.Block%20_000 == 0 {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			d.heap = max(d.heap, m.HeapInuse)
		}
	}
}

// An orderer that is 100,000 blocks of 100 kB ahead: the peer holds 2N + 2 of them,
// and neither side their contents.
func TestFarAheadInLittleMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("commits 100,000 blocks")
	}
	synctest.Test(t, func(t *testing.T) {
		c := small()
		c.Channels, c.Peers, c.Transactions, c.Writes, c.Bytes = 1, 1, 1, 1, 10_000
		c.Load = Load{Profile: Burst, BurstBlocks: 100_000, Rate: 1000, Blocks: 100_000}
		n, err := Open(c)
		if err != nil {
			t.Fatal(err)
		}
		defer n.Close()
		if got := n.Expected(); got != 100_000 {
			t.Errorf("%d blocks expected", got)
		}
		var d depth
		if _, err := n.Run(t.Context(), &d); err != nil {
			t.Fatal(err)
		}
		if n.Committed() != 100_000 {
			t.Errorf("%d blocks committed", n.Committed())
		}
		if most := 2*20 + 2; d.largest > most {
			t.Errorf("%d blocks admitted and not committed, want at most %d", d.largest, most)
		}
		if d.heap > 200<<20 {
			t.Errorf("%d MB in use for blocks of 1,000 MB", d.heap>>20)
		}
	})
}

func TestBadgerLedgersAreWhole(t *testing.T) {
	c := small()
	c.Ledger, c.Dir = "badger", t.TempDir()
	c.Load = Load{Rate: MaxRate, Blocks: 30}
	tr, _ := record(t, t.Context(), c)
	for _, tl := range tr.Timelines {
		if got := tl.Observed(event.Committed); got != 30 {
			t.Errorf("%s: %d blocks committed", tl.Name(), got)
		}
		l, err := ledger.Open("badger", ledger.Config{Dir: filepath.Join(c.Dir, tl.Peer, tl.Channel), Channel: tl.Channel})
		if err != nil {
			t.Fatal(err)
		}
		if l.Height() != 31 {
			t.Errorf("%s: height %d", tl.Name(), l.Height())
		}
		if err := errors.Join(l.Check(t.Context()), l.Close()); err != nil {
			t.Errorf("%s: %v", tl.Name(), err)
		}
	}
	if n, err := Open(c); err == nil || !strings.Contains(err.Error(), "another directory") {
		t.Errorf("ledgers that hold blocks were taken for a new run: %v", errors.Join(err, closed(n)))
	}
}

func closed(n *Network) error {
	if n == nil {
		return nil
	}
	return n.Close()
}

func TestTemporaryLedgersGo(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	c := small()
	c.Ledger = "badger"
	n, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestOpenRefuses(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"channels":        func(c *Config) { c.Channels = 0 },
		"streams":         func(c *Config) { c.Channels, c.Peers = 17, 17 },
		"transactions":    func(c *Config) { c.Transactions = -1 },
		"writes":          func(c *Config) { c.Writes = -1 },
		"bytes":           func(c *Config) { c.Bytes = 1 << 40 },
		"known are":       func(c *Config) { c.Ledger = "granite" },
		"not opened":      func(c *Config) { c.Ledger = "recorded" },
		"buffer size":     func(c *Config) { c.Pipeline.Policy.N = 0 },
		"non-blocking":    func(c *Config) { c.Pipeline.Policy.NonBlocking = true },
		"rate of 0":       func(c *Config) { c.Rate = 0 },
		`ledger "badger"`: func(c *Config) { c.Ledger, c.Dir = "badger", os.DevNull },
	} {
		c := small()
		change(&c)
		if n, err := Open(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", errors.Join(err, closed(n)), want)
		}
	}
}

// In simulated time the memory ledger takes none: the intake is what limits a peer.
func TestCapacity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := small()
		c.Channels, c.Peers = 1, 1
		got, err := Capacity(t.Context(), c, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if want := 1 / c.Pipeline.Intake.Fixed.Seconds(); got > want || got < want/2 {
			t.Errorf("%v blocks/s, want less than the intake's %v", got, want)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := Capacity(ended, c, time.Second); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want that of the context", err)
		}
	})
}
