package ledger

import (
	"strings"
	"testing"
	"time"

	"github.com/blockreel/blockreel/internal/fabric/blocktest"
	"github.com/blockreel/blockreel/replay/ledger/blockfiles"
)

// BenchmarkBackends commits the blocks of a real run to all backends, each block to one after
// the other and every time to another one first, so that whatever else the machine does
// befalls all of them. It reports, per backend, blocks/s and MB/s of validation and commit
// together, the commit alone, how many times as fast as leveldb both are; and what the disk takes to append such a block to a file
// and sync it, which no backend that is durable can do without. The state of couchdb is on a
// server of the test's own, in memory: its figures are those of the client and of HTTP.
func BenchmarkBackends(b *testing.B) {
	blocks := realBlocks(b, blocktest.Run(b, "fabric-2.5-burst-n20-info"))
	blocks = blocks[:min(len(blocks), 1000)]
	var bytes int64
	for i := range blocks {
		bytes += int64(blocks[i].Bytes)
	}
	var names, specs []string
	for _, s := range subjects {
		switch {
		case strings.Contains(s.spec, ":"): // another one of the same
		case s.server != nil:
			names, specs = append(names, s.spec), append(specs, s.server(b))
		default:
			names, specs = append(names, s.spec), append(specs, s.spec)
		}
	}
	validation := make(map[string]time.Duration)
	commits := make(map[string]time.Duration)
	var floor time.Duration
	for b.Loop() {
		ledgers := make([]*Ledger, len(specs))
		for i, spec := range specs {
			ledgers[i] = open(b, spec, Config{Dir: b.TempDir(), Channel: "ch1"})
		}
		files, _, err := blockfiles.Open(blockfiles.Config{Dir: b.TempDir()}, blockfiles.Location{}, nil)
		if err != nil {
			b.Fatal(err)
		}
		for n := range blocks {
			for turn := range ledgers {
				i := (n + turn) % len(ledgers)
				start := time.Now()
				if err := ledgers[i].Validate(b.Context(), &blocks[n]); err != nil {
					b.Fatal(err)
				}
				middle := time.Now()
				if _, err := ledgers[i].Commit(b.Context(), &blocks[n]); err != nil {
					b.Fatal(err)
				}
				validation[names[i]] += middle.Sub(start)
				commits[names[i]] += time.Since(middle)
			}
			start := time.Now()
			if _, err := files.Append(uint64(n), blocks[n].Payload, nil); err != nil {
				b.Fatal(err)
			}
			floor += time.Since(start)
		}
		for _, l := range ledgers {
			l.Close()
		}
		files.Close()
	}
	n := float64(len(blocks) * b.N)
	both := func(name string) float64 { return (validation[name] + commits[name]).Seconds() }
	for _, name := range names {
		b.ReportMetric(n/both(name), name+"-blocks/s")
		b.ReportMetric(float64(bytes)*float64(b.N)/1e6/both(name), name+"-MB/s")
		b.ReportMetric(commits[name].Seconds()*1e6/n, name+"-commit-µs")
		b.ReportMetric(both("leveldb")/both(name), name+"-×-leveldb")
		b.ReportMetric(float64(commits["leveldb"])/float64(commits[name]), name+"-commit-×-leveldb")
	}
	b.ReportMetric(floor.Seconds()*1e6/n, "append+fsync-µs")
	b.ReportMetric(0, "ns/op")
}
