package recorder

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

func TestMain(m *testing.M) {
	recordUntilKilled() // returns unless this is the child of TestKill
	goleak.VerifyTestMain(m)
}

func header(streams ...string) traces.Header {
	h := traces.Header{Tool: "test", Source: "run"}
	for _, s := range streams {
		h.Streams = append(h.Streams, traces.Stream{Channel: s, Peer: "peer0"})
	}
	return h
}

func committed(stream int, n event.BlockNum) event.Event {
	return event.Event{Stream: stream, Kind: event.Committed, Block: n, Value: int64(n) * 1000}
}

func read(t *testing.T, file []byte) *traces.Trace {
	t.Helper()
	tr, err := traces.Read(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// drops adds up the notes of kind dropped of one stream.
func drops(t *testing.T, tr *traces.Trace, stream int) (sum, warnings int) {
	t.Helper()
	for _, n := range tr.Notes {
		switch {
		case n.Stream != stream:
		case n.Kind == traces.NoteWarning:
			warnings++
		case n.Kind == traces.NoteDropped:
			k, err := strconv.Atoi(n.Text)
			if err != nil {
				t.Errorf("dropped %q", n.Text)
			}
			sum += k
		}
	}
	return sum, warnings
}

func TestConcurrentStreams(t *testing.T) {
	const producers, blocks = 4, 5000
	var file bytes.Buffer
	r, err := New(&file, header("a", "b"), Config{})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for p := range producers {
		wg.Go(func() {
			for n := range event.BlockNum(blocks) {
				e := committed(p%2, n)
				e.Kind = event.Kind(p / 2) // two producers a stream
				r.Observe(e)
			}
		})
	}
	wg.Wait()
	r.Note(traces.Note{Stream: -1, Kind: traces.NoteFact, Text: "a fact"})
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
	tr := read(t, file.Bytes())
	if got := tr.Events(); got != producers*blocks || tr.Loss != nil {
		t.Errorf("%d events with loss %v, want %d", got, tr.Loss, producers*blocks)
	}
	if got := tr.Timelines[1].Value(event.Sent, 4321); got != 4321_000 {
		t.Errorf("value %d", got)
	}
	if len(tr.Notes) != 1 || tr.Notes[0].Text != "a fact" {
		t.Errorf("notes %v", tr.Notes)
	}
}

func TestFlushesOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var file bytes.Buffer
		r, err := New(&file, header("ch1"), Config{})
		if err != nil {
			t.Fatal(err)
		}
		for n := range event.BlockNum(5) {
			r.Observe(committed(0, n))
			<-time.After(time.Second)
			synctest.Wait()
			// What a reader finds if the machine stops now.
			tr := read(t, file.Bytes())
			if tr.Loss == nil {
				t.Error("a trace without an end is taken for a whole one")
			}
			if got := tr.Events(); got != int(n)+1 {
				t.Errorf("%d s in, %d events are in the file, want %d", n+1, got, n+1)
			}
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if tr := read(t, file.Bytes()); tr.Loss != nil || tr.Events() != 5 {
			t.Errorf("closed trace has %d events and loss %v", tr.Events(), tr.Loss)
		}
	})
}

// stuckWriter stands still in its second Write until it is released.
type stuckWriter struct {
	bytes.Buffer
	writes  int
	release chan struct{}
}

func (w *stuckWriter) Write(b []byte) (int, error) {
	if w.writes++; w.writes == 2 {
		<-w.release
	}
	return w.Buffer.Write(b)
}

func TestSlowWriterDrops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const queue, blocks = 100, 1000
		file := stuckWriter{release: make(chan struct{})} // the first Write is the header's
		r, err := New(&file, header("a", "b"), Config{QueueEvents: queue})
		if err != nil {
			t.Fatal(err)
		}
		r.Observe(committed(0, 0))
		r.Observe(committed(1, 0))
		<-time.After(1500 * time.Millisecond) // the goroutine stands in its first flush
		for n := event.BlockNum(1); n <= blocks; n++ {
			r.Observe(committed(0, n))
		}
		r.Observe(committed(1, 1))
		if got := r.Dropped(0); got != blocks-queue {
			t.Errorf("%d events dropped, want %d", got, blocks-queue)
		}
		close(file.release)
		<-time.After(1500 * time.Millisecond) // drained, and the drops noted
		for n := event.BlockNum(blocks + 1); n <= blocks+queue+7; n++ {
			r.Observe(committed(0, n))
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		tr := read(t, file.Bytes())
		sum, warnings := drops(t, tr, 0)
		if got := tr.Timelines[0].Observed(event.Committed); got+sum != blocks+queue+8 {
			t.Errorf("stream 0: %d events and %d drops, want %d together", got, sum, blocks+queue+8)
		}
		if sum < blocks-queue || warnings != 1 {
			t.Errorf("stream 0: notes tell of %d drops with %d warnings", sum, warnings)
		}
		if sum, warnings := drops(t, tr, 1); sum != 0 || warnings != 0 || tr.Timelines[1].Len() != 2 {
			t.Errorf("stream 1: %d drops, %d warnings, %d blocks", sum, warnings, tr.Timelines[1].Len())
		}
	})
}

