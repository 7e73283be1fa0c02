package pipeline

import "github.com/blockreel/blockreel/traces/event"

// payloads are the buffered block numbers, kept as ascending runs of consecutive
// numbers that neither touch nor overlap: blocks that come in order are a single run,
// however many there are.
type payloads struct {
	runs []run
	n    int // numbers in all runs
}

// run is the numbers from first up to, not including, end; first < end.
type run struct{ first, end event.BlockNum }

// starts reports whether b is the lowest number in the buffer.
func (p *payloads) starts(b event.BlockNum) bool {
	return len(p.runs) > 0 && p.runs[0].first == b
}

// shift takes the lowest number out.
func (p *payloads) shift() {
	p.n--
	r := &p.runs[0]
	r.first++
	switch {
	case r.first < r.end:
	case len(p.runs) == 1:
		p.runs = p.runs[:0]
	default:
		p.runs = append(p.runs[:0], p.runs[1:]...)
	}
}

// push puts b in and reports whether it was not there.
func (p *payloads) push(b event.BlockNum) bool {
	if k := len(p.runs); k > 0 && p.runs[k-1].end == b { // as nearly always
		p.runs[k-1].end++
		p.n++
		return true
	}
	return p.insert(b)
}

func (p *payloads) insert(b event.BlockNum) bool {
	i := len(p.runs) // the first run that begins after b
	for i > 0 && p.runs[i-1].first > b {
		i--
	}
	if i > 0 && b < p.runs[i-1].end {
		return false
	}
	p.n++
	joinsLeft := i > 0 && p.runs[i-1].end == b
	joinsRight := i < len(p.runs) && p.runs[i].first == b+1
	switch {
	case joinsLeft && joinsRight:
		p.runs[i-1].end = p.runs[i].end
		p.runs = append(p.runs[:i], p.runs[i+1:]...)
	case joinsLeft:
		p.runs[i-1].end++
	case joinsRight:
		p.runs[i].first--
	default:
		p.runs = append(p.runs, run{})
		copy(p.runs[i+1:], p.runs[i:])
		p.runs[i] = run{b, b + 1}
	}
	return true
}
