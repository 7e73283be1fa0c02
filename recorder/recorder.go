// Package recorder writes what happens in a running pipeline to a trace.
//
// The way of an event:
//
//  1. Observe, called by the pipeline from any goroutine, appends it to the queue of
//     its stream. A queue is bounded: an event that finds it full is dropped and
//     counted. Observe waits for nothing but the lock of that queue, which is never
//     held for longer than an append or a swap of two slices takes.
//  2. One goroutine swaps the queues for empty ones when one of them is half full,
//     and at least every Config.FlushEvery, and hands the events to a traces.Writer.
//  3. Every Config.FlushEvery it flushes, so that the file can be cut off at any time
//     and the trace is there up to then.
//  4. Close writes the rest, and the index.
//
// Drops are notes in the trace: the first one brings a warning, and the notes of kind
// traces.NoteDropped of a stream add up to its number of drops. A disk that fails does
// not disturb the pipeline: the recorder goes on, counting, and Close returns the error.
package recorder

import (
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"

	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// Config sets a recorder's queues.
type Config struct {
	// QueueEvents is the number of events that may wait in a stream's queue, at 32
	// bytes each. 0 means that the streams share 1,048,576 equally: 32 MiB, of which
	// only what was ever used takes memory.
	QueueEvents int
	// FlushEvery is the longest time between two flushes. 0 means a second, which
	// is also the most.
	FlushEvery time.Duration
	// Writer sets how the trace is divided into chunks.
	Writer traces.WriterConfig
}

func (c *Config) validate(streams int) error {
	if c.QueueEvents == 0 {
		c.QueueEvents = max(1<<20/max(streams, 1), 1<<8)
	}
	if c.QueueEvents < 0 || c.QueueEvents > maxQueueEvents {
		return fmt.Errorf("recorder queue of %d events: choose 1 to %d", c.QueueEvents, maxQueueEvents)
	}
	if c.FlushEvery == 0 {
		c.FlushEvery = time.Second
	}
	if c.FlushEvery < 0 || c.FlushEvery > time.Second {
		return fmt.Errorf("recorder flushes every %v: choose a time of at most 1s", c.FlushEvery)
	}
	return nil
}

const (
	maxQueueEvents = 1 << 24
	// maxNotes bounds the notes that wait for the goroutine.
	maxNotes = 1 << 10
)

// A Recorder writes one trace. Observe and Note may be called from any goroutine.
type Recorder struct {
	cfg    Config
	queues []queue
	wake   chan struct{} // a queue is half full
	quit   chan struct{}
	done   chan struct{}
	ended  sync.Once

	mu    sync.Mutex
	notes []traces.Note

	// Of the goroutine, and of Close after it.
	writer *traces.Writer
	events []event.Event // the slice to swap the next queue for
	err    error         // the first one
}

// New writes the header to w and returns a recorder of the header's streams, which
// must be closed. The recorder does not close w.
func New(w io.Writer, h traces.Header, cfg Config) (*Recorder, error) {
	if err := cfg.validate(len(h.Streams)); err != nil {
		return nil, err
	}
	writer, err := traces.NewWriter(w, h, cfg.Writer)
	if err != nil {
		return nil, err
	}
	r := &Recorder{
		cfg:    cfg,
		queues: make([]queue, len(h.Streams)),
		wake:   make(chan struct{}, 1),
		quit:   make(chan struct{}),
		done:   make(chan struct{}),
		writer: writer,
		events: make([]event.Event, 0, cfg.QueueEvents),
	}
	for i := range r.queues {
		r.queues[i].events = make([]event.Event, 0, cfg.QueueEvents)
	}
	go r.run()
	return r, nil
}

// Observe takes an event, or drops and counts it when its stream's queue is full.
// It panics when the trace has no such stream.
func (r *Recorder) Observe(e event.Event) {
	if n := r.queues[e.Stream].put(e); n == r.cfg.QueueEvents/2+1 {
		select {
		case r.wake <- struct{}{}:
		default: // it is about to look anyway
		}
	}
}

// Note adds a note to the trace. It waits as little as Observe does; more than
// 1,024 notes within one flush are not kept.
func (r *Recorder) Note(n traces.Note) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.notes) < maxNotes {
		r.notes = append(r.notes, n)
	}
}

// Dropped returns how many events of a stream were dropped so far.
func (r *Recorder) Dropped(stream int) uint64 {
	q := &r.queues[stream]
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.dropped
}

// Close writes what is still queued and the end of the trace, and returns the first
// error of the recording. What is observed after Close is not recorded.
func (r *Recorder) Close() error {
	r.ended.Do(func() {
		close(r.quit)
		<-r.done
		r.drain()
		r.flush(true)
		r.keep(r.writer.Close())
	})
	return r.err
}

func (r *Recorder) run() {
	defer close(r.done)
	ticker := time.NewTicker(r.cfg.FlushEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			r.drain()
			r.flush(false)
		case <-r.wake:
			r.drain()
		case <-r.quit:
			return
		}
	}
}

// drain hands the queued events to the writer. Those that it does not take are
// counted as dropped.
func (r *Recorder) drain() {
	for i := range r.queues {
		q := &r.queues[i]
		events := q.swap(r.events)
		lost := uint64(0)
		for _, e := range events {
			if err := r.writer.Append(e); err != nil {
				r.keep(err)
				lost++
			}
		}
		q.lose(lost)
		r.events = events[:0]
	}
}

// flush writes the notes and makes what was drained readable.
func (r *Recorder) flush(last bool) {
	r.mu.Lock()
	notes := r.notes
	r.notes = nil
	r.mu.Unlock()
	for _, n := range notes {
		r.keep(r.writer.Note(n))
	}
	for i := range r.queues {
		r.noteDrops(i, last)
	}
	r.keep(r.writer.Flush())
}

// noteDrops writes the drops of a stream that no note tells of yet. In between it
// waits until they are as many as those that notes tell of, so that a recorder that
// drops for hours does not fill the trace with notes.
func (r *Recorder) noteDrops(stream int, last bool) {
	q := &r.queues[stream]
	n := r.Dropped(stream) - q.noted
	if n == 0 || (n < q.noted && !last) {
		return
	}
	if q.noted == 0 {
		r.keep(r.writer.Note(traces.Note{Stream: stream, Kind: traces.NoteWarning,
			Text: "events came faster than they could be written and were dropped: values are missing"}))
	}
	q.noted += n
	r.keep(r.writer.Note(traces.Note{Stream: stream, Kind: traces.NoteDropped, Text: strconv.FormatUint(n, 10)}))
}

func (r *Recorder) keep(err error) {
	if r.err == nil {
		r.err = err
	}
}
