package recorder

import (
	"bytes"
	"math"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

var depth = traces.Series{Name: traces.SeriesBufferSize, Unit: traces.UnitBlocks, Node: "peer0", Channel: "ch1"}

// TestSample records samples for 25 seconds and looks what a copy of the file holds at
// that time, and what the file holds in the end.
func TestSample(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var file bytes.Buffer
		r, err := New(&file, header("a"), Config{})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 50 {
			r.Sample(depth, event.Time(i)*5e8, float64(i%42))
			<-time.After(500 * time.Millisecond)
		}
		synctest.Wait()
		if s := read(t, file.Bytes()).Samples; len(s) != 1 || s[0].Len() < 38 || s[0].Len() > 42 {
			t.Errorf("after 25 seconds the file holds %v", s)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		tr := read(t, file.Bytes())
		if len(tr.Samples) != 1 || tr.Samples[0].Series != depth || tr.Samples[0].Len() != 50 || len(tr.Notes) != 0 {
			t.Fatalf("%+v, notes %v", tr.Samples, tr.Notes)
		}
		for i, at := range tr.Samples[0].At {
			if at != event.Time(i)*5e8 || tr.Samples[0].Value[i] != float64(i%42) {
				t.Fatalf("sample %d is %v at %d", i, tr.Samples[0].Value[i], at)
			}
		}
	})
}

// TestSlowWriterDropsSamples holds that Sample never waits and that every sample is in
// the trace or in its notes.
func TestSlowWriterDropsSamples(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const queue, samples = 100, 1000
		file := stuckWriter{release: make(chan struct{})}
		r, err := New(&file, header("a"), Config{QueueSamples: queue})
		if err != nil {
			t.Fatal(err)
		}
		r.Observe(committed(0, 0))
		<-time.After(1500 * time.Millisecond) // the goroutine stands in its first flush
		for i := range samples {
			r.Sample(depth, event.Time(i), 1)
		}
		if got := r.DroppedSamples(); got != samples-queue {
			t.Errorf("%d samples dropped, want %d", got, samples-queue)
		}
		close(file.release)
		<-time.After(1500 * time.Millisecond) // a full queue is drained at once, and the drops noted
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		tr := read(t, file.Bytes())
		sum, warnings := 0, 0
		for _, n := range tr.Notes {
			if lost, err := strconv.Atoi(n.Text); n.Kind == traces.NoteDroppedSamples && n.Stream == -1 && err == nil {
				sum += lost
			}
			if n.Kind == traces.NoteWarning {
				warnings++
			}
		}
		if got := tr.Samples[0].Len(); got+sum != samples || sum != samples-queue || warnings != 1 {
			t.Errorf("%d samples, notes of %d drops with %d warnings", got, sum, warnings)
		}
	})
}

func TestNotANumber(t *testing.T) {
	var file bytes.Buffer
	r, err := New(&file, header("a"), Config{})
	if err != nil {
		t.Fatal(err)
	}
	r.Sample(depth, 1, math.NaN())
	r.Sample(depth, 2, 3)
	if err := r.Close(); err == nil || !strings.Contains(err.Error(), "NaN") {
		t.Errorf("Close returns %v", err)
	}
	if tr := read(t, file.Bytes()); len(tr.Samples) != 1 || tr.Samples[0].Len() != 1 || r.DroppedSamples() != 1 {
		t.Errorf("%+v, %d dropped", tr.Samples, r.DroppedSamples())
	}
}

// BenchmarkSample is the cost of a sample to the one who takes it.
func BenchmarkSample(b *testing.B) {
	r, err := New(&discard{}, header("a"), Config{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		r.Sample(depth, event.Time(i), float64(i%42))
	}
	b.ReportMetric(100*float64(r.DroppedSamples())/float64(b.N), "%dropped")
	if err := r.Close(); err != nil {
		b.Fatal(err)
	}
}
