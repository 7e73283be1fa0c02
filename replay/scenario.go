package replay

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"

	"github.com/blockreel/blockreel/replay/cost"
	"github.com/blockreel/blockreel/replay/ledger"
	"github.com/blockreel/blockreel/replay/pipeline"
	"github.com/blockreel/blockreel/traces"
)

// Clocks that a replay can run by.
const (
	// Virtual: simulated time, as fast as the processor goes.
	Virtual = "virtual"
	// Wall: real time.
	Wall = "wall"
)

// Modes of the payloads buffer.
const (
	ModeFabric    = pipeline.Fabric
	ModeIdeal     = pipeline.Ideal
	ModeUnbounded = pipeline.Unbounded
)

// RecordedLedger is the name of the ledger that takes the service times of the trace.
const RecordedLedger = "recorded"

// forecastSuffix follows the name of a ledger for which a cost model stands.
const forecastSuffix = " (forecast)"

// A Scenario is the question: the settings to replay a trace under.
type Scenario struct {
	// Model says what the trace does not.
	Model ModelConfig
	// Buffers are the values of N. Empty: the recorded one.
	Buffers []int
	// Ledgers are specs that ledger.Parse knows, or RecordedLedger. Empty: recorded.
	Ledgers []string
	// Preset gives the receiver's hand, and N if Buffers is empty, of another version
	// of Fabric. Empty: as recorded.
	Preset string
	// Mode is the buffer's policy, one of pipeline.Policies. Empty: as recorded.
	Mode string
	// Link replaces the recorded link where its fields are not zero; latency comes on
	// top of each block's recorded transit.
	Link pipeline.Link
	// Scale is applied to the recorded services. The zero value is not useful: begin
	// with ledger.Unscaled.
	Scale ledger.Scale
	// Services is a trace whose service times replace those of the replayed trace,
	// stream by stream. Nil: none.
	Services *traces.Trace
	// Costs are cost models, each of which is replayed like a ledger, in addition to
	// Ledgers; with them no Ledgers are none.
	Costs []*cost.Model
	// Payloads has the blocks of the replayed trace for real ledgers, which are given
	// made-up ones where it lacks some. Nil: it has none.
	Payloads *traces.PayloadFile
	// Clock is Virtual or Wall. Empty: Virtual.
	Clock string
	// Speed is how many seconds of the trace pass in a second by the wall clock. A real
	// ledger takes the time that it takes: it gets blocks that arrive so many times as
	// fast, and all else is in real time. 0: 1.
	Speed float64
	// Unpaced drops the arrivals: every block is at the orderer from the start, and nothing
	// holds it up before the buffer. With neither Buffers, Mode nor Preset the buffer is
	// unbounded, so that the committer alone is measured.
	Unpaced bool
	// Repeat is how often each setting is run by the wall clock, all in turn and then
	// all again, so that what the machine does meanwhile meets all of them. 0: once.
	Repeat int
	// Warmup is the number of blocks at the start that the figures of a run into a real
	// ledger do not count. 0: a tenth, but no more than 100; below 0: none.
	Warmup int
	// LedgerDir is where real ledgers are made, each in a fresh directory of its own
	// that is removed when its run is over, unless Keep. Empty: the system's temporary
	// directory.
	LedgerDir string
	Keep      bool
	// Validators is how many transactions a real ledger validates at once. 0: as many as
	// the program uses CPUs. Recorded and forecast services were measured with their own, and
	// made-up blocks take the trace's time.
	Validators int
	// Tool names the program for the headers of result traces.
	Tool string
	// Progress is called now and then with the number of blocks, over all settings,
	// that are committed of all, or in a sweep of buffer sizes; never twice at once. Nil: not
	// called.
	Progress func(done, all int)

	committed func() // counts for Progress
	// plainTimers waits by timers that package synctest knows.
	plainTimers bool
	// open opens a real ledger; nil: ledger.Open.
	open func(ctx context.Context, spec string, cfg ledger.Config) (committer, error)
}

// MaxRepeat bounds Repeat: beyond it the rank test knows no more.
const MaxRepeat = 25

// withDefaults returns s with what its zero values stand for, as far as that does not depend on
// the trace.
func (s Scenario) withDefaults() Scenario {
	if s.Clock == "" {
		s.Clock = Virtual
	}
	if len(s.Ledgers) == 0 && len(s.Costs) == 0 {
		s.Ledgers = []string{RecordedLedger}
	}
	return s
}

// Validate says what is wrong with the question, whatever the trace.
func (s *Scenario) Validate() error {
	whole := s.withDefaults()
	return whole.validate()
}

func (s *Scenario) validate() error {
	if err := s.validateClock(); err != nil {
		return err
	}
	if s.Mode != "" {
		if _, err := pipeline.ParsePolicy(s.Mode); err != nil {
			return err
		}
	}
	if err := s.validateLedgers(); err != nil {
		return err
	}
	if s.Preset != "" {
		if _, ok := pipeline.Preset(s.Preset); !ok {
			return fmt.Errorf("there is no preset %q; choose one of %s", s.Preset, strings.Join(pipeline.Presets(), ", "))
		}
	}
	return nil
}

