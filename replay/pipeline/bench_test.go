package pipeline

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

// overloaded is a run like the burst of fabric-2.5-burst-n20-info: blocks of 33 kB
// offered at 280 a second, committed at about 175 a second, so that the door is
// often shut and, with a small buffer, the committer often idle.
func overloaded(n int) Blocks {
	r := rand.New(rand.NewPCG(1, 2))
	b := Blocks{
		Offered:  make([]int64, n),
		Bytes:    make([]int64, n),
		Validate: make([]int64, n),
		Commit:   make([]int64, n),
	}
	var t time.Duration
	for i := range n {
		b.Offered[i] = int64(t)
		t += time.Duration(r.ExpFloat64() * float64(3600*time.Microsecond))
		b.Bytes[i] = 33_000 + r.Int64N(500)
		b.Validate[i] = int64(2*time.Millisecond) + r.Int64N(int64(time.Millisecond))
		b.Commit[i] = int64(2*time.Millisecond) + r.Int64N(int64(2*time.Millisecond))
	}
	return b
}

func fabric2x() Config {
	cfg, _ := Preset(Fabric2x)
	return cfg
}

func perBlock(b *testing.B, blocks int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(blocks), "ns/block")
}

// BenchmarkMachine drives the machine as pump does, over a link with gRPC's window as
// it was measured (0.5 MB) and over one without limit, where all that the peer has not
// received is in flight.
func BenchmarkMachine(b *testing.B) {
	blocks := overloaded(100_000)
	out := NewColumns(blocks.Len())
	for _, link := range []struct {
		name   string
		window int64
	}{{"window", 512 << 10}, {"nolimit", 0}} {
		b.Run(link.name, func(b *testing.B) {
			cfg := fabric2x()
			cfg.Link.Window = link.window
			b.ReportAllocs()
			for b.Loop() {
				pump(b, cfg, blocks, out)
			}
			perBlock(b, blocks.Len())
		})
	}
}

func BenchmarkRecurrence(b *testing.B) {
	blocks := overloaded(100_000)
	b.Run("full", func(b *testing.B) {
		out := NewColumns(blocks.Len())
		b.ReportAllocs()
		for b.Loop() {
			if err := Solve(fabric2x(), blocks, out); err != nil {
				b.Fatal(err)
			}
		}
		perBlock(b, blocks.Len())
	})
	for _, ns := range [][]int{{20, 21}, {2, 3}, {400, 401}} {
		b.Run(fmt.Sprintf("sweep/N=%d", ns[0]), func(b *testing.B) {
			s, err := NewSweep(fabric2x(), blocks)
			if err != nil {
				b.Fatal(err)
			}
			var (
				scratch Scratch
				out     = make([]Point, len(ns))
			)
			b.ReportAllocs()
			for b.Loop() {
				if err := s.Run(ns, out, &scratch); err != nil {
					b.Fatal(err)
				}
			}
			perBlock(b, blocks.Len()*len(ns))
		})
	}
}

// BenchmarkSweep1000 solves 1,000 buffer sizes for 100,000 blocks on all processors.
func BenchmarkSweep1000(b *testing.B) {
	blocks := overloaded(100_000)
	sizes := make([]int, 1000)
	for i := range sizes {
		sizes[i] = i + 1
	}
	out := make([]Point, len(sizes))
	const part = 50
	b.ReportAllocs()
	for b.Loop() {
		s, err := NewSweep(fabric2x(), blocks)
		if err != nil {
			b.Fatal(err)
		}
		var g errgroup.Group
		for w := range 2 {
			g.Go(func() error {
				var scratch Scratch
				for i := w * part; i < len(sizes); i += 2 * part {
					if err := s.Run(sizes[i:i+part], out[i:i+part], &scratch); err != nil {
						return err
					}
				}
				return nil
			})
		}
		if err := g.Wait(); err != nil {
			b.Fatal(err)
		}
	}
	perBlock(b, blocks.Len()*len(sizes))
}
