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
// Sample does with the samples of series what Observe does with events; they have one
// queue together, which is written every ten seconds or when it is half full: a chunk of a
// few samples is mostly names. A recorder that is killed loses these ten seconds of samples.
//
// Payload does the same with blocks, whose queue is bounded by bytes. The goroutine writes one
// block after the other, and the queues of events in between: if the disk is too slow, blocks
// are dropped long before events. Everything goes to one file, each block once.
//
// Drops are notes in the trace: the first one brings a warning, and the notes of kind
// traces.NoteDropped of a stream, and traces.NoteDroppedSamples, add up to the number of drops;
// a warning at the end reports those of payloads. A disk that fails does
// not disturb the pipeline: the recorder goes on, counting, and Close returns the error.
package recorder

import (
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"

	"github.com/dustin/go-humanize/english"

	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// Config sets a recorder's queues.
type Config struct {
	// QueueEvents is the number of events that may wait in a stream's queue, at 32
	// bytes each. 0 means that the streams share 1,048,576 equally: 32 MiB, of which
	// only what was ever used takes memory.
	QueueEvents int
	// QueueSamples is the number of samples that may wait, at 80 bytes each; 0 means
	// 16,384.
	QueueSamples int
	// QueuePayloadBytes is the number of bytes of payloads that may wait. 0 means 64 MiB.
	QueuePayloadBytes int
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
	if c.QueueSamples == 0 {
		c.QueueSamples = 1 << 14
	}
	if c.QueueSamples < 0 || c.QueueSamples > maxQueueEvents {
		return fmt.Errorf("recorder queue of %d samples: choose 1 to %d", c.QueueSamples, maxQueueEvents)
	}
	if c.QueuePayloadBytes == 0 {
		c.QueuePayloadBytes = 64 << 20
	}
	if c.QueuePayloadBytes < 0 {
		return fmt.Errorf("recorder queue of %d bytes of payloads: choose 1 or more", c.QueuePayloadBytes)
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
	// samplesEvery is the longest time that samples wait.
	samplesEvery = 10 * time.Second
)

// A Recorder writes one trace. Observe, Sample, Payload and Note may be called from any goroutine.
type Recorder struct {
	cfg    Config
	queues []queue[event.Event] // by stream
	series queue[sample]
	blocks payloads
	wake   chan struct{} // a queue is half full
	quit   chan struct{}
	done   chan struct{}
	ended  sync.Once

	mu    sync.Mutex
	notes []traces.Note

	// Of the goroutine, and of Close after it.
	writer  *traces.Writer
	events  []event.Event // the slice to swap the next queue for
	samples []sample      // the same for samples
	err     error         // the first one
}

type sample struct {
	series traces.Series
	at     event.Time
	value  float64
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
		queues: make([]queue[event.Event], len(h.Streams)),
		wake:   make(chan struct{}, 1),
		quit:   make(chan struct{}),
		done:   make(chan struct{}),
		writer: writer,
		events: make([]event.Event, 0, cfg.QueueEvents),

		samples: make([]sample, 0, cfg.QueueSamples),
	}
	r.blocks.ready, r.blocks.limit = make(chan struct{}, 1), cfg.QueuePayloadBytes
	r.blocks.room.L = &r.blocks.mu
	r.series.waiting = make([]sample, 0, cfg.QueueSamples)
	for i := range r.queues {
		r.queues[i].waiting = make([]event.Event, 0, cfg.QueueEvents)
	}
	go r.run()
	return r, nil
}

// Observe takes an event, or drops and counts it when its stream's queue is full.
// It panics when the trace has no such stream.
func (r *Recorder) Observe(e event.Event) {
	if n := r.queues[e.Stream].put(e); n == r.cfg.QueueEvents/2+1 {
		r.hurry()
	}
}

// Sample takes a sample of a series, or drops and counts it when too many wait. It waits
// as little as Observe does. A value that is not a finite number is an error that Close
// returns, and counted as dropped.
func (r *Recorder) Sample(s traces.Series, at event.Time, v float64) {
	if n := r.series.put(sample{s, at, v}); n == r.cfg.QueueSamples/2+1 {
		r.hurry()
	}
}

func (r *Recorder) hurry() {
	select {
	case r.wake <- struct{}{}:
	default: // it is about to look anyway
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
func (r *Recorder) Dropped(stream int) uint64 { return r.queues[stream].lost() }

// DroppedSamples returns how many samples were dropped so far.
func (r *Recorder) DroppedSamples() uint64 { return r.series.lost() }

// Close writes what is still queued and the end of the trace, and returns the first
// error of the recording. What is observed after Close is not recorded.
func (r *Recorder) Close() error {
	r.ended.Do(func() {
		close(r.quit)
		<-r.done
		r.drain()
		r.drainSamples()
		r.flush(false)
		for r.writePayload() {
		}
		r.flush(true)
		r.keep(r.writer.Close())
	})
	return r.err
}

func (r *Recorder) run() {
	defer close(r.done)
	ticker := time.NewTicker(r.cfg.FlushEvery)
	defer ticker.Stop()
	for n := time.Duration(1); ; {
		select {
		case <-ticker.C:
			r.drain()
			if n*r.cfg.FlushEvery >= samplesEvery {
				r.drainSamples()
				n = 0
			}
			n++
			r.flush(false)
		case <-r.wake:
			r.drain()
			if r.series.len() > r.cfg.QueueSamples/2 {
				r.drainSamples()
			}
		case <-r.blocks.ready:
			r.writePayload()
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

// drainSamples is drain for samples.
func (r *Recorder) drainSamples() {
	samples := r.series.swap(r.samples)
	lost := uint64(0)
	for _, s := range samples {
		if err := r.writer.Sample(s.series, s.at, s.value); err != nil {
			r.keep(err)
			lost++
		}
	}
	r.series.lose(lost)
	r.samples = samples[:0]
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
		q := &r.queues[i]
		r.noteDrops(q.lost(), &q.noted, last, traces.Note{Stream: i, Kind: traces.NoteDropped}, "events")
	}
	q := &r.series
	r.noteDrops(q.lost(), &q.noted, last, traces.Note{Stream: -1, Kind: traces.NoteDroppedSamples}, "samples")
	if lost := r.blocks.lost(); last && lost > 0 {
		r.keep(r.writer.Note(traces.Note{Stream: -1, Kind: traces.NoteWarning,
			Text: fmt.Sprintf("payloads of %s came faster than they could be written and were dropped; their times are whole", english.Plural(int(lost), "block", ""))}))
	}
	r.keep(r.writer.Flush())
}

// noteDrops writes the drops of a queue that no note reports yet. In between it
// waits until they are as many as those that notes report, so that a recorder that
// drops for hours does not fill the trace with notes.
func (r *Recorder) noteDrops(dropped uint64, noted *uint64, last bool, note traces.Note, what string) {
	n := dropped - *noted
	if n == 0 || (n < *noted && !last) {
		return
	}
	if *noted == 0 {
		r.keep(r.writer.Note(traces.Note{Stream: note.Stream, Kind: traces.NoteWarning,
			Text: what + " came faster than they could be written and were dropped: values are missing"}))
	}
	*noted += n
	note.Text = strconv.FormatUint(n, 10)
	r.keep(r.writer.Note(note))
}

func (r *Recorder) keep(err error) {
	if r.err == nil {
		r.err = err
	}
}
