package pipeline

import (
	"math/rand/v2"
	"testing"
	"time"
)

// overloaded is a run like the burst of fabric-2.5-burst-n20-info: blocks of 33 kB
// offered at 280 a second, committed at about 175 a second, so that the door is
// often shut and, with a small buffer, the committer often idle.
func overloaded(n int) Blocks {
	r := rand.New(rand.NewPCG(1, 2))
	b := Blocks{
		Offered: make([]int64, n),
		Bytes:   make([]int64, n),
		Service: make([]int64, n),
	}
	var t time.Duration
	for i := range n {
		b.Offered[i] = int64(t)
		t += time.Duration(r.ExpFloat64() * float64(3600*time.Microsecond))
		b.Bytes[i] = 33_000 + r.Int64N(500)
		b.Service[i] = int64(4*time.Millisecond) + r.Int64N(int64(time.Millisecond)) + r.Int64N(int64(2*time.Millisecond))
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
	var out Columns
	for _, link := range []struct {
		name   string
		window int64
	}{{"window", 512 << 10}, {"nolimit", 0}} {
		b.Run(link.name, func(b *testing.B) {
			cfg := fabric2x()
			cfg.Link.Window = link.window
			b.ReportAllocs()
			for b.Loop() {
				pump(b, cfg, blocks, &out)
			}
			perBlock(b, blocks.Len())
		})
	}
}

// window is the number of blocks that the benchmarks take at once.
const window = 4096

func BenchmarkSolver(b *testing.B) {
	blocks := overloaded(100_000)
	var out Columns
	b.ReportAllocs()
	for b.Loop() {
		s, err := NewSolver(fabric2x())
		if err != nil {
			b.Fatal(err)
		}
		for from := 0; from < blocks.Len(); from += window {
			if err := s.Next(blocks.Part(from, min(from+window, blocks.Len())), &out); err != nil {
				b.Fatal(err)
			}
		}
	}
	perBlock(b, blocks.Len())
}

// BenchmarkSweep walks over 100,000 blocks with up to 1,000 buffer sizes on one processor.
func BenchmarkSweep(b *testing.B) {
	blocks := overloaded(100_000)
	for _, sizes := range []struct {
		name           string
		from, step, to int
	}{{"N=1..1000", 1, 1, 1000}, {"N=1..4", 1, 1, 4}, {"N=20..23", 20, 1, 23}, {"N=400..403", 400, 1, 403}, {"N=20", 20, 1, 20}} {
		b.Run(sizes.name, func(b *testing.B) {
			var ns []int
			for n := sizes.from; n <= sizes.to; n += sizes.step {
				ns = append(ns, n)
			}
			b.ReportAllocs()
			for b.Loop() {
				s, err := NewSweep(fabric2x(), ns)
				if err != nil {
					b.Fatal(err)
				}
				for from := 0; from < blocks.Len(); from += window {
					if err := s.Next(blocks.Part(from, min(from+window, blocks.Len())), func(int, []int64) {}); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(blocks.Len()*len(ns)), "ns/block/size")
		})
	}
}
