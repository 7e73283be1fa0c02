package cost

import (
	"cmp"
	"math"
	"slices"

	"github.com/blockreel/blockreel/traces/event"
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

// classes divides what m's coefficients leave of the blocks.
func (m *Model) classes(rows []row, times []vector) residuals {
	type part struct {
		cost, sum float64
		left      vector
	}
	parts := make([]part, len(rows))
	r := residuals{}
	for i := range rows {
		v := m.typical(&rows[i])
		parts[i].cost = v.sum()
		for s := range v {
			parts[i].left[s] = times[i][s] - v[s]
		}
		parts[i].sum = parts[i].left.sum()
		r.mean += times[i].sum() / float64(len(rows))
	}
	slices.SortStableFunc(parts, func(a, b part) int { return cmp.Compare(a.cost, b.cost) })
	n := len(parts)
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
		of := parts[start:end]
		c := class{blocks: len(of)}
		if start > 0 {
			c.from = math.Floor(of[0].cost)
		}
		slices.SortStableFunc(of, func(a, b part) int { return cmp.Compare(a.sum, b.sum) })
		lefts := make([]vector, len(of))
		for i := range of {
			lefts[i] = of[i].left
		}
		c.strata = divide(lefts)
		r.classes = append(r.classes, c)
		start = end
	}
	return r
}

// divide makes strata of residuals in ascending order, to the whole nanosecond.
func divide(lefts []vector) []stratum {
	n := len(lefts)
	whole := min(n/8, wholeStrata)
	groups := min(maxStrata-whole, n-whole)
	var strata []stratum
	add := func(of []vector) {
		s := stratum{blocks: len(of)}
		for i := range of {
			for k := range s.left {
				s.left[k] += of[i][k] / float64(len(of))
			}
		}
		for k := range s.left {
			s.left[k] = math.Round(s.left[k])
		}
		strata = append(strata, s)
	}
	for g := range groups {
		add(lefts[(n-whole)*g/groups : (n-whole)*(g+1)/groups])
	}
	for i := n - whole; i < n; i++ {
		add(lefts[i : i+1])
	}
	return strata
}

// of returns the residual that u, 0 ≤ u < 1, draws for a block of a typical cost.
func (r *residuals) of(cost, u float64) *vector {
	c := &r.classes[0]
	for i := range r.classes {
		if r.classes[i].from <= cost {
			c = &r.classes[i]
		}
	}
	rank := int(u * float64(c.blocks))
	for i := range c.strata {
		if rank -= c.strata[i].blocks; rank < 0 {
			return &c.strata[i].left
		}
	}
	return &c.strata[len(c.strata)-1].left
}

// window is the number of blocks, a power of two, over which each part of the distribution
// is drawn once.
const window = 256

// draw returns a number from 0 to 1 that depends on the block's number alone. Every
// window of blocks has one draw in each of window equal parts, in a scrambled order,
// and from window to window the place within the part moves on by the golden ratio. So
// a residual that one block in a thousand has is drawn once in about four windows, and the
// sum over many blocks is that of the distribution, with less noise than chance has.
func draw(n event.BlockNum) float64 {
	w := uint64(n) / window
	part := shuffle(uint64(n)%window, w)
	within := float64(w)*math.Phi + float64(mix(part)>>40)/(1<<24)
	return (float64(part) + within - math.Floor(within)) / window
}

// shuffle is a permutation of the numbers below window, another for each key: four
// rounds of Feistel's network on two halves of four bits.
func shuffle(i, key uint64) uint64 {
	left, right := i>>4, i&15
	for round := range uint64(4) {
		left, right = right, left^mix(key<<8|round<<4|right)&15
	}
	return left<<4 | right
}

// mix scrambles the bits of x: the finalizer of SplitMix64.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
