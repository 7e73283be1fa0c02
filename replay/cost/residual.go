package cost

import (
	"cmp"
	"math"
	"slices"
)

const (
	// maxClasses of blocks by their cost have residuals of their own, each of classBlocks
	// blocks or more: what is normal for a large block is none for a small one.
	maxClasses  = 4
	classBlocks = 200
	// maxStrata bounds the residuals that are kept of a class: if it has more blocks, each
	// is the mean of some that lie next to each other. These are no more than growth of
	// those that took longer still, such that stalls are not averaged with others, nor than
	// 1/leastStrata of the class.
	maxStrata   = 192
	leastStrata = 80
	growth      = 0.07
	// rankScale makes a share a whole number.
	rankScale = 1_000_000
	// distinct is how much more the first block of a class costs than that of the class
	// before, as a share: blocks that all cost about the same are one class.
	distinct = 0.05
	// stretch is how many blocks in a row keep their order where not all can.
	stretch = 256
)

// residuals are what the coefficients leave of the measured blocks.
type residuals struct {
	// mean time of a block, in ns.
	mean float64
	// classes are in ascending order of cost; there is at least one.
	classes []class
	// order has, for each block in the order in which they were committed, the share of its
	// class that took less, in millionths: so what came in bursts comes in bursts.
	order []int
}

// A class is blocks of about the same cost.
type class struct {
	// from is the least typical cost of its blocks, in ns; that of the first class is 0.
	from float64
	// strata are in ascending order of their sum.
	strata []stratum
	blocks int // of all strata
}

// A stratum is some blocks with about the same residual.
type stratum struct {
	blocks int
	left   vector // mean of theirs, for each stage
}

// A remainder is a measured block, and what the coefficients leave of it.
type remainder struct {
	block     int
	cost, sum float64
	left      vector
}

// divide makes the residuals of the blocks.
func (m *Model) divide(d *data) residuals {
	parts := make([]remainder, len(d.rows))
	r := residuals{}
	for i := range d.rows {
		v := m.typical(&d.rows[i])
		p := &parts[i]
		p.block, p.cost = i, v.sum()
		for s := range v {
			p.left[s] = d.times[i][s] - v[s]
		}
		p.sum = p.left.sum()
		r.mean += d.times[i].sum() / float64(len(d.rows))
	}
	slices.SortStableFunc(parts, func(a, b remainder) int { return cmp.Compare(a.cost, b.cost) })
	n := len(parts)
	ranks := make([]int, n)
	wanted := min(maxClasses, max(n/classBlocks, 1))
	start := 0
	for k := 1; k <= wanted; k++ {
		end := n * k / wanted
		if k < wanted {
			// Blocks of one cost, to the nanosecond to which borders are kept, stay together.
			for end < n && parts[end].cost < parts[end-1].cost+1 {
				end++
			}
			if end == n || end-start < classBlocks || n-end < classBlocks || parts[end].cost < parts[start].cost*(1+distinct)+1 {
				continue
			}
		}
		from := 0.0
		if start > 0 {
			from = math.Floor(parts[start].cost)
		}
		r.classes = append(r.classes, newClass(from, parts[start:end], ranks))
		start = end
	}
	r.order = d.interleave(ranks)
	return r
}

// newClass makes a class of its blocks, which it reorders, and sets their ranks.
func newClass(from float64, parts []remainder, ranks []int) class {
	c := class{from: from, blocks: len(parts)}
	slices.SortStableFunc(parts, func(a, b remainder) int { return cmp.Compare(a.sum, b.sum) })
	n := len(parts)
	done := 0
	add := func(of []remainder) {
		s := stratum{blocks: len(of)}
		middle := (float64(done) + float64(len(of))/2) / float64(n)
		done += len(of)
		for _, p := range of {
			ranks[p.block] = int(middle * rankScale)
			for k := range s.left {
				s.left[k] += p.left[k] / float64(len(of))
			}
		}
		for k := range s.left {
			s.left[k] = math.Round(s.left[k])
		}
		c.strata = append(c.strata, s)
	}
	for _, end := range ends(n) {
		add(parts[done:end])
	}
	return c
}

// ends are the places at which the strata of n blocks end, in ascending order.
func ends(n int) (places []int) {
	size := 1
	for at := n; at > 0; at -= size {
		places = append(places, at)
		if n > maxStrata {
			size = min(max(int(growth*float64(n-at)), 1), max(n/leastStrata, 1), at)
		}
	}
	slices.Reverse(places)
	return places
}

// at is the stratum of a rank.
func (c *class) at(rank int) *stratum {
	before := int(float64(rank) / rankScale * float64(c.blocks))
	for i := range c.strata {
		if before -= c.strata[i].blocks; before < 0 {
			return &c.strata[i]
		}
	}
	return &c.strata[len(c.strata)-1]
}

// of returns the residual of a block of a typical cost that comes place blocks after the first
// that was measured.
func (r *residuals) of(cost float64, place int64) *vector {
	n := int64(len(r.order))
	return &r.classes[r.class(cost)].at(r.order[((place%n)+n)%n]).left
}

// class is the number of that of blocks of a typical cost.
func (r *residuals) class(cost float64) (number int) {
	for i := range r.classes {
		if r.classes[i].from <= cost {
			number = i
		}
	}
	return number
}
