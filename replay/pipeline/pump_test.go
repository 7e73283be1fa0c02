package pipeline

import (
	"testing"
	"time"

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
	out.resize(b.Len())
	var (
		columns = [...][]int64{
			event.Sent: out.Sent, event.Received: out.Received, event.AtDoor: out.AtDoor,
			event.Enqueued: out.Enqueued, event.Dequeued: out.Dequeued,
		}
		offered int            // blocks
		working event.BlockNum // the committer's block, until ready
		ready   = never
		now     = event.Time(past)
		happens []Output
	)
	for {
		wake, due := m.Wake()
		if !due {
			wake = never
		}
		next := min(ready, wake)
		if offered < b.Len() && m.Wants() && max(now, event.Time(b.Offered[offered])) < next {
			now = max(now, event.Time(b.Offered[offered]))
			happens = m.Offer(now, event.BlockNum(offered), valueAt(b.Bytes, offered), time.Duration(valueAt(b.Transit, offered)))
			offered++
		} else if now = next; now == never {
			return
		} else if now == ready {
			ready = never
			happens = m.Ready(now, working)
		} else {
			happens = m.Tick(now)
		}
		for _, o := range happens {
			columns[o.Kind][o.Block] = int64(o.At)
			if o.Kind == event.Dequeued {
				working, ready = o.Block, o.At+event.Time(valueAt(b.Service, int(o.Block)))
			}
		}
	}
}

// valueAt is the value of a column that may be nil.
func valueAt(column []int64, i int) int64 {
	if column == nil {
		return 0
	}
	return column[i]
}
