package driver

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/blockreel/blockreel/replay/block"
	"github.com/blockreel/blockreel/replay/pipeline"
	"github.com/blockreel/blockreel/traces/event"
)

const first = 100

// walled runs a stream in a bubble's time.
func walled(t *testing.T, w Wall, s Stream) (j *journal, result Result, err error) {
	t.Helper()
	j, w.PlainTimers = &journal{}, true
	if s.Observer == nil {
		s.Observer = j
	} else {
		s.Observer = both{j, s.Observer}
	}
	synctest.Test(t, func(t *testing.T) {
		var results []Result
		if results, err = w.Run(t.Context(), s); len(results) > 0 {
			result = results[0]
		}
	})
	return j, result, err
}

// Events come in the order of time, but for the offers, so that a trace that was cut short is
// the run up to the cut.
func TestEventsComeInOrder(t *testing.T) {
	for seed := range uint64(50) {
		cfg, b := randomRun(seed, 120)
		j, _, err := walled(t, Wall{Origin: event.Time(b.Offered[0])}, stream(cfg, first, b))
		if err != nil {
			t.Fatal(err)
		}
		last := event.Event{Value: b.Offered[0]}
		for _, e := range j.events {
			if e.Kind == event.Offered {
				continue
			}
			if e.Value < last.Value {
				t.Fatalf("seed %d: %v of block %d at %d comes after %v of block %d at %d",
					seed, e.Kind, e.Block, e.Value, last.Kind, last.Block, last.Value)
			}
			last = e
		}
	}
}

// The Source is asked when the sender is free, so that what waits at the orderer is nobody's
// but its own.
func TestSourceIsAskedInTime(t *testing.T) {
	cfg, b := randomRun(1, 200)
	cfg.Policy, cfg.Link = pipeline.Policy{Name: pipeline.Ideal, N: 2}, pipeline.Link{Window: 1}
	for i := range b.Offered {
		b.Offered[i] = 0
	}
	s := stream(cfg, first, b)
	source := &watched{list: s.Source.(*list)}
	s.Source, s.Observer = source, source
	if _, _, err := walled(t, Wall{}, s); err != nil {
		t.Fatal(err)
	}
	// Five are in the buffer, and one each with the committer, at the door, in the hand, in
	// flight, and given ahead.
	if most := cfg.Policy.Capacity() + 5; source.most > most || source.most < cfg.Policy.Capacity() {
		t.Errorf("%d blocks were given and not committed, want at most %d", source.most, most)
	}
}

// watched is a list that counts the blocks that are given and not committed.
type watched struct {
	*list
	committed, most int
}

func (w *watched) Next() (Arrival, bool) {
	a, ok := w.list.Next()
	w.most = max(w.most, w.given-w.committed)
	return a, ok
}

func (w *watched) Observe(e event.Event) {
	if e.Kind == event.Committed {
		w.committed++
	}
}

func TestRunRefuses(t *testing.T) {
	good, _ := pipeline.Preset(pipeline.Fabric2x)
	for name, tc := range map[string]struct {
		cfg     pipeline.Config
		arrival Arrival
		service Service
		want    string
	}{
		"no buffer":         {pipeline.Config{}, Arrival{}, Service{}, `buffer policy ""`},
		"missing offer":     {good, Arrival{Offered: event.Missing}, Service{}, "cannot be replayed"},
		"negative size":     {good, Arrival{Bytes: -1}, Service{}, "cannot be replayed"},
		"negative transit":  {good, Arrival{Transit: -1}, Service{}, "cannot be replayed"},
		"negative service":  {good, Arrival{}, Service{Commit: -1}, "cannot be replayed"},
		"endless service":   {good, Arrival{}, Service{Validate: 1 << 62}, "cannot be replayed"},
		"endless turnround": {good, Arrival{}, Service{Turnaround: 1 << 62}, "cannot be replayed"},
	} {
		l := &list{arrivals: []Arrival{tc.arrival}, services: []Service{tc.service}}
		_, _, err := walled(t, Wall{}, Stream{Config: tc.cfg, Source: l, Services: l})
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, tc.want)
		}
	}
}

// Services that are allowed one by one may still add up to more than an int64 holds.
func TestRunRefusesToOverflow(t *testing.T) {
	cfg, _ := pipeline.Preset(pipeline.Fabric2x)
	l := &list{}
	for range 400 {
		l.arrivals, l.services = append(l.arrivals, Arrival{}), append(l.services, Service{Commit: pipeline.MaxDuration})
	}
	_, _, err := walled(t, Wall{}, Stream{Config: cfg, Source: l, Services: l})
	if err == nil || !strings.Contains(err.Error(), "range of times") {
		t.Errorf("error %v, want one about the range of times", err)
	}
}

// Prepare completes each block before the Ledger has it, and what it takes is in no time of
// the run.
func TestPrepare(t *testing.T) {
	const validate, commit, prepare = 3_000_001, 4_100_003, 2_000_007
	cfg, b := randomRun(5, 50)
	for i := range b.Offered {
		b.validate[i], b.commit[i], b.turnaround[i] = validate, commit, 0
	}
	s := stream(cfg, first, b)
	l := &reader{sleeper: sleeper{validate: validate, commit: commit}}
	s.Ledger = l
	s.Prepare = func(ctx context.Context, b *block.Block) error {
		b.Payload = []byte{byte(b.Number)}
		return sleep(ctx, prepare)
	}
	j, result, err := walled(t, Wall{Origin: event.Time(b.Offered[0])}, s)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := j.columns(0, first, b.Len()), solved(t, cfg, b); !reflect.DeepEqual(got, want) {
		t.Error("the run differs from one without Prepare")
	}
	if want := time.Duration(b.Len()) * prepare; result.HandOver != want {
		t.Errorf("hand-over %v, want %v", result.HandOver, want)
	}
	for i, p := range l.payloads {
		if len(p) != 1 || p[0] != byte(first+i) {
			t.Errorf("block %d has payload %v", first+i, p)
		}
	}
	s = stream(cfg, first, b)
	s.Ledger, s.Prepare = l, func(context.Context, *block.Block) error { return errDisk }
	if _, result, err := walled(t, Wall{Origin: event.Time(b.Offered[0])}, s); !errors.Is(err, errDisk) || result.Committed != 0 {
		t.Errorf("error %v after %d commits, want %v", err, result.Committed, errDisk)
	}
}

// reader is a ledger that keeps the payloads that it was given.
type reader struct {
	sleeper
	payloads [][]byte
}

func (l *reader) Validate(ctx context.Context, b *block.Block) error {
	l.payloads = append(l.payloads, b.Payload)
	return l.sleeper.Validate(ctx, b)
}
