package ledger

import (
	"context"
	"testing"
	"time"

	"github.com/blockreel/blockreel/internal/fabric/blocktest"
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

// tee writes each batch into the ledger's own store and into a second one of the same kind,
// which nobody reads: the bare engine doing the same writes. The one that goes first changes
// from block to block.
type tee struct {
	store
	bare      store
	own, only time.Duration
	writes    int
}

func (t *tee) write(ctx context.Context, b *batch) error {
	both := []func() error{
		func() error { return timed(&t.own, func() error { return t.store.write(ctx, b) }) },
		func() error { return timed(&t.only, func() error { return t.bare.write(ctx, b) }) },
	}
	t.writes++
	if err := both[t.writes%2](); err != nil {
		return err
	}
	return both[1-t.writes%2]()
}

func timed(into *time.Duration, do func() error) error {
	start := time.Now()
	err := do()
	*into += time.Since(start)
	return err
}

// BenchmarkOverhead commits the blocks of a real run. It reports what a commit takes more than
// the bare engine with the same writes, and what of a commit is spent outside the
// engine's write (reads for MVCC and preparing entries).
func BenchmarkOverhead(b *testing.B) {
	blocks := realBlocks(b, blocktest.Run(b, "fabric-2.5-burst-n20-info"))
	for _, s := range subjects {
		if s.server != nil {
			continue
		}
		b.Run(s.spec, func(b *testing.B) {
			k, err := parse(s.spec)
			if err != nil {
				b.Fatal(err)
			}
			var commits, validations, own, only time.Duration
			committed := 0
			for b.Loop() {
				l := open(b, s.spec, Config{Dir: b.TempDir(), Channel: "ch1"})
				bare, err := k.backend.open(b.Context(), Config{Dir: b.TempDir(), Channel: "ch1"}, k.options)
				if err != nil {
					b.Fatal(err)
				}
				both := &tee{store: l.store, bare: bare}
				l.store = both
				for i := range blocks[:min(len(blocks), 600)] {
					start := time.Now()
					if err := l.Validate(b.Context(), &blocks[i]); err != nil {
						b.Fatal(err)
					}
					middle := time.Now()
					if _, err := l.Commit(b.Context(), &blocks[i]); err != nil {
						b.Fatal(err)
					}
					commits += time.Since(middle)
					validations += middle.Sub(start)
					committed++
				}
				own, only, commits = own+both.own, only+both.only, commits-both.only
				l.Close()
				bare.close()
			}
			per := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / float64(committed) }
			b.ReportMetric(per(commits), "ns/commit")
			b.ReportMetric(per(validations), "ns/validation")
			b.ReportMetric(per(only), "ns/bare-write")
			b.ReportMetric(100*(float64(commits)/float64(only)-1), "%over-bare")
			b.ReportMetric(100*float64(commits-own)/float64(own), "%outside-write")
			b.ReportMetric(1e9/per(commits+validations), "blocks/s")
			b.ReportMetric(0, "ns/op")
		})
	}
}
