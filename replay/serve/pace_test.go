package serve

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/blockreel/blockreel/internal/fabric/blocktest"
	"github.com/blockreel/blockreel/internal/fabric/deliver"
	"github.com/blockreel/blockreel/traces/event"
)

const second = event.Time(time.Second)

// sampleRun are the sample's blocks from block first on, a second apart, beginning at an
// odd time of the trace.
func sampleRun(t testing.TB, channel string, first int) run {
	r := run{channel: channel, blocks: blocktest.Sample(t)[first:]}
	for i := range r.blocks {
		r.offered = append(r.offered, 1_234_567+event.Time(i)*second)
	}
	return r
}

// arrivals reads blocks and gives the time of each since begun.
func arrivals(t *testing.T, l deliver.Ledger, begun time.Time, blocks [][]byte) []time.Duration {
	t.Helper()
	var at []time.Duration
	for _, want := range blocks {
		raw, err := l.Block(t.Context(), uint64(number(t, want)))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(raw, want) {
			t.Fatalf("block %d differs", number(t, want))
		}
		at = append(at, time.Since(begun))
	}
	return at
}

func request(t *testing.T, s *Server, channel string) deliver.Ledger {
	t.Helper()
	l, ok := s.ledger(channel)
	if !ok {
		t.Fatalf("no channel %s", channel)
	}
	return l
}

func TestPace(t *testing.T) {
	seconds := func(of ...float64) (all []time.Duration) {
		for _, s := range of {
			all = append(all, time.Duration(s*float64(time.Second)))
		}
		return all
	}
	for _, tc := range []struct {
		name string
		cfg  Config
		// miss leaves out the times of these blocks.
		miss []int
		// early moves a block 2.5 s forward, before blocks that precede it.
		early int
		want  []time.Duration
	}{
		{name: "as recorded", want: seconds(0, 1, 2, 3, 4, 5)},
		{name: "four times as fast", cfg: Config{Speed: 4}, want: seconds(0, .25, .5, .75, 1, 1.25)},
		{name: "half as fast", cfg: Config{Speed: .5}, want: seconds(0, 2, 4, 6, 8, 10)},
		{name: "unpaced", cfg: Config{Unpaced: true}, want: seconds(0, 0, 0, 0, 0, 0)},
		{name: "stall", cfg: Config{Stalls: []Stall{{1500 * time.Millisecond, 2 * time.Second}}}, want: seconds(0, 1, 3.5, 3.5, 4, 5)},
		{
			name: "stalls that touch", want: seconds(0, 1, 4.5, 4.5, 4.5, 5),
			cfg: Config{Stalls: []Stall{{3 * time.Second, 1500 * time.Millisecond}, {1500 * time.Millisecond, 1500 * time.Millisecond}}},
		},
		{
			name: "stall at twice the speed", want: seconds(0, .5, 1.75, 1.75, 2, 2.5),
			cfg: Config{Speed: 2, Stalls: []Stall{{1500 * time.Millisecond, 2 * time.Second}}},
		},
		{name: "unpaced with a stall", cfg: Config{Unpaced: true, Stalls: []Stall{{0, time.Second}}}, want: seconds(1, 1, 1, 1, 1, 1)},
		{name: "a time is missing", miss: []int{3}, want: seconds(0, 1, 2, 2, 4, 5)},
		{name: "the first blocks are from before the recording", miss: []int{0, 1}, want: seconds(0, 0, 0, 1, 2, 3)},
		{name: "a block before its predecessors", early: 3, want: seconds(0, 1, 2, 2, 4, 5)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := sampleRun(t, "ch1", 4)
			r.blocks, r.offered = r.blocks[:6], r.offered[:6]
			for _, i := range tc.miss {
				r.offered[i] = event.Missing
			}
			if tc.early > 0 {
				r.offered[tc.early] -= 5 * second / 2
			}
			s := newServer(t, tc.cfg, r)
			if got := len(s.Warnings()); got != len(tc.miss)%2 {
				t.Errorf("warnings: %q", s.Warnings())
			}
			if due := s.channels[0].due; !slices.IsSorted(due) {
				t.Errorf("blocks are offered at %v: the height would fall", due)
			}
			synctest.Test(t, func(t *testing.T) {
				s.clock = newClock()
				s.clock.begin()
				got := arrivals(t, request(t, s, "ch1"), time.Now(), r.blocks)
				for i, want := range tc.want {
					if got[i] != want {
						t.Fatalf("blocks come at %v, want %v", got, tc.want)
					}
				}
			})
		})
	}
}

