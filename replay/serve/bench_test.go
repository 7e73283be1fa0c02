package serve

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/blockreel/blockreel/internal/fabric/deliver"
	"github.com/blockreel/blockreel/internal/fabric/fabrictest"
	"github.com/blockreel/blockreel/traces/event"
)

// BenchmarkServe reads minted blocks over TLS as fast as they come, with and without a
// recording.
func BenchmarkServe(b *testing.B) {
	org := fabrictest.NewOrg(b)
	for _, size := range []int{3_000, 33_000} {
		r := run{channel: "ch1", blocks: org.Chain(b, "ch1", 2000, size)}
		r.offered = make([]event.Time, len(r.blocks))
		bytes := 0
		for _, raw := range r.blocks {
			bytes += len(raw)
		}
		for _, recorded := range []bool{false, true} {
			b.Run(fmt.Sprintf("bytes=%d/recorded=%v", size, recorded), func(b *testing.B) {
				cfg := Config{Unpaced: true}
				if recorded {
					cfg.Record = &Recording{Path: filepath.Join(b.TempDir(), "out.reel")}
				}
				n := start(b, true, cfg, r)
				b.SetBytes(int64(bytes))
				for b.Loop() {
					stream := n.open(b, deliver.Seek{Channel: "ch1"})
					if err := read(stream, r.blocks); err != nil {
						b.Fatal(err)
					}
					stream.Close()
					if recorded { // of blocks that are sent again nothing is recorded
						st := n.recording.streams[0]
						st.mu.Lock()
						st.next = 0
						st.mu.Unlock()
					}
				}
				for _, st := range n.Recorded() {
					b.ReportMetric(float64(st.Dropped)/float64(b.N*len(r.blocks)), "dropped/block")
				}
				b.ReportMetric(float64(b.N*len(r.blocks))/b.Elapsed().Seconds(), "blocks/s")
			})
		}
	}
}

// BenchmarkLateness tells how long after its moment a block has been sent, at 500 blocks a
// second.
func BenchmarkLateness(b *testing.B) {
	org := fabrictest.NewOrg(b)
	r := run{channel: "ch1", blocks: org.Chain(b, "ch1", 500, 33_000)}
	for i := range r.blocks {
		r.offered = append(r.offered, event.Time(i)*event.Time(2*time.Millisecond))
	}
	var late []int64
	for b.Loop() {
		n := &node{org: org, Server: newServer(b, Config{Hold: true, Record: &Recording{Path: filepath.Join(b.TempDir(), "out.reel")}}, r)}
		stop := n.serve(b)
		if err := read(n.open(b, deliver.Seek{Channel: "ch1"}), r.blocks); err != nil {
			b.Fatal(err)
		}
		stop()
		tr, err := n.recording.trace()
		if err != nil {
			b.Fatal(err)
		}
		for i := range r.blocks {
			late = append(late, tr.Timelines[0].Value(event.Sent, i)-tr.Timelines[0].Value(event.Offered, i))
		}
	}
	slices.Sort(late)
	b.ReportMetric(float64(late[len(late)/2]), "p50-late-ns")
	b.ReportMetric(float64(late[len(late)*99/100]), "p99-late-ns")
}
