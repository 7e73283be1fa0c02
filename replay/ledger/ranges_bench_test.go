package ledger

import (
	"fmt"
	"testing"

	kvrwsetpb "github.com/blockreel/blockreel/internal/fabric/proto/kvrwset"
)

// BenchmarkRangeQueries judges a block that writes many keys and then asks for as many ranges
// of one key: a query costs no more for what else the block has written.
func BenchmarkRangeQueries(b *testing.B) {
	for _, n := range []int{100, 1000, 10_000} {
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			l := open(b, Memory, Config{Channel: "ch1"})
			c := &chain{t: b}
			commit(b, l, c.genesis())
			name := func(i int) string { return fmt.Sprintf("key-%08d", i*7919%n) }
			writes, asks := &kvrwsetpb.KVRWSet{}, &kvrwsetpb.KVRWSet{}
			for i := range n {
				writes.Writes = append(writes.Writes, puts(name(i), "1"))
				asks.RangeQueriesInfo = append(asks.RangeQueriesInfo, query(name(i), name(i)+"\x00", true, reads(name(i), 1, 0)).set.RangeQueriesInfo...)
			}
			block := c.block(tx{set: writes}, tx{set: asks})
			if err := l.Validate(b.Context(), block); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if err := l.applyState(b.Context(), &l.next); err != nil {
					b.Fatal(err)
				}
			}
			if code := l.next.transactions[1].Code; code != valid {
				b.Errorf("the queries are judged %v", code)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/query")
			b.ReportMetric(0, "ns/op")
		})
	}
}