func (s *Scenario) validateClock() error {
	switch s.Clock {
	case Virtual, Wall:
	default:
		return fmt.Errorf("there is no clock %q; choose %s or %s", s.Clock, Virtual, Wall)
	}
	switch {
	case s.Speed < 0 || math.IsInf(s.Speed, 0) || math.IsNaN(s.Speed):
		return errors.New("a speed is a number greater than 0")
	case s.Speed != 0 && s.Clock == Virtual:
		return errors.New("a speed belongs to the wall clock: simulated time passes as fast as it can")
	case s.Speed != 0 && s.Unpaced:
		return errors.New("a speed is of arrivals, and without pace there are none: choose one of them")
	case s.Repeat < 0 || s.Repeat > MaxRepeat:
		return fmt.Errorf("%d repetitions: choose 1 to %d", s.Repeat, MaxRepeat)
	case s.Repeat > 1 && s.Clock == Virtual:
		return errors.New("repetitions belong to the wall clock: in simulated time all are the same")
	}
	return nil
}

// maxValidators is more than any machine has CPUs.
const maxValidators = 1 << 16

// validators is the number of transactions that a real ledger validates at once.
func (s *Scenario) validators() int {
	if s.Validators > 0 {
		return s.Validators
	}
	return runtime.GOMAXPROCS(0)
}

func (s *Scenario) validateLedgers() error {
	seen := map[string]bool{}
	recorded := len(s.Costs) > 0
	for _, spec := range s.Ledgers {
		if seen[spec] {
			return fmt.Errorf("ledger %s is named twice", spec)
		}
		seen[spec] = true
		if spec == RecordedLedger {
			recorded = true
			continue
		}
		if _, err := ledger.Parse(spec); err != nil {
			return err
		}
		if s.Scale != ledger.Unscaled() {
			return fmt.Errorf("the scale %s is of recorded services: ledger %s measures its own", s.Scale, spec)
		}
	}
	if recorded && s.RealLedgers() && s.Speed != 0 && s.Speed != 1 {
		return fmt.Errorf("at %g times the speed a real ledger gets blocks faster, while recorded and forecast services pass faster: replay them apart", s.Speed)
	}
	switch {
	case s.Validators < 0 || s.Validators > maxValidators:
		return fmt.Errorf("%d validators: choose 1 to %d", s.Validators, maxValidators)
	case s.Validators > 0 && (recorded || !s.RealLedgers()):
		return errors.New("a number of validators is of real ledgers: recorded services and those of a cost model were measured with their own; replay them apart")
	case s.Services != nil && s.RealLedgers():
		return errors.New("services of another trace are in place of recorded ones: a real ledger measures its own")
	}
	costs := map[string]bool{}
	for _, m := range s.Costs {
		if costs[m.Ledger] {
			return fmt.Errorf("there are two cost models of %s", m.Ledger)
		}
		costs[m.Ledger] = true
		if s.Scale != ledger.Unscaled() {
			return fmt.Errorf("the scale %s is of recorded services: the cost model of %s has its own", s.Scale, m.Ledger)
		}
	}
	return nil
}

// RealLedgers reports whether there are ledgers that take real time.
func (s *Scenario) RealLedgers() bool {
	return slices.ContainsFunc(s.Ledgers, func(spec string) bool { return spec != RecordedLedger })
}

// load is how many times as fast blocks arrive at real ledgers.
func (s *Scenario) load() float64 {
	if s.Speed == 0 || !s.RealLedgers() {
		return 1
	}
	return s.Speed
}

// models makes every stream of tr ready under the scenario; streams without blocks to
// replay are an error only when there is no other.
func (s *Scenario) models(tr *traces.Trace) ([]*Model, []string, error) {
	var (
		models   []*Model
		warnings []string
		refused  []error
	)
	for _, tl := range tr.Timelines {
		m, err := NewModel(tl, s.Model, tr.Samples...)
		if err != nil {
			refused = append(refused, err)
			continue
		}
		models = append(models, m)
	}
	if len(models) == 0 {
		if len(refused) == 0 {
			refused = append(refused, errors.New("the trace holds no stream"))
		}
		return nil, nil, errors.Join(refused...)
	}
	for _, err := range refused {
		warnings = append(warnings, fmt.Sprintf("left out: %v", err))
	}
	return models, warnings, nil
}

// takeServices gives every model the services of s.Services, if there is such a trace,
// and warns of a scale that finds nothing to scale.
func (s *Scenario) takeServices(models []*Model) error {
	for _, m := range models {
		if err := s.takeServicesOf(m); err != nil {
			return err
		}
		m.checkScale(s.Scale)
	}
	s.Services = nil // a long trace is much memory, and it is needed no more
	return nil
}

// takeServicesOf takes those of the stream of the same name, else of the same channel,
// else the only one that there is.
func (s *Scenario) takeServicesOf(m *Model) error {
	if s.Services == nil {
		return nil
	}
	tl, err := counterpart(s.Services, m.Stream)
	if err != nil {
		return err
	}
	m.Times, m.Turnaround = nil, nil // what is replaced anyway must not be there twice
	from, err := NewModel(tl, s.Model, s.Services.Samples...)
	if err != nil {
		return fmt.Errorf("services: %w", err)
	}
	return m.TakeServices(from)
}

func counterpart(tr *traces.Trace, want traces.Stream) (*traces.Timeline, error) {
	for _, same := range []func(traces.Stream) bool{
		func(s traces.Stream) bool { return s.Channel == want.Channel && s.Peer == want.Peer },
		func(s traces.Stream) bool { return s.Channel == want.Channel },
		func(traces.Stream) bool { return len(tr.Timelines) == 1 },
	} {
		for _, tl := range tr.Timelines {
			if same(tl.Stream) {
				return tl, nil
			}
		}
	}
	return nil, fmt.Errorf("the trace with the services has no stream for %s", want.Name())
}