// A reader that comes late finds what was offered so far, and the rest at its time; a slow
// one shifts nothing.
func TestLateAndSlow(t *testing.T) {
	r := sampleRun(t, "ch1", 4)
	s := newServer(t, Config{}, r)
	synctest.Test(t, func(t *testing.T) {
		s.clock = newClock()
		s.clock.begin()
		begun := time.Now()
		<-time.After(3500 * time.Millisecond)
		late := request(t, s, "ch1")
		if late.Oldest() != 4 || late.Height() != 8 {
			t.Errorf("the ledger holds blocks %d to %d, want 4 to 8", late.Oldest(), late.Height())
		}
		at := arrivals(t, late, begun, r.blocks[:5])
		if at[3] != 3500*time.Millisecond || at[4] != 4*time.Second {
			t.Errorf("blocks come at %v", at)
		}
		<-time.After(2500 * time.Millisecond)
		if at = arrivals(t, late, begun, r.blocks[5:8]); at[1] != 6500*time.Millisecond || at[2] != 7*time.Second {
			t.Errorf("behind a pause blocks come at %v", at)
		}
	})
}

// Two channels keep their distance in time, and a held clock waits until somebody wants
// a block of the recording: those before it are there at once.
func TestHold(t *testing.T) {
	one, two := sampleRun(t, "ch1", 2), sampleRun(t, "ch2", 6)
	for i := range two.offered {
		two.offered[i] += 12 * second
	}
	one.offered[0], one.offered[1] = event.Missing, event.Missing
	s := newServer(t, Config{Hold: true}, one, two)
	synctest.Test(t, func(t *testing.T) {
		s.clock = newClock()
		ch1, ch2 := request(t, s, "ch1"), request(t, s, "ch2")
		<-time.After(time.Hour)
		s.hooks().Opened(&deliver.Request{Seek: deliver.Seek{Channel: "ch1"}, First: 2})
		if at := arrivals(t, ch1, time.Now(), one.blocks[:2]); at[1] != 0 {
			t.Errorf("blocks of before the recording come after %v", at)
		}
		if s.clock.running() {
			t.Error("the clock has started for them")
		}
		if h := ch2.Height(); h != 6 {
			t.Errorf("height of ch2 is %d before the start, want 6", h)
		}
		if h := ch1.Height(); h != 5 {
			t.Errorf("height of ch1 is %d before the start, want 5: the recording's first block is there", h)
		}
		<-time.After(time.Hour)
		begun := time.Now()
		if at := arrivals(t, ch1, begun, one.blocks[2:4]); at[0] != 0 || at[1] != time.Second {
			t.Errorf("the recording's blocks come after %v", at)
		}
		if at := arrivals(t, ch2, begun, two.blocks[:1]); at[0] != 10*time.Second {
			t.Errorf("ch2's first block comes after %v, want 10s", at[0])
		}
	})
}

// A held clock also starts for a reader whose ledger is ahead, and for no other refusal.
func TestHoldStartsForReaderAhead(t *testing.T) {
	for _, tc := range []struct {
		channel string
		first   uint64
		starts  bool
	}{{"ch1", 8, true}, {"ch1", 2, false}, {"ch9", 8, false}} {
		s := newServer(t, Config{Hold: true}, sampleRun(t, "ch1", 4))
		s.hooks().Ended(&deliver.Request{Seek: deliver.Seek{Channel: tc.channel}, First: tc.first}, notFound)
		select {
		case <-s.clock.started:
			if !tc.starts {
				t.Errorf("%+v: the clock started", tc)
			}
		default:
			if tc.starts {
				t.Errorf("%+v: the clock did not start", tc)
			}
		}
	}
}

func TestDisconnect(t *testing.T) {
	r := sampleRun(t, "ch1", 4)
	s := newServer(t, Config{Disconnects: []time.Duration{2500 * time.Millisecond, 4500 * time.Millisecond}}, r)
	synctest.Test(t, func(t *testing.T) {
		s.clock = newClock()
		s.clock.begin()
		begun, next := time.Now(), 0
		for _, cut := range []time.Duration{2500 * time.Millisecond, 4500 * time.Millisecond} {
			l := request(t, s, "ch1")
			for ; ; next++ {
				raw, err := l.Block(t.Context(), uint64(4+next))
				if errors.Is(err, deliver.ErrDisconnect) {
					break
				}
				if err != nil || !bytes.Equal(raw, r.blocks[next]) {
					t.Fatalf("block %d: %v", 4+next, err)
				}
			}
			if at := time.Since(begun); at != cut {
				t.Errorf("cut after %v, want %v", at, cut)
			}
		}
		at := arrivals(t, request(t, s, "ch1"), begun, r.blocks[next:])
		if want := time.Duration(len(r.blocks)-1) * time.Second; at[len(at)-1] != want {
			t.Errorf("the last block comes at %v, want %v", at[len(at)-1], want)
		}
	})
}

// Behind the trace's end a reader waits, and leaves when it wants.
func TestEnd(t *testing.T) {
	s := newServer(t, Config{Unpaced: true}, sampleRun(t, "ch1", 4))
	synctest.Test(t, func(t *testing.T) {
		s.clock = newClock()
		s.clock.begin()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if _, err := request(t, s, "ch1").Block(ctx, 14); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v, want %v", err, context.DeadlineExceeded)
		}
	})
}
