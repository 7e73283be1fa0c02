package driver

import (
	"context"
	"errors"
	"io"
	"reflect"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/blockreel/blockreel/replay/block"
	"github.com/blockreel/blockreel/replay/pipeline"
	"github.com/blockreel/blockreel/traces/event"
)

// line is a Receiver: a connection that holds any number of blocks and loses no time.
type line struct {
	coming []coming
	start  time.Time
	reads  atomic.Int64
	end    error // after the last block
}

// coming is a block that comes at a time after the start.
type coming struct {
	block.Block
	at time.Duration
}

func (l *line) Recv(ctx context.Context) (Received, error) {
	l.reads.Add(1)
	if len(l.coming) == 0 {
		return Received{}, l.end
	}
	a := l.coming[0]
	l.coming = l.coming[1:]
	if err := sleep(ctx, max(0, time.Until(l.start.Add(a.at)))); err != nil {
		return Received{}, err
	}
	return Received{Block: a.Block, At: time.Now()}, nil
}

// inBubble runs a live stream in a bubble's time.
func inBubble(ctx context.Context, cfg pipeline.Config, source *line, ledger Ledger, o Observer) (Result, error) {
	source.start = time.Now()
	alarm := NewPlainAlarm()
	defer alarm.Close()
	return runLive(ctx, LiveStream{Config: cfg, Height: event.Height(first), Receiver: source, Ledger: ledger, Observer: o}, alarm)
}

// Blocks that come over a link without cost give the virtual run: the live driver adds
// nothing of its own.
func TestLiveEqualsVirtual(t *testing.T) {
	const validate, commit = 3_000_001, 4_100_003
	for seed := range uint64(40) {
		cfg, b := randomRun(seed, 100)
		cfg.Link, b.Transit = pipeline.Link{}, make([]int64, b.Len())
		for i := range b.Offered {
			b.validate[i], b.commit[i], b.turnaround[i] = validate, commit, 0
		}
		want := solved(t, cfg, b)
		synctest.Test(t, func(t *testing.T) {
			got, ledger := &journal{}, &sleeper{validate: validate, commit: commit}
			source := &line{end: io.EOF}
			for i, at := range b.Offered {
				source.coming = append(source.coming, coming{block.Block{Number: first + event.BlockNum(i), Bytes: int(b.Bytes[i])}, time.Duration(at)})
			}
			result, err := inBubble(t.Context(), cfg, source, ledger, got)
			if err != nil {
				t.Fatal(err)
			}
			a, z := got.columns(0, first, b.Len()), want
			for _, v := range a.Sent {
				if v != event.Missing {
					t.Fatal("a peer has told when the orderer sent a block")
				}
			}
			a.Sent, z.Sent = nil, nil
			if !reflect.DeepEqual(a, z) {
				t.Fatalf("seed %d, %+v: the live run differs from the virtual run", seed, cfg)
			}
			if result.Committed != b.Len() || result.Lag.Max != 0 {
				t.Errorf("seed %d: %+v", seed, result)
			}
			for _, v := range got.column(0, event.BlockStore, first, b.Len()) {
				if v != commit {
					t.Fatalf("seed %d: a commit's block store took %d ns, want %d", seed, v, commit)
				}
			}
		})
	}
}

// Behind a shut door nobody reads: of all that the connection holds, the peer takes what
// fits into buffer, committer, door and hand.
func TestLiveReadsNothingBehindAShutDoor(t *testing.T) {
	for _, preset := range pipeline.Presets() {
		cfg, _ := pipeline.Preset(preset)
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			source, got := &line{end: io.EOF}, &journal{}
			for i := range 500 {
				source.coming = append(source.coming, coming{Block: block.Block{Number: first + event.BlockNum(i)}})
			}
			result, err := inBubble(ctx, cfg, source, stalled{}, got)
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("error %v, want %v", err, context.DeadlineExceeded)
			}
			count := func(k event.Kind) (n int) {
				for _, v := range got.column(0, k, first, 500) {
					if v != event.Missing {
						n++
					}
				}
				return n
			}
			admitted := cfg.Policy.Capacity() + 1
			if e, d, r := count(event.Enqueued), count(event.AtDoor), count(event.Received); e != admitted || d != admitted+1 || r != admitted+1+cfg.Hand {
				t.Errorf("%s: %d admitted, %d at the door, %d received; want %d, %d, %d", preset, e, d, r, admitted, admitted+1, admitted+1+cfg.Hand)
			}
			if reads := int(source.reads.Load()); reads != admitted+1+cfg.Hand || result.Committed != 0 {
				t.Errorf("%s: the stream was read %d times; %+v", preset, reads, result)
			}
		})
	}
}

