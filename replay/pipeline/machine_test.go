package pipeline

import (
	"strings"
	"testing"
	"time"

	"github.com/blockreel/blockreel/traces/event"
)

// An input is one of a Machine's.
type input func(*Machine) []Output

func tick(at event.Time) input { return func(m *Machine) []Output { return m.Tick(at) } }

func offer(b event.BlockNum, bytes int64, transit time.Duration) input {
	return func(m *Machine) []Output { return m.Offer(0, b, bytes, transit) }
}

func ready(at event.Time, b event.BlockNum) input {
	return func(m *Machine) []Output { return m.Ready(at, b) }
}

func inputs(m *Machine, in ...input) []Output {
	var out []Output
	for _, i := range in {
		out = append(out, i(m)...)
	}
	return out
}

// Fabric 1.4, N = 100, a committer that stands still with its first block in hand:
// exactly 202 blocks are admitted, and a 203rd stands at the door, whenever one looks.
func TestStalledCommitterAdmits202(t *testing.T) {
	cfg, _ := Preset(Fabric14)
	m, err := New(cfg, 1)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[event.Kind]int{}
	for n, now := event.BlockNum(1), event.Time(0); now < event.Time(MaxDuration); {
		var happens []Output
		if wake, ok := m.Wake(); ok {
			now = wake
			happens = m.Tick(now)
		} else if n < 1000 {
			happens = m.Offer(now, n, 33_000, 0)
			n++
		} else {
			break
		}
		for _, o := range happens {
			seen[o.Kind]++
		}
	}
	door, shut := m.Door()
	if seen[event.Enqueued] != 202 || seen[event.Dequeued] != 1 || m.Buffered() != 201 {
		t.Errorf("%d admitted, %d popped, %d buffered; want 202, 1, 201", seen[event.Enqueued], seen[event.Dequeued], m.Buffered())
	}
	if !shut || door != 203 || seen[event.AtDoor] != 203 || seen[event.Received] != 203 {
		t.Errorf("block %d stands at the door (%v), %d came there, %d were received; want 203, all three", door, shut, seen[event.AtDoor], seen[event.Received])
	}
}

// A step ends after a pop, so that a block that takes no time is completed before the
// door is looked at, at the same instant.
func TestStepEndsAfterPop(t *testing.T) {
	m, err := New(Config{Policy: Policy{Name: Fabric, N: 1, Retry: 100}}, 0)
	if err != nil {
		t.Fatal(err)
	}
	for n := range event.BlockNum(5) {
		inputs(m, offer(n, 0, 0), tick(0))
	}
	// Block 4 stands at the door and looks again at 100, when block 0 is done.
	out := inputs(m, ready(100, 0))
	if len(out) != 1 || out[0] != (Output{event.Dequeued, 1, 100}) {
		t.Fatalf("the step gave %v, want the pop of block 1 alone", out)
	}
	if at, ok := m.Wake(); !ok || at != 100 {
		t.Fatalf("the machine wakes at %d, %v; want 100", at, ok)
	}
	out = inputs(m, ready(100, 1), tick(100))
	if len(out) != 2 || out[0] != (Output{event.Dequeued, 2, 100}) || out[1] != (Output{event.Enqueued, 4, 100}) {
		t.Errorf("then the steps gave %v, want the pop of block 2 and the enqueueing of block 4", out)
	}
}

func TestStepRefuses(t *testing.T) {
	for name, in := range map[string][]input{
		"time that runs backwards":    {tick(10), tick(9)},
		"an offer that is not wanted": {offer(0, 10, 0), offer(1, 0, 0)},
		"a negative size":             {offer(0, -1, 0)},
		"a size beyond the limit":     {offer(0, MaxBlockBytes+1, 0)},
		"a negative transit":          {offer(0, 0, -1)},
		"ready without a pop":         {ready(0, 0)},
		"ready from another block":    {offer(0, 0, 0), tick(1e9), ready(1e9, 1)},
		"a block that is ready twice": {offer(0, 0, 0), tick(1e9), ready(1e9, 0), ready(1e9, 0)},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if text, _ := recover().(string); !strings.HasPrefix(text, "pipeline: ") {
					t.Errorf("the machine took it, or said %q", text)
				}
			}()
			m, err := New(Config{Policy: Policy{Name: Ideal, N: 1}, Link: Link{Bandwidth: 1000}}, 0)
			if err != nil {
				t.Fatal(err)
			}
			inputs(m, in...)
		})
	}
}

