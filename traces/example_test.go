package traces_test

import (
	"bytes"
	"fmt"
	"log"
	"time"

	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// A recorder writes what it sees as it comes; what it has flushed is readable even
// when it never gets to close the trace.
func Example() {
	var file bytes.Buffer
	w, err := traces.NewWriter(&file, traces.Header{
		Tool:    "example",
		Streams: []traces.Stream{{Channel: "ch1", Peer: "peer0"}},
	}, traces.WriterConfig{})
	if err != nil {
		log.Fatal(err)
	}
	for n := range event.BlockNum(3) {
		offered := int64(n) * int64(5*time.Millisecond)
		for _, e := range []event.Event{
			{Kind: event.Offered, Block: n, Value: offered},
			{Kind: event.Committed, Block: n, Value: offered + int64(7*time.Millisecond)},
		} {
			if err := w.Append(e); err != nil {
				log.Fatal(err)
			}
		}
	}
	if err := w.Flush(); err != nil {
		log.Fatal(err)
	}

	t, err := traces.Read(&file)
	if err != nil {
		log.Fatal(err)
	}
	for i := range t.Timelines[0].Len() {
		tl := t.Timelines[0]
		fmt.Println(tl.Name(), tl.Block(i), tl.Value(event.Committed, i)-tl.Value(event.Offered, i))
	}
	fmt.Println(t.Loss.Cause)
	// Output:
	// ch1@peer0 0 7000000
	// ch1@peer0 1 7000000
	// ch1@peer0 2 7000000
	// the trace ends before its index: its recording was cut short, or the copy is not complete
}

// The columns of a timeline are packed. Windows unpacks those of some kinds side by side, a few blocks
// at a time; a ColumnBuilder packs what is computed.
func ExampleTimeline_Windows() {
	tl := traces.NewTimeline(traces.Stream{Channel: "ch1"}, 7, 10_000)
	var offered, committed traces.ColumnBuilder
	for i := range tl.Len() {
		at := int64(i) * int64(time.Millisecond)
		offered.Set(tl.Block(i), at)
		committed.Set(tl.Block(i), at+int64(i%5)*int64(time.Millisecond))
	}
	tl.Build(event.Offered, &offered)
	tl.Build(event.Committed, &committed)

	var total time.Duration
	for _, w := range tl.Windows(event.Offered, event.Committed) {
		for i, done := range w[1] {
			total += time.Duration(done - w[0][i])
		}
	}
	fmt.Println(tl.Observed(event.Committed), "blocks, on average", total/time.Duration(tl.Len()))
	// Output:
	// 10000 blocks, on average 2ms
}