// Cancelled in the middle of a commit, a live run tells of the commit that the ledger
// has finished.
func TestLiveEndsCleanly(t *testing.T) {
	cfg, _ := pipeline.Preset(pipeline.Fabric2x)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(50*time.Millisecond, cancel)
		source, got := &line{end: io.EOF}, &journal{}
		for i := range 5 {
			source.coming = append(source.coming, coming{Block: block.Block{Number: first + event.BlockNum(i)}})
		}
		result, err := inBubble(ctx, cfg, source, deaf{}, got)
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("error %v, want %v", err, context.Canceled)
		}
		want := int64(cfg.Intake.Fixed + cfg.Wake + deafCommit)
		if at := got.column(0, event.Committed, first, 1)[0]; at != want || result.Committed != 1 {
			t.Errorf("the block is committed at %v, want %v; %+v", at, want, result)
		}
	})
}

func TestLiveFails(t *testing.T) {
	cfg, _ := pipeline.Preset(pipeline.Fabric2x)
	one := func(n event.BlockNum, bytes int) []coming {
		return []coming{{Block: block.Block{Number: n, Bytes: bytes}}}
	}
	errFork := errors.New("the chain forks")
	for name, c := range map[string]struct {
		source *line
		ledger Ledger
		is     error
	}{
		"receiver":    {&line{end: errFork}, &sleeper{}, errFork},
		"hole":        {&line{coming: one(first+1, 1)}, &sleeper{}, nil},
		"absurd size": {&line{coming: one(first, -1)}, &sleeper{}, nil},
		"ledger":      {&line{coming: one(first, 1), end: io.EOF}, full{}, errDisk},
	} {
		synctest.Test(t, func(t *testing.T) {
			_, err := inBubble(t.Context(), cfg, c.source, c.ledger, nil)
			if err == nil || c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("%s: error %v, want %v", name, err, c.is)
			}
		})
	}
	linked := cfg
	linked.Link.Latency = 1
	for _, s := range []LiveStream{
		{Config: cfg, Ledger: &sleeper{}}, {Config: cfg, Receiver: &line{}},
		{Config: linked, Ledger: &sleeper{}, Receiver: &line{}},
		{Ledger: &sleeper{}, Receiver: &line{}},
	} {
		if _, err := Live(t.Context(), s); err == nil {
			t.Errorf("%+v was taken", s)
		}
	}
}

// full is a ledger without room.
type full struct{}

func (full) Validate(context.Context, *block.Block) error { return nil }

func (full) Commit(context.Context, *block.Block) (block.Stages, error) {
	return block.Stages{}, errDisk
}

// An alarm rings when it is time and not before, and an earlier setting gives way.
func TestAlarm(t *testing.T) {
	for name, a := range map[string]*Alarm{"plain": NewPlainAlarm(), "best": NewAlarm()} {
		a.Set(time.Hour)
		for _, left := range []time.Duration{-1, 0, 50 * time.Microsecond, 3 * time.Millisecond} {
			began := time.Now()
			a.Set(left)
			<-a.C
			if passed := time.Since(began); passed < left {
				t.Errorf("%s: it rang after %v of %v", name, passed, left)
			}
		}
		a.Set(time.Hour)
		a.Close()
		select {
		case <-a.C:
			t.Errorf("%s: it rang when closed", name)
		default:
		}
	}
}

// BenchmarkAlarm reports how late alarms ring when the machine is idle.
func BenchmarkAlarm(b *testing.B) {
	for name, a := range map[string]*Alarm{"plain": NewPlainAlarm(), "best": NewAlarm()} {
		b.Run(name, func(b *testing.B) {
			var l lateness
			for b.Loop() {
				began := time.Now()
				a.Set(300 * time.Microsecond)
				<-a.C
				l.add(time.Since(began) - 300*time.Microsecond)
			}
			b.ReportMetric(float64(l.quantile(50).Microseconds()), "late-p50-µs")
			b.ReportMetric(float64(l.quantile(99).Microseconds()), "late-p99-µs")
			b.ReportMetric(0, "ns/op")
		})
		a.Close()
	}
}
