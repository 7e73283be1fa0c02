package pipeline

import (
	"testing"

	"github.com/blockreel/blockreel/traces/event"
)

// pump drives a machine through blocks from number 0 on as simply as can be: what
// happens first is done first, and at one instant the committer's completions come
// first. It is the measure that the recurrence and the drivers are held against.
func pump(tb testing.TB, cfg Config, b Blocks, out *Columns) {
	m, err := New(cfg, 0)
	if err != nil {
		tb.Fatal(err)
	}
	var (
		outputs   []Output
		offered   = 0
		working   = -1 // the committer's block
		committed = never
		ready     = never
		now       = event.Time(past)
	)
	for {
		wake, due := m.Wake()
		if !due {
			wake = never
		}
		offer := never
		if offered < b.Len() && m.Wants() {
			offer = max(now, event.Time(b.Offered[offered]))
		}
		in := Input{At: min(committed, ready, wake, offer)}
		switch in.At {
		case never:
			return
		case committed:
			in.Kind, in.Block = Ready, event.BlockNum(working)
			committed = never
			if turnaround := at(b.Turnaround, working); turnaround > 0 {
				in.Kind, ready = Committed, in.At+event.Time(turnaround)
			}
		case ready:
			in.Kind, in.Block = Ready, event.BlockNum(working)
			ready = never
		case wake:
		case offer:
			in.Kind, in.Block = Offer, event.BlockNum(offered)
			in.Bytes = at(b.Bytes, offered)
			in.Transit = durationAt(b.Transit, offered)
			offered++
		}
		now = in.At
		outputs = m.Step(outputs[:0], in)
		for _, o := range outputs {
			i := int(o.Block)
			switch o.Kind {
			case event.Sent:
				out.Sent[i] = int64(o.At)
			case event.Received:
				out.Received[i] = int64(o.At)
			case event.AtDoor:
				out.AtDoor[i] = int64(o.At)
			case event.Enqueued:
				out.Enqueued[i] = int64(o.At)
			case event.Dequeued:
				out.Dequeued[i] = int64(o.At)
				out.Validated[i] = int64(o.At) + at(b.Validate, i)
				out.Committed[i] = out.Validated[i] + at(b.Commit, i)
				working, committed = i, event.Time(out.Committed[i])
			}
		}
	}
}
