package traces

import (
	"math/bits"
	"slices"

	"github.com/blockreel/blockreel/traces/event"
)

// A predictor says what a column's values are subtracted from before they are
// packed. From predictColumn on, the number names an earlier column of the group:
// predictColumn + 2·index for the value of the same block, one more for the value
// of the block before. Where the reference has no value, the column's own
// previous value takes its place.
type predictor uint64

const (
	predictZero     predictor = 0 // the value as it is
	predictPrevious predictor = 1 // the column's own previous value
	predictColumn   predictor = 2
)

func (p predictor) reference() (column int, shift uint64) {
	return int((p - predictColumn) / 2), uint64(p-predictColumn) % 2
}

// columnOrder is the order in which Writer puts columns, so that every column
// stands behind those that it is best predicted from: a block is popped right
// after the commit of the block before it, and validated after it was popped.
var columnOrder = func() []event.Kind {
	order := []event.Kind{event.Committed, event.Dequeued, event.Validated}
	add := func(kinds ...event.Kind) {
		for _, k := range kinds {
			if !slices.Contains(order, k) {
				order = append(order, k)
			}
		}
	}
	add(event.Way()...)
	add(event.Transactions, event.Bytes, event.Writes, event.InvalidTransactions)
	for k := range event.Kind(event.NumKinds) {
		if k != event.CommitHash {
			add(k)
		}
	}
	add(event.CommitHash)
	return order
}()

// A neighbour is a column that another one may be predicted from.
type neighbour struct {
	kind  event.Kind
	shift uint64
}

var neighbours = [event.NumKinds][]neighbour{
	event.Dequeued:  {{event.Committed, 1}},
	event.Validated: {{event.Dequeued, 0}},
	event.Sent:      {{event.Offered, 0}},
	event.Received:  {{event.Sent, 0}, {event.Offered, 0}},
	event.AtDoor:    {{event.Received, 0}, {event.Offered, 0}},
	event.Enqueued:  {{event.AtDoor, 0}, {event.Received, 0}, {event.Dequeued, 0}},
}

// subtract writes to res what remains of the values after prediction. The
// arithmetic wraps around, and add undoes it.
func subtract(res, values []int64, start int64, p predictor, st []stretch, ref []int64) {
	if p == predictZero {
		copy(res, values)
		return
	}
	if p == predictPrevious {
		subtractPrevious(res, values, start)
		return
	}
	for _, s := range st {
		r, v := res[s.i:s.i+s.n], values[s.i:s.i+s.n]
		if s.j < 0 {
			if s.i > 0 {
				start = values[s.i-1]
			}
			subtractPrevious(r, v, start)
			continue
		}
		f := ref[s.j : s.j+s.n]
		for k := range v {
			r[k] = v[k] - f[k]
		}
	}
}

func subtractPrevious(res, values []int64, prev int64) {
	res = res[:len(values)]
	for k, v := range values {
		res[k] = v - prev
		prev = v
	}
}

// add turns the residuals in values into the values themselves.
func add(values []int64, start int64, p predictor, st []stretch, ref []int64) {
	if p == predictZero {
		return
	}
	if p == predictPrevious {
		addPrevious(values, start)
		return
	}
	for _, s := range st {
		v := values[s.i : s.i+s.n]
		if s.j < 0 {
			if s.i > 0 {
				start = values[s.i-1]
			}
			addPrevious(v, start)
			continue
		}
		f := ref[s.j : s.j+s.n]
		for k := range v {
			v[k] += f[k]
		}
	}
}

func addPrevious(values []int64, prev int64) {
	for k := range values {
		prev += values[k]
		values[k] = prev
	}
}

// cost estimates the bits that residuals take, from about a thousand of them.
func cost(res []int64) int {
	const sample = 1024
	step := max(1, len(res)/sample)
	var sum float64
	n := 0
	for i := 0; i < len(res); i += step {
		sum += float64(res[i])
		n++
	}
	mean := int64(sum / float64(max(1, n)))
	c := 0
	for i := 0; i < len(res); i += step {
		d := res[i] - mean
		c += bits.Len64(uint64(d ^ d>>63))
	}
	return c
}
