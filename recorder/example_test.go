package recorder_test

import (
	"bytes"
	"fmt"
	"log"
	"time"

	"github.com/blockreel/blockreel/recorder"
	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// A pipeline tells a recorder what happens, and the recorder writes a trace.
func Example() {
	header := traces.Header{
		Base: time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC), Tool: "example", Source: "pipeline",
		Streams: []traces.Stream{{Channel: "ch1", Peer: "peer0"}},
	}
	var file bytes.Buffer
	r, err := recorder.New(&file, header, recorder.Config{})
	if err != nil {
		log.Fatal(err)
	}
	for block := range event.BlockNum(3) {
		at := time.Duration(block) * time.Second
		r.Observe(event.Event{Kind: event.Offered, Block: block, Value: int64(at)})
		r.Observe(event.Event{Kind: event.Committed, Block: block, Value: int64(at + 50*time.Millisecond)})
		r.Payload(traces.Payload{Channel: "ch1", Block: block, Bytes: fmt.Appendf(nil, "block %d", block)})
	}
	if err := r.Close(); err != nil {
		log.Fatal(err)
	}

	tr, err := traces.Read(&file)
	if err != nil {
		log.Fatal(err)
	}
	ch1 := tr.Timelines[0]
	for i := range ch1.Len() {
		took := ch1.Value(event.Committed, i) - ch1.Value(event.Offered, i)
		fmt.Println("block", ch1.Block(i), "took", time.Duration(took))
	}
	// Output:
	// block 0 took 50ms
	// block 1 took 50ms
	// block 2 took 50ms
}
