package pipeline

import (
	"strings"
	"testing"

	"github.com/blockreel/blockreel/traces/event"
)

func inputs(t *testing.T, m *Machine, in ...Input) []Output {
	t.Helper()
	var out []Output
	for _, i := range in {
		out = m.Step(out, i)
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
		in := Input{Kind: Tick, At: now}
		if wake, ok := m.Wake(); ok {
			in.At = wake
		} else if n < 1000 {
			in = Input{Kind: Offer, At: now, Block: n, Bytes: 33_000}
			n++
		} else {
			break
		}
		now = in.At
		for _, o := range m.Step(nil, in) {
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
	m, err := New(Config{Policy: Policy{N: 1, Retry: 100}}, 0)
	if err != nil {
		t.Fatal(err)
	}
	for n := range event.BlockNum(5) {
		inputs(t, m, Input{Kind: Offer, Block: n}, Input{Kind: Tick})
	}
	// Block 4 stands at the door and looks again at 100, when block 0 is done.
	out := inputs(t, m, Input{Kind: Committed, At: 100, Block: 0}, Input{Kind: Ready, At: 100, Block: 0})
	if len(out) != 1 || out[0] != (Output{event.Dequeued, 1, 100}) {
		t.Fatalf("the step gave %v, want the pop of block 1 alone", out)
	}
	if at, ok := m.Wake(); !ok || at != 100 {
		t.Fatalf("the machine wakes at %d, %v; want 100", at, ok)
	}
	out = inputs(t, m, Input{Kind: Committed, At: 100, Block: 1}, Input{Kind: Ready, At: 100, Block: 1}, Input{Kind: Tick, At: 100})
	if len(out) != 2 || out[0] != (Output{event.Dequeued, 2, 100}) || out[1] != (Output{event.Enqueued, 4, 100}) {
		t.Errorf("then the steps gave %v, want the pop of block 2 and the enqueueing of block 4", out)
	}
}

func TestStepRefuses(t *testing.T) {
	for name, in := range map[string][]Input{
		"time that runs backwards":        {{Kind: Tick, At: 10}, {Kind: Tick, At: 9}},
		"an offer that is not wanted":     {{Kind: Offer, Bytes: 10}, {Kind: Offer, Block: 1}},
		"a negative size":                 {{Kind: Offer, Bytes: -1}},
		"a size beyond the limit":         {{Kind: Offer, Bytes: MaxBlockBytes + 1}},
		"a negative transit":              {{Kind: Offer, Transit: -1}},
		"a commit without a pop":          {{Kind: Committed}},
		"ready without a pop":             {{Kind: Ready}},
		"an unknown kind":                 {{Kind: 99}},
		"a commit of another block":       {{Kind: Offer}, {Kind: Tick, At: 1e9}, {Kind: Committed, At: 1e9, Block: 1}},
		"a block that is committed twice": {{Kind: Offer}, {Kind: Tick, At: 1e9}, {Kind: Committed, At: 1e9}, {Kind: Committed, At: 1e9}},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if text, _ := recover().(string); !strings.HasPrefix(text, "pipeline: ") {
					t.Errorf("the machine took it, or said %q", text)
				}
			}()
			m, err := New(Config{Policy: Policy{N: 1}, Link: Link{Bandwidth: 1000}}, 0)
			if err != nil {
				t.Fatal(err)
			}
			inputs(t, m, in...)
		})
	}
}

// A Tick that comes late finds what was due happening late; nothing is lost.
func TestLateTick(t *testing.T) {
	m, err := New(Config{Policy: Policy{N: 1}, Intake: Intake{Fixed: 10}, Hand: 1}, 0)
	if err != nil {
		t.Fatal(err)
	}
	out := inputs(t, m, Input{Kind: Offer, At: 0, Block: 0}, Input{Kind: Offer, At: 0, Block: 1}, Input{Kind: Tick, At: 50}, Input{Kind: Tick, At: 50}, Input{Kind: Tick, At: 65})
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
