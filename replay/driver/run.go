package driver

import (
	"fmt"
	"math"
	"time"

	"github.com/blockreel/blockreel/replay/block"
	"github.com/blockreel/blockreel/replay/pipeline"
	"github.com/blockreel/blockreel/traces/event"
)

const (
	never = event.Time(math.MaxInt64)
	// horizon bounds the times of a run: 146 years. Beyond it sums could overflow.
	horizon = never / 2
)

// work is what the committer does.
type work uint8

const (
	asleep work = iota
	validating
	committing
	turning // back to the buffer
)

// run is a stream under way.
type run struct {
	Stream
	machine *pipeline.Machine
	now     event.Time
	result  Result

	coming  Arrival    // the Source's next, unless it is dry
	offered event.Time // of the latest block
	orderer orderer

	// The committer does work on current until the instant until, which is never
	// while only the ledger knows.
	work    work
	current Arrival
	until   event.Time
	stages  block.Stages
	// start hands a popped block to the ledger; nil when there is none.
	start func(*block.Block)
}

// what is the kind of thing that happens next, in the order of one instant.
type what uint8

const (
	completion what = iota
	timer
	offer
	send
)

func newRun(s Stream) (*run, error) {
	if s.Source == nil {
		return nil, fmt.Errorf("stream %d has no source of blocks", s.Index)
	}
	m, err := pipeline.New(s.Config, s.Height)
	if err != nil {
		return nil, fmt.Errorf("stream %d: %w", s.Index, err)
	}
	r := &run{Stream: s, machine: m, orderer: orderer{source: s.Source}, now: math.MinInt64, offered: math.MinInt64, until: never}
	return r, r.pull()
}

// free gives back what only the run needs.
func (r *run) free() { r.orderer.free() }

// pull looks at the Source's next block.
func (r *run) pull() error {
	if r.orderer.dry() {
		return nil
	}
	a := r.orderer.coming()
	within := func(d, top int64) bool { return d >= 0 && d <= top }
	if a.Offered < -horizon || a.Offered > horizon ||
		!within(int64(a.Bytes), pipeline.MaxBlockBytes) ||
		!within(int64(a.Transit), int64(pipeline.MaxDuration)) ||
		!within(int64(a.Service.Validate), int64(pipeline.MaxDuration)) ||
		!within(int64(a.Service.Commit), int64(pipeline.MaxDuration)) ||
		!within(int64(a.Service.Turnaround), int64(pipeline.MaxDuration)) {
		return fmt.Errorf("stream %d: block %d cannot be replayed: offered at %d ns, %d bytes, transit %v, services %v: a value is missing, negative or absurd",
			r.Index, a.Number, a.Offered, a.Bytes, a.Transit, a.Service)
	}
	r.coming = a
	return nil
}

// next says when the next thing happens and what; never when only the ledger can
// make something happen, or nothing can.
func (r *run) next() (event.Time, what) {
	t, w := r.until, completion
	if wake, ok := r.machine.Wake(); ok && wake < t {
		t, w = wake, timer
	}
	if !r.orderer.dry() {
		if at := max(r.now, r.coming.Offered); at < t {
			t, w = at, offer
		}
	}
	if r.now < t && r.orderer.behind() && r.machine.Wants() {
		t, w = r.now, send
	}
	return t, w
}

// do makes happen what next has said.
func (r *run) do(t event.Time, w what) error {
	if t < r.now || t > horizon {
		return fmt.Errorf("stream %d: the run has left the range of times at %d ns: its services or waits are absurd", r.Index, t)
	}
	r.now = t
	r.result.End = t
	switch w {
	case completion:
		r.complete()
	case timer:
		r.act(r.machine.Tick(t))
	case offer:
		r.offer()
		return r.pull()
	case send:
		a := r.orderer.send()
		r.act(r.machine.Offer(t, a.Number, int64(a.Bytes), a.Transit))
	}
	return nil
}

// offer puts the coming block into the orderer's ledger.
func (r *run) offer() {
	r.result.Offered++
	r.offered = max(r.offered, r.coming.Offered)
	b := &r.coming.Block
	r.observe(event.Offered, b.Number, int64(r.offered))
	r.observe(event.Transactions, b.Number, int64(b.Transactions))
	r.observe(event.Bytes, b.Number, int64(b.Bytes))
	r.observe(event.Writes, b.Number, int64(b.Writes))
	r.orderer.offered++
}

// complete ends what the committer has been doing until now.
func (r *run) complete() {
	n := r.current.Number
	switch r.work {
	case validating:
		r.observe(event.Validated, n, int64(r.now))
		r.begin(committing, event.Time(r.current.Service.Commit))
	case committing:
		r.result.Committed++
		r.observe(event.Committed, n, int64(r.now))
		r.observeStages(n)
		if d := r.current.Service.Turnaround; d > 0 && r.start == nil {
			r.work, r.until = turning, r.now+event.Time(d)
			return
		}
		r.ready()
	case turning:
		r.ready()
	}
}

// ready lets the committer come back for the next block.
func (r *run) ready() {
	r.work, r.until = asleep, never
	r.act(r.machine.Ready(r.now, r.current.Number))
}

// begin lets the committer do w for as long as service, or for as long as the ledger
// takes.
func (r *run) begin(w work, service event.Time) {
	r.work, r.until = w, never
	if r.start == nil {
		r.until = r.now + service
	}
}

// act does what follows from what the machine says.
func (r *run) act(happens []pipeline.Output) {
	for _, o := range happens {
		switch o.Kind {
		case pipeline.Ignored:
			r.orderer.take(o.Block)
			r.result.Ignored++
			continue
		case event.Dequeued:
			r.current = r.orderer.take(o.Block)
			r.begin(validating, event.Time(r.current.Service.Validate))
			if r.start != nil {
				r.start(&r.current.Block)
			}
		}
		r.observe(o.Kind, o.Block, int64(o.At))
	}
}

func (r *run) observe(k event.Kind, n event.BlockNum, value int64) {
	if r.Observer != nil {
		r.Observer.Observe(event.Event{Stream: r.Index, Kind: k, Block: n, Value: value})
	}
}

// observeStages tells the parts of a commit that the ledger has measured.
func (r *run) observeStages(n event.BlockNum) {
	if r.start == nil {
		return
	}
	for _, part := range stageEvents(&r.stages) {
		if part.took != 0 { // the ledger has such a part
			r.observe(part.kind, n, int64(part.took))
		}
	}
}

// part is a part of a commit by its kind of event.
type part struct {
	kind event.Kind
	took time.Duration
}

func stageEvents(s *block.Stages) [4]part {
	return [...]part{
		{event.StateValidation, s.StateValidation}, {event.BlockStore, s.BlockStore},
		{event.StateCommit, s.StateCommit}, {event.HistoryCommit, s.HistoryCommit},
	}
}
