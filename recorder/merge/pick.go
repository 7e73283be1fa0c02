package merge

import (
	"slices"
	"time"

	"github.com/dustin/go-humanize/english"

	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// A node is an end of a block's way, whose times one clock takes.
type node int

const (
	orderer node = iota
	peer
	nodes
)

func (n node) String() string { return [nodes]string{"orderer", "peer"}[n] }

func nodeOf(k event.Kind) node {
	if k.Precedes(event.Received) {
		return orderer
	}
	return peer
}

// pickTimes reports, for each node and block of out, whether the times come from b and not
// from a. It returns nil for traces of one recorder, whose times complete each other.
func (m *merger) pickTimes(a, b, out *traces.Timeline, name string) [][]bool {
	if !slices.ContainsFunc(m.bases, func(base time.Time) bool { return !base.Equal(m.bases[0]) }) {
		return nil
	}
	fromB := make([][]bool, nodes)
	for n := range nodes {
		preferred := 0
		if fromB[n], preferred = pick(a, b, out, n); preferred > 0 {
			m.note(m.find(b.Stream), traces.NoteFact, "%s has more times at the %s than the traces before it: those of %s are from %s",
				name, n, english.Plural(preferred, "block", ""), name)
		}
	}
	return fromB
}

// pick chooses, for each block of out, the timeline that its times at a node come from. In
// a block that mixes two clocks or two ways to observe, a commit can come after the next
// block's pop. If both have times of a block, those of the timeline with more times of such
// blocks are taken, or of a if they have as many. preferred counts the blocks of a for which
// this is b.
func pick(a, b, out *traces.Timeline, n node) (fromB []bool, preferred int) {
	have := [2][]int8{make([]int8, out.Len()), make([]int8, out.Len())}
	for i, tl := range []*traces.Timeline{a, b} {
		for _, k := range event.Way() {
			if nodeOf(k) != n {
				continue
			}
			for j, v := range tl.Column(k) {
				if v != event.Missing {
					have[i][int(tl.First-out.First)+j]++
				}
			}
		}
	}
	more := 0
	for i, inA := range have[0] {
		if inB := have[1][i]; inA > 0 && inB > 0 {
			more += int(inB) - int(inA)
		}
	}
	fromB = make([]bool, out.Len())
	for i, inA := range have[0] {
		fromB[i] = have[1][i] > 0 && (inA == 0 || more > 0)
		if fromB[i] && inA > 0 {
			preferred++
		}
	}
	return fromB, preferred
}
