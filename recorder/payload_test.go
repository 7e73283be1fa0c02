package recorder

import (
	"bytes"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// slow is a file that lets each Write wait for a go-ahead.
type slow struct {
	bytes.Buffer
	goOn chan struct{}
}

func (s *slow) Write(p []byte) (int, error) {
	<-s.goOn
	return s.Buffer.Write(p)
}

func payload(n event.BlockNum, size int) traces.Payload {
	return traces.Payload{Channel: "ch1", Block: n, Bytes: fmt.Appendf(make([]byte, 0, size), "%*d", size, n)}
}

// stored counts the payloads of a whole trace.
func stored(t *testing.T, file []byte) int {
	t.Helper()
	report, err := traces.Verify(bytes.NewReader(file))
	if err != nil || report.Loss != nil {
		t.Fatalf("%+v, %v", report, err)
	}
	return report.Payloads
}

// TestPayloadsFirst: a disk that stands still costs payloads, and no events.
func TestPayloadsFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := &slow{goOn: make(chan struct{}, 1)}
		file.goOn <- struct{}{} // the header
		r, err := New(file, header("ch1"), Config{QueuePayloadBytes: 4000, Writer: traces.WriterConfig{PayloadChunkBytes: 1000}})
		if err != nil {
			t.Fatal(err)
		}
		for n := range event.BlockNum(10) {
			r.Observe(committed(0, n))
			r.Payload(payload(n, 1000))
			synctest.Wait()
		}
		// Two have gone to the writer: the second has made it write the first.
		if lost := r.DroppedPayloads(); lost != 5 || r.PayloadBytes() != 4000 {
			t.Errorf("%d payloads dropped, %d bytes wait", lost, r.PayloadBytes())
		}
		close(file.goOn)
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		tr := read(t, file.Bytes())
		if n := tr.Timelines[0].Observed(event.Committed); n != 10 || r.Dropped(0) != 0 {
			t.Errorf("%d of 10 events", n)
		}
		if n := stored(t, file.Bytes()); n != 5 {
			t.Errorf("%d payloads, want 5", n)
		}
		want := traces.Note{Stream: -1, Kind: traces.NoteWarning, Text: "payloads of 5 blocks came faster than they could be written and were dropped; their times are whole"}
		if len(tr.Notes) != 1 || tr.Notes[0] != want {
			t.Errorf("notes %+v", tr.Notes)
		}
	})
}

// TestPayloadWait: who waits loses nothing, even a payload that is larger than the queue.
func TestPayloadWait(t *testing.T) {
	var file bytes.Buffer
	r, err := New(&file, header("ch1"), Config{QueuePayloadBytes: 2500})
	if err != nil {
		t.Fatal(err)
	}
	r.Payload(payload(100, 3000))
	for n := range event.BlockNum(50) {
		r.PayloadWait(payload(n, 1000+100*int(n)))
	}
	if err := r.Close(); err != nil || r.DroppedPayloads() != 1 || r.PayloadBytes() != 0 {
		t.Errorf("%v, %d dropped, %d bytes wait", err, r.DroppedPayloads(), r.PayloadBytes())
	}
	if n := stored(t, file.Bytes()); n != 50 {
		t.Errorf("%d payloads, want 50", n)
	}
}

// TestPayloadRefused: a payload that cannot be written is counted.
func TestPayloadRefused(t *testing.T) {
	var file bytes.Buffer
	r, err := New(&file, header("ch1"), Config{})
	if err != nil {
		t.Fatal(err)
	}
	r.Payload(traces.Payload{Channel: "ch2", Bytes: []byte("block")})
	err = r.Close()
	if err == nil || r.DroppedPayloads() != 1 {
		t.Errorf("%v, %d dropped", err, r.DroppedPayloads())
	}
}
