package analysis_test

import (
	"fmt"
	"log"
	"time"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// A peer commits a block in 8 ms while the orderer offers one every 5 ms. The figures say how far it
// fell behind; the curve of the gap is walked step by step.
func Example() {
	stream := traces.Stream{Channel: "ch1", Orderer: "orderer", Peer: "peer0"}
	const blocks = 200
	offered, popped, committed := make([]int64, blocks), make([]int64, blocks), make([]int64, blocks)
	for i := range blocks {
		offered[i] = int64(i) * int64(5*time.Millisecond)
		popped[i] = offered[i]
		if i > 0 {
			popped[i] = max(offered[i], committed[i-1])
		}
		committed[i] = popped[i] + int64(8*time.Millisecond)
	}
	tl := traces.NewTimeline(stream, 1, blocks)
	tl.SetColumn(event.Offered, offered)
	tl.SetColumn(event.Dequeued, popped)
	tl.SetColumn(event.Committed, committed)
	run := &traces.Trace{Header: traces.Header{Streams: []traces.Stream{stream}}, Timelines: []*traces.Timeline{tl}}

	for _, s := range analysis.Stats(run).Streams {
		makespan, _ := s.Makespan.Get()
		fmt.Println(s.Name(), time.Duration(makespan), "at most", s.Gap.Max, "blocks behind, limited by the", s.Bottleneck)
		fmt.Println("99 % of the blocks within", time.Duration(s.Latency.P99))
	}
	gap, err := analysis.Gap(tl)
	if err != nil {
		log.Fatal(err)
	}
	for at, behind := range gap {
		if behind == 10 {
			fmt.Println("10 blocks behind after", time.Duration(at))
			break
		}
	}
	// Output:
	// ch1@peer0 1.6s at most 76 blocks behind, limited by the committer
	// 99 % of the blocks within 599ms
	// 10 blocks behind after 110ms
}
