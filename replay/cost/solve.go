package cost

import (
	"math"
	"math/bits"
)

// coefficients are what each term costs, in ns.
type coefficients [terms]float64

func (c *coefficients) at(r *row) float64 {
	return c[0] + c[1]*r[1] + c[2]*r[2] + c[3]*r[3]
}

// system is weighted normal equations: X'WX c = X'Wy.
type system struct {
	gram [terms][terms]float64
	rhs  [terms]float64
}

func (s *system) add(r *row, y, weight float64) {
	for i := range terms {
		w := weight * r[i]
		for j := i; j < terms; j++ {
			s.gram[i][j] += w * r[j]
		}
		s.rhs[i] += w * y
	}
}

// solve finds the least squares over the terms of kept; with notNegative, those among
// the coefficients that are none below zero. There are four terms at most, and the
// solution is the unbounded one over those of them that end up above zero: so all
// subsets are tried, and the best that is allowed is the answer, exactly.
func (s *system) solve(kept []int, notNegative bool) (best coefficients) {
	all := uint(1)<<len(kept) - 1
	if !notNegative {
		best, _ = s.over(subset(kept, all))
		return best
	}
	least := 0.0 // of no term at all
	for mask := uint(1); mask <= all; mask++ {
		c, ok := s.over(subset(kept, mask))
		if !ok {
			continue
		}
		allowed := true
		for _, x := range c {
			allowed = allowed && x >= 0
		}
		if cost := s.cost(&c); allowed && cost < least {
			best, least = c, cost
		}
	}
	return best
}

func subset(kept []int, mask uint) []int {
	some := make([]int, 0, bits.OnesCount(mask))
	for i, t := range kept {
		if mask>>i&1 == 1 {
			some = append(some, t)
		}
	}
	return some
}

// cost is the sum of the squares that c leaves, less a constant.
func (s *system) cost(c *coefficients) float64 {
	sum := 0.0
	for i := range terms {
		for j := range terms {
			sum += c[i] * c[j] * s.gram[min(i, j)][max(i, j)]
		}
		sum -= 2 * c[i] * s.rhs[i]
	}
	return sum
}

// over solves for some of the terms by Cholesky's decomposition, of columns scaled to
// length 1; false when they depend on each other.
func (s *system) over(some []int) (c coefficients, ok bool) {
	var l [terms][terms]float64
	var y, scale [terms]float64
	for a, i := range some {
		if s.gram[i][i] <= 0 {
			return c, false
		}
		scale[a] = 1 / math.Sqrt(s.gram[i][i])
	}
	const dependent = 1e-10
	for a, i := range some {
		for b := 0; b <= a; b++ {
			j := some[b]
			sum := s.gram[min(i, j)][max(i, j)] * scale[a] * scale[b]
			for k := range b {
				sum -= l[a][k] * l[b][k]
			}
			if a != b {
				l[a][b] = sum / l[b][b]
				continue
			}
			if sum < dependent {
				return c, false
			}
			l[a][a] = math.Sqrt(sum)
		}
		y[a] = s.rhs[i] * scale[a]
		for k := range a {
			y[a] -= l[a][k] * y[k]
		}
		y[a] /= l[a][a]
	}
	for a := len(some) - 1; a >= 0; a-- {
		x := y[a]
		for k := a + 1; k < len(some); k++ {
			x -= l[k][a] * y[k]
		}
		y[a] = x / l[a][a]
		c[some[a]] = y[a] * scale[a]
	}
	return c, true
}
