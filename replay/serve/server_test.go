package serve

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/blockreel/blockreel/internal/fabric"
	"github.com/blockreel/blockreel/internal/fabric/blocktest"
	"github.com/blockreel/blockreel/internal/fabric/deliver"
	"github.com/blockreel/blockreel/internal/fabric/fabrictest"
	commonpb "github.com/blockreel/blockreel/internal/fabric/proto/common"
	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

var notFound = &deliver.StatusError{Status: commonpb.Status_NOT_FOUND}

// Any number of readers, each from its own height, get the trace's bytes over TLS.
func TestServe(t *testing.T) {
	sample := blocktest.Sample(t)
	for _, mutual := range []bool{false, true} {
		n := start(t, mutual, Config{Unpaced: true, Hold: true}, run{channel: "ch1", blocks: sample}, run{channel: "ch2", blocks: sample[5:]})
		var group errgroup.Group
		for from := range sample {
			stream := n.open(t, deliver.Seek{Channel: "ch1", Start: deliver.At(uint64(from)), Stop: deliver.At(13)})
			group.Go(func() error { return readAll(stream, sample[from:]) })
		}
		if err := group.Wait(); err != nil {
			t.Fatal(err)
		}
		stream := n.open(t, deliver.Seek{Channel: "ch2", Stop: deliver.Newest})
		if err := readAll(stream, sample[5:]); err != nil {
			t.Fatal(err)
		}
		if st := n.Status(); len(st) != 2 || st[0].Height != 14 || st[0].Sent != 14*15/2 || st[1].First != 5 || st[1].Sent != 9 {
			t.Errorf("status is %+v", st)
		}
	}
}

// Before the first recorded block, behind the offered ones and on other channels there is
// nothing.
func TestNotFound(t *testing.T) {
	r := sampleRun(t, "ch1", 4)
	for i := range r.offered[1:] {
		r.offered[i+1] += 3600 * second
	}
	n := start(t, false, Config{}, r)
	for _, seek := range []deliver.Seek{
		{Channel: "ch1", Start: deliver.At(0)},
		{Channel: "ch1", Start: deliver.At(3)},
		{Channel: "ch1", Start: deliver.At(6)},
		{Channel: "ch2"},
	} {
		if _, err := n.open(t, seek).Recv(); !errors.Is(err, notFound) {
			t.Errorf("%+v: %v, want %v", seek, err, notFound)
		}
	}
	stream := n.open(t, deliver.Seek{Channel: "ch1", Start: deliver.At(4), FailIfNotReady: true})
	if err := read(stream, r.blocks[:1]); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); !errors.Is(err, notFound) {
		t.Errorf("block 5: %v, want %v", err, notFound)
	}
}

// A reader that is cut off comes back and misses nothing.
func TestDisconnectOnTheWire(t *testing.T) {
	r := run{channel: "ch1", blocks: blocktest.Sample(t), offered: make([]event.Time, 14)}
	for i := range r.offered {
		r.offered[i] = event.Time(i) * second
	}
	// Two cuts in a run of some 130 ms, each while a block is waited for.
	n := start(t, false, Config{Speed: 100, Hold: true, Disconnects: []time.Duration{4500 * time.Millisecond, 9500 * time.Millisecond}}, r)
	next, cuts := 0, 0
	for next < len(r.blocks) {
		stream := n.open(t, deliver.Seek{Channel: "ch1", Start: deliver.At(uint64(next))})
		for next < len(r.blocks) {
			d, err := stream.Recv()
			if err != nil {
				if deliver.Permanent(err) {
					t.Fatal(err)
				}
				cuts++
				break
			}
			if d.Number() != uint64(next) {
				t.Fatalf("block %d, want %d", d.Number(), next)
			}
			next++
		}
	}
	if cuts == 0 {
		t.Error("the stream was never cut")
	}
}

func TestListen(t *testing.T) {
	for _, address := range []string{":0", "0.0.0.0:0", "[::]:0", "192.0.2.1:0", "nonsense"} {
		if l, err := Listen(address, false); err == nil {
			l.Close()
			t.Errorf("%s is listened on without TLS", address)
		}
	}
	for address, secure := range map[string]bool{"127.0.0.1:0": false, "localhost:0": false, "0.0.0.0:0": true} {
		l, err := Listen(address, secure)
		if err != nil {
			t.Errorf("%s: %v", address, err)
			continue
		}
		l.Close()
	}
}

