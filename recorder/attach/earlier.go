package attach

import (
	"slices"

	"github.com/blockreel/blockreel/traces/event"
)

// earlier are the blocks before the trace's first one: runs of neighbours, ascending and
// apart. A ledger may have very many such blocks, so that nothing is held of a run but
// its ends.
type earlier struct{ runs []run }

type run struct {
	first, end event.BlockNum
	previous   uint64 // hash that the first block names
	hash       uint64 // of the last block
}

// at returns what is known of a block: its hash if it ends a run, the hash before it if it
// begins one.
func (e *earlier) at(n event.BlockNum) (l link) {
	for _, r := range e.runs {
		if r.first == n {
			l.previous = r.previous
		}
		if r.end == n+1 {
			l.hash = r.hash
		}
	}
	return l
}

// add takes a block, and reports false if it was there.
func (e *earlier) add(n event.BlockNum, l link) bool {
	i := 0
	for i < len(e.runs) && e.runs[i].end < n {
		i++
	}
	switch {
	case i == len(e.runs) || n+1 < e.runs[i].first:
		e.runs = slices.Insert(e.runs, i, run{n, n + 1, l.previous, l.hash})
		return true
	case n+1 == e.runs[i].first:
		e.runs[i].first, e.runs[i].previous = n, l.previous
		return true
	case n < e.runs[i].end:
		return false
	}
	e.runs[i].end, e.runs[i].hash = n+1, l.hash
	if i+1 < len(e.runs) && e.runs[i+1].first == n+1 {
		e.runs[i].end, e.runs[i].hash = e.runs[i+1].end, e.runs[i+1].hash
		e.runs = slices.Delete(e.runs, i+1, i+2)
	}
	return true
}

// hole returns the first block that is missing between these blocks, or between them and
// a block that comes after them.
func (e *earlier) hole(behind event.BlockNum, isBehind bool) (event.BlockNum, bool) {
	if len(e.runs) > 1 || len(e.runs) == 1 && isBehind && e.runs[0].end != behind {
		return e.runs[0].end, true
	}
	return 0, false
}
