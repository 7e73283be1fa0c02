package network

import (
	"bytes"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/blockreel/blockreel/recorder"
	"github.com/blockreel/blockreel/replay/driver"
	"github.com/blockreel/blockreel/replay/ledger"
	"github.com/blockreel/blockreel/replay/pipeline"
	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// mostInFlight bounds what gRPC may hold of a stream whose reader stands still: the
// largest window that it grows to by itself is 16 MiB (google.golang.org/grpc/internal/
// transport: bdpLimit), and 64 KiB and a message wait before it (defaultWriteQuota).
const mostInFlight = 20 << 20

// A committer that stands still shuts the door; then nobody reads the stream, HTTP/2's
// window fills, and the orderer's Send blocks. The peer has 2N + 1 blocks in its buffer,
// one popped, one at the door and one in hand; gRPC has the rest of what was sent.
func TestShutDoorBlocksTheOrderer(t *testing.T) {
	const blocks, size = 1000, 33_000
	for _, preset := range pipeline.Presets()[:2] {
		t.Run(preset, func(t *testing.T) {
			gate := make(chan struct{})
			lag := &gated{gate: gate}
			c := small()
			c.Channels, c.Orgs, c.Bytes, c.Reused = 1, 1, size, true
			c.Load = Load{Rate: MaxRate, Blocks: blocks}
			c.Pipeline, _ = pipeline.Preset(preset)
			c.Pipeline.Policy.Retry = time.Millisecond // the poll is not what this is about
			n := opened(t, with(c, func(ledger.Config) store { return lag }))
			seen := newCounter()
			stop := background(t, n, seen)

			admitted := c.Pipeline.Policy.Capacity() + 1
			received := admitted + 1 + c.Pipeline.Hand
			seen.wait(t, 0, event.Offered, blocks)
			seen.wait(t, 0, event.Received, received)
			seen.wait(t, 0, event.AtDoor, admitted+1)
			seen.quiet()
			for _, k := range []struct {
				kind event.Kind
				want int
			}{{event.Dequeued, 1}, {event.Enqueued, admitted}, {event.AtDoor, admitted + 1}, {event.Received, received}} {
				if got := seen.count(0, k.kind); got != k.want {
					t.Errorf("%d blocks %v, want %d", got, k.kind, k.want)
				}
			}
			if got := n.Status()[1].Channels[0].Buffered; got != c.Pipeline.Policy.Capacity() {
				t.Errorf("%d blocks buffered, want %d", got, c.Pipeline.Policy.Capacity())
			}
			sent := seen.count(0, event.Sent)
			inFlight := sent - received
			t.Logf("behind the shut door: %d buffered, 1 popped, 1 at the door, %d in hand; %d blocks in flight in gRPC, %.2f MB",
				admitted-1, c.Pipeline.Hand, inFlight, float64(inFlight*size)/1e6)
			if inFlight < 0 || inFlight*size > mostInFlight {
				t.Errorf("%d blocks in flight: more than gRPC may hold", inFlight)
			}
			if sent == blocks {
				t.Error("the orderer has sent everything to a peer that does not read")
			}

			close(gate)
			seen.wait(t, 0, event.Committed, blocks)
			if _, err := stop(); err != nil || len(lag.wrong) > 0 {
				t.Errorf("%v; out of order: %v", err, lag.wrong)
			}
		})
	}
}

// heap is what is in use after a collection.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// An orderer that is 100,000 blocks ahead costs its index, eight bytes a block; the peer
// costs nothing more than when the gap was a tenth of that.
func TestGapTakesNoMemory(t *testing.T) {
	blocks := 100_000
	if testing.Short() {
		blocks = 10_000
	}
	gate := make(chan struct{})
	lag := &gated{gate: gate}
	c := small()
	c.Channels, c.Orgs, c.Writes, c.Bytes, c.Reused = 1, 1, 1, 0, true
	c.Load = Load{Rate: MaxRate, Blocks: blocks}
	c.Pipeline = pipeline.Config{Policy: c.Pipeline.Policy} // an intake that costs only what it does
	c.Pipeline.Policy.Retry = time.Millisecond
	n := opened(t, with(c, func(ledger.Config) store { return lag }))
	seen := newCounter()
	stop := background(t, n, seen)

	seen.wait(t, 0, event.Dequeued, 1)
	gap := func() int64 {
		s := n.Status()
		return int64(s[0].Channels[0].Height - s[1].Channels[0].Height)
	}
	seen.wait(t, 0, event.Offered, blocks/10)
	early, before := gap(), heap()
	seen.wait(t, 0, event.Offered, blocks)
	late, after := gap(), heap()
	if late != int64(blocks) {
		t.Errorf("the gap is %d blocks, want %d", late, blocks)
	}
	// A slice's capacity grows by up to a quarter beyond its length.
	index := int64(blocks) * 8 * 5 / 4
	t.Logf("gap %d blocks: %d kB in use; gap %d blocks: %d kB, of which the orderer's index is %d kB or less",
		early, before>>10, late, after>>10, index>>10)
	const slack = 2 << 20 // buffers of gRPC that come and go
	if after-before > index+slack {
		t.Errorf("%d kB more in use for %d blocks more", (after-before)>>10, late-early)
	}

	close(gate)
	seen.wait(t, 0, event.Committed, blocks)
	if s, err := stop(); err != nil || s.Streams[0].Committed != blocks || len(lag.wrong) > 0 {
		t.Errorf("%+v, %v; out of order: %v", s.Streams, err, lag.wrong)
	}
}

// Four streams of two organizations on two channels: a committer that stands still on
// one changes nothing for the other three.
func TestStreamsAreIsolated(t *testing.T) {
	const stuck = 2
	c := small()
	c.Load = Load{Rate: 2000, Blocks: 400}
	c.Bytes, c.Reused = 33_000, true
	c.Pipeline.Policy.Retry = time.Millisecond
	gate := make(chan struct{})
	opened4 := 0
	n := opened(t, with(c, func(ledger.Config) store {
		opened4++
		if opened4 == stuck+1 {
			return &gated{gate: gate}
		}
		return &gated{}
	}))
	seen := newCounter()
	stop := background(t, n, seen)
	for i := range 4 {
		if i != stuck {
			seen.wait(t, i, event.Committed, c.Blocks)
		}
	}
	seen.quiet()
	if got, want := seen.count(stuck, event.Enqueued), c.Pipeline.Policy.Capacity()+1; got != want || seen.count(stuck, event.Committed) != 0 {
		t.Errorf("the stalled stream has admitted %d blocks and committed %d, want %d and 0", got, seen.count(stuck, event.Committed), want)
	}
	close(gate)
	seen.wait(t, stuck, event.Committed, c.Blocks)
	s, err := stop()
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range s.Streams {
		if r.Committed != c.Blocks || r.Breaks != 0 {
			t.Errorf("stream %d: %+v", i, r)
		}
	}
}

// both hands events to two observers.
type both [2]driver.Observer

func (b both) Observe(e event.Event) {
	b[0].Observe(e)
	b[1].Observe(e)
}

// An orderer that dies and comes back in the middle of a run leaves no hole and no
// duplicate: each peer takes its stream up again at the block that it lacks.
func TestOrdererRestarts(t *testing.T) {
	c := small()
	c.Load = Load{Rate: 1000, Blocks: 600}
	c.Bytes, c.Reused = 10_000, true
	var ledgers []*gated
	n := opened(t, with(c, func(ledger.Config) store {
		g := &gated{takes: 500 * time.Microsecond}
		ledgers = append(ledgers, g)
		return g
	}))
	seen := newCounter()
	if err := n.Prepare(within(t)); err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	r, err := recorder.New(&file, n.Header("test"), recorder.Config{})
	if err != nil {
		t.Fatal(err)
	}
	stop := background(t, n, both{r, seen})
	for _, at := range []int{100, 300} {
		seen.wait(t, 0, event.Committed, at)
		if err := n.orderer.stop(); err != nil {
			t.Fatal(err)
		}
		if err := n.orderer.start(n.orderer.node.Address); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 4 {
		seen.wait(t, i, event.Committed, c.Blocks)
	}
	s, err := stop()
	if err = errors.Join(err, r.Close()); err != nil {
		t.Fatal(err)
	}
	tr, err := traces.Read(&file)
	if err != nil {
		t.Fatal(err)
	}
	for _, tl := range tr.Timelines {
		for k := event.Offered; k <= event.Committed; k++ {
			if got := tl.Observed(k); got != c.Blocks || tl.Len() != c.Blocks {
				t.Errorf("%s: %d of %d blocks in the trace are %v, want %d", tl.Name(), got, tl.Len(), k, c.Blocks)
			}
		}
	}
	for i, r := range s.Streams {
		if len(ledgers[i].wrong) > 0 || r.Committed != c.Blocks || r.Breaks == 0 {
			t.Errorf("%s: out of order: %v; %+v", r.Name, ledgers[i].wrong, r)
		}
		if got := seen.count(i, event.Received); got != c.Blocks {
			t.Errorf("%s: %d blocks received, want %d", r.Name, got, c.Blocks)
		}
		t.Logf("%s: %d breaks, %d blocks sent for %d received", r.Name, r.Breaks, seen.count(i, event.Sent), c.Blocks)
	}
}
