//go:build unix

package network

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/blockreel/blockreel/recorder"
	"github.com/blockreel/blockreel/replay/block"
	"github.com/blockreel/blockreel/replay/driver"
	"github.com/blockreel/blockreel/replay/ledger"
	"github.com/blockreel/blockreel/replay/pipeline"
	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// BenchmarkNetwork runs the embedded network as fast as its ledger goes, without a
// recorder, with one, and with one that keeps the blocks, in turns, and reports
//
//   - blocks/s and MB/s of the best run without a recorder, from the first offer to the
//     last commit; the blocks are made before;
//   - %times and %payloads: how much longer the run takes with a recorder, without and
//     with the blocks: the best runs compared. Two equal runs differ by ten per cent and
//     more on a busy machine;
//   - %times-cpu and %payloads-cpu: the same of the processors' time that the run takes
//     until its last commit, which other programs disturb less;
//   - %recorder: what the recorder takes for the events of a block, from Observe to the
//     file and as if all of it stood in the network's way, in per cent of the network's
//     time for a block. This figure is steady. Payloads have none: they take their time
//     on a processor of their own, if there is one.
func BenchmarkNetwork(b *testing.B) {
	for _, run := range []struct {
		spec   string
		blocks int // about a second of them
	}{{free, 4000}, {steadyLedger, 1000}, {ledger.Badger, 400}} {
		b.Run(run.spec, func(b *testing.B) {
			best := [modes]time.Duration{math.MaxInt64, math.MaxInt64, math.MaxInt64}
			leastCPU := best
			var size float64
			for i := 0; b.Loop(); i++ {
				for turn := range modes {
					var took, cpu time.Duration
					mode := (i + turn) % modes
					took, cpu, size = fullSpeed(b, run.spec, run.blocks, mode)
					best[mode], leastCPU[mode] = min(best[mode], took), min(leastCPU[mode], cpu)
				}
			}
			perBlock := float64(best[unrecorded].Nanoseconds()) / float64(run.blocks)
			perEvent, events := recorderCost(b)
			for mode, name := range []string{timesRecorded: "%times", payloadsRecorded: "%payloads"} {
				if name != "" {
					b.ReportMetric(100*(float64(best[mode])/float64(best[unrecorded])-1), name)
					b.ReportMetric(100*(float64(leastCPU[mode])/float64(leastCPU[unrecorded])-1), name+"-cpu")
				}
			}
			b.ReportMetric(100*perEvent*events/perBlock, "%recorder")
			b.ReportMetric(perEvent, "recorder-ns/event")
			b.ReportMetric(1e9/perBlock, "blocks/s")
			b.ReportMetric(size*1e3/perBlock, "MB/s")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// Modes of a run.
const (
	unrecorded = iota
	timesRecorded
	payloadsRecorded
	modes
)

// Ledgers of benchmarks. A free one takes no time. A steady one takes about as long as
// Badger for a block, and always the same: it only computes. So a recorder's share shows
// that a disk's noise hides.
const (
	free         = "free"
	steadyLedger = "steady"
)

type steady struct {
	gated
	sum [sha256.Size]byte
}

func (s *steady) work(rounds int) {
	for range rounds {
		s.sum = sha256.Sum256(s.sum[:])
	}
}

func (s *steady) Validate(context.Context, *block.Block) error {
	s.work(2000)
	return nil
}

func (s *steady) Commit(ctx context.Context, b *block.Block) (block.Stages, error) {
	s.work(6000)
	return s.gated.Commit(ctx, b)
}

// flatOut offers all blocks at once to a peer that keeps its committer busy.
func flatOut(spec string, blocks int) Config {
	c := Default()
	c.Ledger, c.Reused, c.AheadBytes = spec, true, 1<<30
	c.Load = Load{Rate: MaxRate, Blocks: blocks}
	c.Pipeline = pipeline.Config{Policy: c.Pipeline.Policy, Hand: c.Pipeline.Hand}
	c.Pipeline.Policy = pipeline.Policy{Name: pipeline.Ideal, N: c.Pipeline.Policy.N}
	switch spec {
	case free:
		c.Ledger = ledger.Memory
		return with(c, func(ledger.Config) store { return &gated{} })
	case steadyLedger:
		c.Ledger = ledger.Memory
		return with(c, func(ledger.Config) store { return &steady{} })
	}
	return c
}

// last keeps the instant of the last commit and the bytes of all blocks.
type last struct {
	to    driver.Observer
	at    event.Time
	bytes int64
}

func (l *last) Observe(e event.Event) {
	switch e.Kind {
	case event.Committed:
		l.at = event.Time(e.Value)
	case event.Bytes:
		l.bytes += e.Value
	}
	if l.to != nil {
		l.to.Observe(e)
	}
}

// fullSpeed returns how long a run takes until its last commit, the processors' time for
// it, and the size of a block.
func fullSpeed(b *testing.B, spec string, blocks, mode int) (took, cpu time.Duration, size float64) {
	b.Helper()
	n, err := Open(flatOut(spec, blocks))
	if err != nil {
		b.Fatal(err)
	}
	if err := n.Prepare(context.Background()); err != nil {
		b.Fatal(err)
	}
	runtime.GC() // what the run before has left is not this one's
	var watch last
	// Without one there is a recorder that gets nothing: its queue makes the heap as large
	// as in the other modes, and so the collector's work the same.
	r, end := startRecorder(b, n.Header("bench"))
	if mode >= timesRecorded {
		watch.to = r
	}
	kept, over := make(chan error, 1), func() {}
	if mode == payloadsRecorded {
		var ctx context.Context
		ctx, over = context.WithCancel(context.Background())
		go func() { kept <- n.Payloads(ctx, false, r.PayloadWait) }()
	} else {
		kept <- nil
	}
	began := processorTime(b)
	_, err = n.Run(context.Background(), &watch)
	cpu = processorTime(b) - began
	over()
	if err := errors.Join(err, <-kept, end(), n.Close()); err != nil {
		b.Fatal(err)
	}
	return watch.at.Duration(), cpu, float64(watch.bytes) / float64(blocks)
}

// processorTime is what this process has used.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func create(b *testing.B, name string) io.WriteCloser {
	b.Helper()
	file, err := os.Create(filepath.Join(b.TempDir(), name))
	if err != nil {
		b.Fatal(err)
	}
	return file
}

func startRecorder(b *testing.B, h traces.Header) (r *recorder.Recorder, end func() error) {
	b.Helper()
	file := create(b, "run.reel")
	r, err := recorder.New(file, h, recorder.Config{})
	if err != nil {
		b.Fatal(err)
	}
	return r, func() error { return errors.Join(r.Close(), file.Close()) }
}

// collector keeps events.
type collector struct {
	counter
	events []event.Event
}

func (c *collector) Observe(e event.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.events = append(c.events, e)
}

// recorderCost returns the time that a recorder takes for an event of a run, and the
// number of events of a block.
func recorderCost(b *testing.B) (nsPerEvent, eventsPerBlock float64) {
	b.Helper()
	const blocks = 5000
	c := flatOut(free, blocks)
	c.Transactions, c.Writes, c.Bytes = 1, 1, 0
	n := opened(b, c)
	var all collector
	if _, err := n.Run(context.Background(), &all); err != nil {
		b.Fatal(err)
	}
	best := time.Duration(math.MaxInt64)
	for range 5 {
		r, end := startRecorder(b, n.Header("bench"))
		began := time.Now()
		for _, e := range all.events {
			r.Observe(e)
		}
		if err := end(); err != nil {
			b.Fatal(err)
		}
		best = min(best, time.Since(began))
	}
	events := float64(len(all.events))
	return float64(best.Nanoseconds()) / events, events / blocks
}