// A Tick that comes late finds what was due happening late; nothing is lost.
func TestLateTick(t *testing.T) {
	m, err := New(Config{Policy: Policy{Name: Ideal, N: 1}, Intake: Intake{Fixed: 10}, Hand: 1}, 0)
	if err != nil {
		t.Fatal(err)
	}
	out := inputs(m, offer(0, 0, 0), offer(1, 0, 0), tick(50), tick(50), tick(65))
	want := []Output{
		{event.Sent, 0, 0}, {event.Received, 0, 0}, {event.Sent, 1, 0}, {event.Received, 1, 0},
		{event.AtDoor, 0, 50}, {event.Enqueued, 0, 50}, {event.Dequeued, 0, 50},
		{event.AtDoor, 1, 65}, {event.Enqueued, 1, 65},
	}
	if len(out) != len(want) {
		t.Fatalf("got %v, want %v", out, want)
	}
	for i := range want {
		if out[i] != want[i] {
			t.Errorf("output %d is %v, want %v", i, out[i], want[i])
		}
	}
}

// An input ends after many outputs, and the others come at the same instant.
func TestManyOutputs(t *testing.T) {
	m, err := New(Config{Policy: Policy{Name: Unbounded}, Link: Link{Latency: 10}}, 5)
	if err != nil {
		t.Fatal(err)
	}
	const blocks = 20
	for n := range event.BlockNum(blocks) {
		m.Offer(0, n+5, 0, 0)
	}
	all := 0
	for at, due := m.Wake(); due; at, due = m.Wake() {
		out := m.Tick(at)
		if at != 10 || len(out) == 0 || len(out) > len(m.outputs) {
			t.Fatalf("%d outputs at %d", len(out), at)
		}
		all += len(out)
	}
	if all != 3*blocks+1 || m.Buffered() != blocks-1 {
		t.Errorf("%d outputs, %d blocks buffered; want %d, %d", all, m.Buffered(), 3*blocks+1, blocks-1)
	}
}

func TestInputsDoNotAllocate(t *testing.T) {
	blocks, n, now := overloaded(100), event.BlockNum(0), event.Time(0)
	m, err := New(fabric2x(), 0)
	if err != nil {
		t.Fatal(err)
	}
	step := func() { // offers a block, and commits it when it is popped
		happens := m.Offer(now, n, blocks.Bytes[n%100], 0)
		n++
		for len(happens) == 0 || happens[len(happens)-1].Kind != event.Dequeued {
			now, _ = m.Wake()
			happens = m.Tick(now)
		}
		now += event.Time(time.Millisecond)
		m.Ready(now, n-1)
	}
	step()
	if allocs := testing.AllocsPerRun(1000, step); allocs != 0 {
		t.Errorf("%v allocations a block", allocs)
	}
}

// The buffer's runs hold the same numbers as a set would.
func FuzzPayloads(f *testing.F) {
	f.Add([]byte{2, 4, 3, 3, 0, 200, 1})
	f.Fuzz(func(t *testing.T, numbers []byte) {
		var p payloads
		set := map[event.BlockNum]bool{}
		next := event.BlockNum(0)
		for _, b := range numbers {
			if n := event.BlockNum(b); n >= next {
				if p.push(n) == set[n] {
					t.Fatalf("push of %d into %v of %v", n, set, p)
				}
				set[n] = true
			}
			if b%3 == 0 && p.starts(next) {
				p.shift()
				delete(set, next)
				next++
			}
			if p.starts(next) != set[next] || p.n != len(set) {
				t.Fatalf("%v has %d numbers and should be %v from %d on", p, p.n, set, next)
			}
			for i := 1; i < len(p.runs); i++ {
				if p.runs[i-1].end >= p.runs[i].first {
					t.Fatalf("runs %v touch", p.runs)
				}
			}
		}
	})
}
