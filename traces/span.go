package traces

// A span is a run of neighbouring blocks that all have a value in one column:
// n blocks from number first on.
type span struct {
	first uint64
	n     int
}

// A stretch is a part of a column whose blocks either all have a value in the
// reference column or all have none. i and j index the values of the two columns
// with their holes left out; j is negative when there is no reference.
type stretch struct{ i, j, n int }

// stretches appends how column a refers to column ref: its block b to ref's block
// b − shift. Both lists of spans ascend.
func stretches(dst []stretch, a, ref []span, shift uint64) []stretch {
	i, r, rj := 0, 0, 0 // rj: index of the first value of ref[r]
	for _, s := range a {
		pos, end := s.first, s.first+uint64(s.n)
		for pos < end {
			for r < len(ref) && ref[r].first+uint64(ref[r].n)+shift <= pos {
				rj += ref[r].n
				r++
			}
			st := stretch{i: i, j: -1, n: int(end - pos)}
			if r < len(ref) {
				from := ref[r].first + shift
				if pos < from {
					st.n = int(min(end, from) - pos)
				} else {
					st.n = int(min(end, from+uint64(ref[r].n)) - pos)
					st.j = rj + int(pos-from)
				}
			}
			dst = append(dst, st)
			i += st.n
			pos += uint64(st.n)
		}
	}
	return dst
}
