package network

import (
	"context"
	"crypto/sha256"
	"errors"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/blockreel/blockreel/recorder"
	"github.com/blockreel/blockreel/replay/block"
	"github.com/blockreel/blockreel/replay/driver"
	"github.com/blockreel/blockreel/replay/ledger"
	"github.com/blockreel/blockreel/replay/pipeline"
	"github.com/blockreel/blockreel/traces/event"
)

// BenchmarkOverhead runs the pipeline as fast as its ledger goes, with a recorder that
// writes to a file and without one, in turns, and reports
//
//   - %overhead: how much longer the pipeline takes for its blocks with the recorder:
//     the median over the pairs. Two equal runs differ by several per cent on a disk or
//     a busy machine: %quartile, how far the pairs' lower quartile is below that, tells
//     what it is worth. Opening and closing the trace, some milliseconds once, is not
//     the pipeline's time.
//   - %recorder: what the recorder takes for the events of a block, from Observe to
//     the file and as if all of it stood in the pipeline's way, in per cent of the
//     pipeline's time for a block. This figure is steady.
func BenchmarkOverhead(b *testing.B) {
	for _, run := range []struct {
		spec   string
		blocks int // about a second of them
	}{{steadyLedger, 1500}, {ledger.Memory, 20_000}, {ledger.Badger, 1500}, {ledger.BadgerNoSync, 5000}} {
		b.Run(run.spec, func(b *testing.B) {
			var ratios []float64
			best := time.Duration(math.MaxInt64)
			for i := 0; b.Loop(); i++ {
				var took [2]time.Duration
				for turn := range 2 {
					recorded := (i + turn) % 2
					took[recorded] = fullSpeed(b, run.spec, run.blocks, recorded == 1)
				}
				best = min(best, took[0])
				ratios = append(ratios, float64(took[1])/float64(took[0]))
			}
			slices.Sort(ratios)
			perBlock := float64(best.Nanoseconds()) / float64(run.blocks)
			perEvent, events := recorderCost(b)
			middle := ratios[len(ratios)/2]
			b.ReportMetric(100*(middle-1), "%overhead")
			b.ReportMetric(100*(middle-ratios[len(ratios)/4]), "%quartile")
			b.ReportMetric(100*perEvent*events/perBlock, "%recorder")
			b.ReportMetric(perEvent, "recorder-ns/event")
			b.ReportMetric(perBlock, "ns/block")
			b.ReportMetric(1e9/perBlock, "blocks/s")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// steadyLedger takes about as long as Badger for a block, and always the same: it
// only computes. So a recorder's share shows that a disk's noise hides.
const steadyLedger = "steady"

type steady struct{ sum [sha256.Size]byte }

func (s *steady) work(rounds int) {
	for range rounds {
		s.sum = sha256.Sum256(s.sum[:])
	}
}

func (s *steady) Validate(context.Context, *block.Block) error {
	s.work(2000)
	return nil
}

func (s *steady) Commit(context.Context, *block.Block) (block.Stages, error) {
	s.work(6000)
	return block.Stages{BlockStore: time.Millisecond}, nil
}

// collector keeps events.
type collector struct{ events []event.Event }

func (c *collector) Observe(e event.Event) { c.events = append(c.events, e) }

// recorderCost returns the time that a recorder takes for an event of a run, and the
// number of events of a block.
func recorderCost(b *testing.B) (nsPerEvent, eventsPerBlock float64) {
	b.Helper()
	const blocks = 5000
	c := flatOut(ledger.Memory, blocks)
	n, err := Open(c)
	if err != nil {
		b.Fatal(err)
	}
	defer n.Close()
	var all collector
	if _, err := n.Run(context.Background(), &all); err != nil {
		b.Fatal(err)
	}
	best := time.Duration(math.MaxInt64)
	for range 5 {
		r, end := startRecorder(b, n)
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

// flatOut offers all blocks at once to a pipeline that keeps its committer busy.
func flatOut(spec string, blocks int) Config {
	c := Default()
	c.Ledger = spec
	c.Load = Load{Rate: MaxRate, Blocks: blocks}
	c.Pipeline = pipeline.Config{Policy: c.Pipeline.Policy}
	c.Pipeline.Policy.Retry = 0
	return c
}

func startRecorder(b *testing.B, n *Network) (r *recorder.Recorder, end func() error) {
	b.Helper()
	file, err := os.Create(filepath.Join(b.TempDir(), "run.reel"))
	if err != nil {
		b.Fatal(err)
	}
	if r, err = recorder.New(file, n.Header("bench"), recorder.Config{}); err != nil {
		b.Fatal(err)
	}
	return r, func() error { return errors.Join(r.Close(), file.Close()) }
}

// fullSpeed returns how long a run takes.
func fullSpeed(b *testing.B, spec string, blocks int, recorded bool) time.Duration {
	b.Helper()
	opened := spec
	if spec == steadyLedger {
		opened = ledger.Memory
	}
	n, err := Open(flatOut(opened, blocks))
	if err != nil {
		b.Fatal(err)
	}
	var o driver.Observer
	end := func() error { return nil }
	if recorded {
		o, end = startRecorder(b, n)
	}
	runs, stop := n.runs(o)
	defer stop()
	if spec == steadyLedger {
		runs[0].Ledger = &steady{}
	}
	runtime.GC() // what the run before has left is not this one's
	began := time.Now()
	if _, err := (driver.Wall{}).Run(context.Background(), runs...); err != nil {
		b.Fatal(err)
	}
	took := time.Since(began)
	if err := end(); err != nil {
		b.Fatal(err)
	}
	if err := n.Close(); err != nil {
		b.Fatal(err)
	}
	return took
}
