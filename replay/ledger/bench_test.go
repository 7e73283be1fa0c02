package ledger

import (
	"testing"

	"github.com/blockreel/blockreel/replay/block"
)

// BenchmarkCommit commits made-up blocks.
func BenchmarkCommit(b *testing.B) {
	for _, s := range subjects {
		if s.server != nil {
			continue
		}
		b.Run(s.spec, func(b *testing.B) {
			l := open(b, s.spec, Config{Dir: b.TempDir(), Channel: "ch1"})
			blk := block.Block{Transactions: 10, Writes: 20, Bytes: 33_000}
			b.SetBytes(int64(blk.Bytes))
			b.ReportAllocs()
			for b.Loop() {
				commit(b, l, &blk)
				blk.Number++
			}
			perBlock := float64(b.Elapsed().Nanoseconds()) / float64(b.N)
			b.ReportMetric(perBlock, "ns/block")
			b.ReportMetric(perBlock/float64(blk.Transactions), "ns/tx")
			b.ReportMetric(1e9/perBlock, "blocks/s")
			b.ReportMetric(0, "ns/op")
		})
	}
}
