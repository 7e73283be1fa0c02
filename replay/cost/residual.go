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
	// maxStrata bounds the residuals that are kept of a class. The greatest, an eighth
	// but no more than wholeStrata of them, stand for themselves; of the others each
	// is the mean of some that lie next to each other.
	maxStrata   = 192
	wholeStrata = 64
	// maxOrder bounds the blocks whose order is kept, in stretches of so many.
	maxOrder = 8192
	stretch  = 256
	// rankScale makes a share a whole number.
	rankScale = 1_000_000
	// distinct is how much the costs of two blocks must differ for a border of classes
	// to lie between them.
	distinct = 0.05
)

// residuals are what the coefficients leave of the measured blocks.
type residuals struct {
	// mean time of a block, in ns.
	mean float64
	// classes are in ascending order of cost; there is at least one.
	classes []class
	// order has, for each block in the order in which they were committed or for stretches of
	// them, the share of its class that took less, in millionths: so what came in
	// bursts comes in bursts.
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
func (m *Model) divide(rows []row, times []vector) residuals {
	parts := make([]remainder, len(rows))
	r := residuals{}
	for i := range rows {
		v := m.typical(&rows[i])
		p := &parts[i]
		p.block, p.cost = i, v.sum()
		for s := range v {
			p.left[s] = times[i][s] - v[s]
		}
		p.sum = p.left.sum()
		r.mean += times[i].sum() / float64(len(rows))
	}
	slices.SortStableFunc(parts, func(a, b remainder) int { return cmp.Compare(a.cost, b.cost) })
	n := len(parts)
	ranks := make([]int, n)
	wanted := min(maxClasses, max(n/classBlocks, 1))
	start := 0
	for k := 1; k <= wanted; k++ {
		end := n * k / wanted
		if k < wanted {
			// Blocks of one cost stay together.
			for end < n && parts[end].cost == parts[end-1].cost {
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
	for _, i := range stretches(n) {
		r.order = append(r.order, ranks[i])
	}
	r.balance(n)
	return r
}

// newClass makes a class of its blocks, which it reorders, and sets their ranks.
func newClass(from float64, parts []remainder, ranks []int) class {
	c := class{from: from, blocks: len(parts)}
	slices.SortStableFunc(parts, func(a, b remainder) int { return cmp.Compare(a.sum, b.sum) })
	n := len(parts)
	whole := min(n/8, wholeStrata)
	groups := min(maxStrata-whole, n-whole)
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
		c.strata = append(c.strata, s)
	}
	for g := range groups {
		add(parts[(n-whole)*g/groups : (n-whole)*(g+1)/groups])
	}
	for i := n - whole; i < n; i++ {
		add(parts[i : i+1])
	}
	return c
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

// stretches returns the places, among n blocks, of those whose order is kept: all of
// them, or stretches evenly spread over them.
func stretches(n int) (places []int) {
	if n <= maxOrder {
		for i := range n {
			places = append(places, i)
		}
		return places
	}
	const number = maxOrder / stretch
	for k := range number {
		from := (n - stretch) * k / (number - 1)
		for i := range stretch {
			places = append(places, from+i)
		}
	}
	return places
}

// balance rounds the strata to the nanosecond. Where not all of the n blocks are in the
// order, it shifts them such that the mean over the order is that of all blocks.
func (r *residuals) balance(n int) {
	for i := range r.classes {
		c := &r.classes[i]
		var shift vector
		if len(r.order) < n {
			for _, s := range c.strata {
				for k := range shift {
					shift[k] += s.left[k] * float64(s.blocks) / float64(c.blocks)
				}
			}
			for _, rank := range r.order {
				for k, x := range c.at(rank).left {
					shift[k] -= x / float64(len(r.order))
				}
			}
		}
		for j := range c.strata {
			for k := range shift {
				c.strata[j].left[k] = math.Round(c.strata[j].left[k] + shift[k])
			}
		}
	}
}

// of returns the residual of a block of a typical cost, the so-manieth after the first
// that was measured.
func (r *residuals) of(cost float64, place int64) *vector {
	c := &r.classes[0]
	for i := range r.classes {
		if r.classes[i].from <= cost {
			c = &r.classes[i]
		}
	}
	n := int64(len(r.order))
	return &c.at(r.order[((place%n)+n)%n]).left
}
