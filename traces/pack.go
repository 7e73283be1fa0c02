package traces

import "math/bits"

// pack appends u, values of the given width in bytes, as planes: the lowest bytes of
// all values, then the next higher, …. Bytes of one weight are alike, so the
// compressor finds the planes that hardly change and leaves noise alone.
func pack(b []byte, u []uint64, width int) []byte {
	n := len(u)
	for p := range width {
		shift := 8 * p
		at := len(b)
		b = append(b, make([]byte, n)...)
		plane := b[at : at+n]
		for i, v := range u {
			plane[i] = byte(v >> shift)
		}
	}
	return b
}

// unpack is the inverse of pack; every value comes multiplied by unit and with
// low added. b holds width × len(dst) bytes.
func unpack(dst []int64, b []byte, width int, unit, low int64) {
	n := len(dst)
	switch width {
	case 0:
		for i := range dst {
			dst[i] = low
		}
	case 1:
		p0 := b[:n]
		for i := range dst {
			dst[i] = int64(p0[i])*unit + low
		}
	case 2:
		p0, p1 := b[:n], b[n:2*n]
		for i := range dst {
			dst[i] = (int64(p0[i])|int64(p1[i])<<8)*unit + low
		}
	case 3:
		p0, p1, p2 := b[:n], b[n:2*n], b[2*n:3*n]
		for i := range dst {
			dst[i] = (int64(p0[i])|int64(p1[i])<<8|int64(p2[i])<<16)*unit + low
		}
	default:
		clear(dst)
		for p := range width {
			plane := b[p*n : (p+1)*n]
			for i := range dst {
				dst[i] |= int64(plane[i]) << (8 * p)
			}
		}
		for i := range dst {
			dst[i] = dst[i]*unit + low
		}
	}
}

// scale turns residuals into multiples of a common unit above their least one.
func scale(u []uint64, res []int64) (low int64, unit uint64, width int) {
	low, high := bounds(res)
	u = u[:len(res)]
	for i, r := range res {
		u[i] = uint64(r) - uint64(low)
	}
	span := uint64(high) - uint64(low)
	unit = divisor(u)
	if unit > 1 {
		divide(u, unit)
		span /= unit
	}
	return low, unit, (bits.Len64(span) + 7) / 8
}

func bounds(v []int64) (low, high int64) {
	if len(v) == 0 {
		return 0, 0
	}
	low, high = v[0], v[0]
	for _, x := range v {
		low = min(low, x)
		high = max(high, x)
	}
	return low, high
}

// divisor returns the greatest number that divides every u, and 1 when all are 0.
// Most times of a log are whole milli- or microseconds: division by a constant is
// many times faster than by a variable.
func divisor(u []uint64) uint64 {
	g := uint64(0)
	for _, v := range u {
		switch {
		case g == 1:
			return 1
		case g == 1_000_000:
			if v%1_000_000 != 0 {
				g = gcd(g, v)
			}
		case g == 1_000:
			if v%1_000 != 0 {
				g = gcd(g, v)
			}
		case g == 0 || v%g != 0:
			g = gcd(g, v)
		}
	}
	return max(1, g)
}

func divide(u []uint64, unit uint64) {
	switch unit {
	case 1_000_000:
		for i := range u {
			u[i] /= 1_000_000
		}
	case 1_000:
		for i := range u {
			u[i] /= 1_000
		}
	default:
		for i := range u {
			u[i] /= unit
		}
	}
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