func TestRefuses(t *testing.T) {
	sample := blocktest.Sample(t)
	holed := run{channel: "ch1", blocks: slices.Concat(sample[:3], sample[5:])}
	for _, tc := range []struct {
		cfg  Config
		runs []run
		want string
	}{
		{runs: []run{{channel: "ch1"}}, want: "blockreel attach"},
		{runs: []run{holed}, want: "blocks 3 to 4 have no payload"},
		{runs: []run{{channel: "ch1", blocks: sample}}, cfg: Config{Speed: -1}, want: "speed"},
		{runs: []run{{channel: "ch1", blocks: sample}}, cfg: Config{Speed: 2, Unpaced: true}, want: "Speed and Unpaced"},
		{runs: []run{{channel: "ch1", blocks: sample}}, cfg: Config{Stalls: []Stall{{1, 0}}}, want: "stall"},
		{runs: []run{{channel: "ch1", blocks: sample}}, cfg: Config{Disconnects: []time.Duration{0}}, want: "disconnect"},
	} {
		tr, payloads := trace(t, tc.runs...)
		tc.cfg.Dir = t.TempDir()
		s, err := New(tr, payloads, tc.cfg)
		if err == nil {
			s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("error %v, want one of %q", err, tc.want)
		}
	}
}

// A payload that is another block than the trace says, or none, or one that a peer would
// refuse, is an error.
func TestWrongPayload(t *testing.T) {
	sample := blocktest.Sample(t)
	block, err := fabric.ParseBlock(sample[3])
	if err != nil {
		t.Fatal(err)
	}
	tr, _ := trace(t, run{channel: "ch1", blocks: sample})
	fork := traces.Payload{Channel: "ch1", Block: 4, Bytes: fabrictest.NewOrg(t).Chain(t, "ch1", 5, 0)[4]}
	for want, wrong := range map[string]traces.Payload{
		"payload of block 3 of channel ch1 is block 4":                 {Channel: "ch1", Block: 3, Bytes: sample[4]},
		"payload of block 3 of channel ch1: block: malformed":          {Channel: "ch1", Block: 3, Bytes: []byte("no block")},
		"payload of block 3 of channel ch1: transactions do not match": {Channel: "ch1", Block: 3, Bytes: block.WithoutData()},
		"channel ch1: block 4 names another block 3 than":              fork,
		"recorded as headers there is nothing to serve":                {Channel: "ch1", Block: 3, Bytes: block.WithoutData()},
	} {
		payloads := func(yield func(traces.Payload, error) bool) {
			_ = yield(traces.Payload{Channel: "ch1", Block: wrong.Block - 1, Bytes: sample[wrong.Block-1]}, nil) && yield(wrong, nil)
		}
		s, err := New(tr, payloads, Config{Dir: t.TempDir()})
		if err == nil {
			s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// Channels without payloads are left out with a warning.
func TestSomePayloads(t *testing.T) {
	s := newServer(t, Config{}, run{channel: "ch1", blocks: blocktest.Sample(t)}, run{channel: "ch2"})
	if w := s.Warnings(); len(w) != 1 || !strings.Contains(w[0], "ch2") {
		t.Errorf("warnings: %q", w)
	}
	if _, ok := s.ledger("ch2"); ok {
		t.Error("ch2 is served")
	}
}

// Blocks that the trace tells of at its ends and does not hold are named.
func TestMissingAtTheEnds(t *testing.T) {
	tr, _ := trace(t, sampleRun(t, "ch1", 4))
	_, payloads := trace(t, run{channel: "ch1", blocks: blocktest.Sample(t)[6:12]})
	s, err := New(tr, payloads, Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	want := []string{
		"channel ch1: blocks 4 to 5 have no payload and are not served",
		"channel ch1: blocks 12 to 13 have no payload and are not served",
	}
	if !slices.Equal(s.Warnings(), want) {
		t.Errorf("warnings: %q", s.Warnings())
	}
	if st := s.Status()[0]; st.First != 6 || st.End != 12 || s.channels[0].due[0] != 0 {
		t.Errorf("status is %+v, and the first block is due at %v", st, s.channels[0].due[0])
	}
}

// Serve ends at once when its context does, whatever readers are doing.
func TestEndsWithReaders(t *testing.T) {
	n := &node{Server: newServer(t, Config{Hold: true}, sampleRun(t, "ch1", 4)), org: fabrictest.NewOrg(t)}
	stop := n.serve(t)
	stream := n.open(t, deliver.Seek{Channel: "ch1", Start: deliver.At(4)})
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	stop()
	if _, err := stream.Recv(); err == nil {
		t.Error("the stream goes on")
	}
	if st := n.Status(); st[0].Readers != 0 {
		t.Errorf("status is %+v", st)
	}
}