// fullDisk takes so many bytes and no more.
type fullDisk struct {
	bytes.Buffer
	room int
}

var errFull = errors.New("no space left on device")

func (w *fullDisk) Write(b []byte) (int, error) {
	n := min(len(b), w.room)
	w.room -= n
	w.Buffer.Write(b[:n])
	if n < len(b) {
		return n, errFull
	}
	return n, nil
}

func TestFailingDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := &fullDisk{room: 1000}
		r, err := New(disk, header("ch1"), Config{QueueEvents: 100})
		if err != nil {
			t.Fatal(err)
		}
		const rounds, each = 100, 50
		for i := range event.BlockNum(rounds) {
			for n := range event.BlockNum(each) {
				r.Observe(committed(0, i*each+n))
			}
			<-time.After(time.Second)
		}
		if err := r.Close(); !errors.Is(err, errFull) {
			t.Errorf("close returns %v, want the disk's error", err)
		}
		tr := read(t, disk.Bytes())
		if tr.Events() == 0 || tr.Loss == nil {
			t.Errorf("%d events with loss %v from the file of the full disk", tr.Events(), tr.Loss)
		}
		if got := r.Dropped(0); got == 0 || got > rounds*each {
			t.Errorf("%d drops counted", got)
		}
	})
}

// An event that the trace cannot hold is counted and named; the others are kept.
func TestRefusedEvent(t *testing.T) {
	var file bytes.Buffer
	r, err := New(&file, header("ch1"), Config{})
	if err != nil {
		t.Fatal(err)
	}
	r.Observe(committed(0, 1))
	r.Observe(event.Event{Kind: 200, Block: 1})
	r.Observe(committed(0, 2))
	if err := r.Close(); err == nil || !strings.Contains(err.Error(), "kind") {
		t.Errorf("close returns %v, want an error about the kind", err)
	}
	tr := read(t, file.Bytes())
	if sum, _ := drops(t, tr, 0); sum != 1 || tr.Events() != 2 {
		t.Errorf("%d events and %d drops, want 2 and 1", tr.Events(), sum)
	}
}

func TestConfig(t *testing.T) {
	for _, cfg := range []Config{{QueueEvents: -1}, {QueueEvents: maxQueueEvents + 1}, {FlushEvery: -1}, {FlushEvery: 2 * time.Second}} {
		if r, err := New(&bytes.Buffer{}, header("ch1"), cfg); err == nil {
			r.Close()
			t.Errorf("%+v was taken", cfg)
		}
	}
	if r, err := New(&fullDisk{}, header("ch1"), Config{}); !errors.Is(err, errFull) {
		if err == nil {
			r.Close()
		}
		t.Errorf("New on a full disk returns %v", err)
	}
}

func TestObserveAllocatesNothing(t *testing.T) {
	r, err := New(&bytes.Buffer{}, header("ch1"), Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var n event.BlockNum
	if got := testing.AllocsPerRun(1000, func() { r.Observe(committed(0, n)); n++ }); got != 0 {
		t.Errorf("%v allocations an event", got)
	}
}

// BenchmarkObserve is the cost of an event to the pipeline, when one goroutine and
// when all observe, and of an event in all, the writing included.
func BenchmarkObserve(b *testing.B) {
	start := func(b *testing.B) *Recorder {
		r, err := New(&discard{}, header("a", "b"), Config{})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { r.Close() })
		return r
	}
	b.Run("queue", func(b *testing.B) {
		q := queue[event.Event]{waiting: make([]event.Event, 0, 1<<16)}
		for i := 0; b.Loop(); i++ {
			if q.put(committed(0, event.BlockNum(i))) == 1<<16 {
				q.waiting = q.waiting[:0]
			}
		}
	})
	b.Run("one", func(b *testing.B) {
		r := start(b)
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			r.Observe(committed(0, event.BlockNum(i)))
		}
		b.ReportMetric(100*float64(r.Dropped(0))/float64(b.N), "%dropped")
	})
	b.Run("shared", func(b *testing.B) {
		r := start(b)
		b.RunParallel(func(pb *testing.PB) {
			for i := 0; pb.Next(); i++ {
				r.Observe(committed(0, event.BlockNum(i)))
			}
		})
	})
	b.Run("written", func(b *testing.B) {
		r := start(b)
		r.Close() // drained by hand, so that all the work is in the loop
		w, err := traces.NewWriter(&discard{}, header("a", "b"), traces.WriterConfig{})
		if err != nil {
			b.Fatal(err)
		}
		r.writer = w
		for i := 0; b.Loop(); i++ {
			r.Observe(committed(0, event.BlockNum(i)))
			if i%(1<<14) == 1<<14-1 {
				r.drain()
			}
		}
	})
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }
