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

	// coming is the block that the orderer's sender takes next, if the Source has given one
	// and it is not taken yet; its number is the height of what was taken.
	coming  Arrival
	pulled  bool
	dry     bool
	taken   event.Height
	offered event.Time // of the latest block

	// The committer does work on current until the instant until, which is never
	// while only the ledger knows.
	work    work
	current block.Block
	service Service // of current
	until   event.Time
	stages  block.Stages
	// start hands a popped block to the ledger; nil when there is none.
	start func(*block.Block) error
}

// what is the kind of thing that happens next, in the order of one instant.
type what uint8

const (
	completion what = iota
	timer
	offer
)

func newRun(s Stream) (*run, error) {
	if s.Source == nil {
		return nil, fmt.Errorf("stream %d has no source of blocks", s.Index)
	}
	m, err := pipeline.New(s.Config, s.Height)
	if err != nil {
		return nil, fmt.Errorf("stream %d: %w", s.Index, err)
	}
	return &run{Stream: s, machine: m, taken: s.Height, now: math.MinInt64, offered: math.MinInt64, until: never}, nil
}

// pull asks the Source for a block unless it has given one that is not taken yet.
func (r *run) pull() error {
	if r.pulled || r.dry {
		return nil
	}
	a, ok := r.Source.Next()
	if r.pulled, r.dry = ok, !ok; r.dry {
		return nil
	}
	r.coming = a
	r.offered = max(r.offered, a.Offered)
	if a.Offered < -horizon || a.Offered > horizon || a.Bytes < 0 || a.Bytes > pipeline.MaxBlockBytes || !isDuration(a.Transit) {
		return fmt.Errorf("stream %d: block %d cannot be replayed: offered at %d ns, %d bytes, transit %v: a value is missing, negative or absurd",
			r.Index, r.taken, a.Offered, a.Bytes, a.Transit)
	}
	return nil
}

func isDuration(d time.Duration) bool { return d >= 0 && d <= pipeline.MaxDuration }

// next returns when the next thing happens and what; never when only the ledger can
// make something happen, or nothing can.
func (r *run) next() (event.Time, what, error) {
	t, w := r.until, completion
	if wake, ok := r.machine.Wake(); ok && wake < t {
		t, w = wake, timer
	}
	if r.machine.Wants() {
		if err := r.pull(); err != nil {
			return 0, 0, err
		}
		if at := max(r.now, r.offered); r.pulled && at < t {
			t, w = at, offer
		}
	}
	return t, w, nil
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
		return r.complete()
	case timer:
		return r.act(r.machine.Tick(t))
	}
	n := event.BlockNum(r.taken)
	r.pulled = false
	r.taken++
	r.result.Offered++
	r.observe(event.Offered, n, int64(r.offered))
	return r.act(r.machine.Offer(t, n, r.coming.Bytes, r.coming.Transit))
}

// complete ends what the committer has been doing until now.
func (r *run) complete() error {
	n := r.current.Number
	switch r.work {
	case validating:
		r.observe(event.Validated, n, int64(r.now))
		r.begin(committing, r.service.Commit)
	case committing:
		r.result.Committed++
		r.observe(event.Committed, n, int64(r.now))
		r.observeStages(n)
		if r.service.Turnaround == 0 {
			return r.ready()
		}
		r.begin(turning, r.service.Turnaround)
	case turning:
		return r.ready()
	}
	return nil
}

// ready lets the committer come back for the next block.
func (r *run) ready() error {
	r.work, r.until = asleep, never
	return r.act(r.machine.Ready(r.now, r.current.Number))
}

// begin lets the committer do w for as long as service, or for as long as the ledger
// takes.
func (r *run) begin(w work, service time.Duration) {
	r.work, r.until = w, never
	if r.start == nil {
		r.until = r.now + event.Time(service)
	}
}

// act does what follows from what the machine says.
func (r *run) act(happens []pipeline.Output) error {
	for _, o := range happens {
		r.observe(o.Kind, o.Block, int64(o.At))
		if o.Kind == event.Dequeued {
			return r.pop(o.Block) // the last output of all
		}
	}
	return nil
}

// pop lets the committer begin with a block.
func (r *run) pop(n event.BlockNum) error {
	r.current, r.service = block.Block{Number: n}, Service{}
	if r.start == nil && r.Services != nil {
		r.service = r.Services.Service(n)
		if s := r.service; !isDuration(s.Validate) || !isDuration(s.Commit) || !isDuration(s.Turnaround) {
			return fmt.Errorf("stream %d: block %d cannot be replayed: services %v: a value is missing, negative or absurd", r.Index, n, s)
		}
	}
	r.begin(validating, r.service.Validate)
	if r.start != nil {
		return r.start(&r.current)
	}
	return nil
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
