package fabriclog

import (
	"bytes"
	"math"
)

// stampKeys are the fields of JSON and logfmt lines that date them, the zap
// encoder's own first.
var stampKeys = [...]string{"ts", "time", "timestamp", "@timestamp", "t"}

// structured reads the stamp of a JSON or logfmt line: Unix seconds as a decimal,
// an integer of seconds, ms, µs or ns, or an ISO string.
func (s *stamps) structured(line []byte) (stamp, bool) {
	for _, key := range stampKeys {
		if v, ok := fieldValue(line, key); ok {
			if st, ok := s.value(v); ok {
				return st, true
			}
		}
	}
	return stamp{}, false
}

// fieldValue returns the text from the first byte of the value of key on. The key
// may be quoted, and the quotes escaped, when JSON was wrapped into JSON.
func fieldValue(line []byte, key string) ([]byte, bool) {
	for i := 0; ; {
		j := bytes.Index(line[i:], []byte(key))
		if j < 0 {
			return nil, false
		}
		start := i + j
		i = start + len(key)
		if start > 0 {
			switch line[start-1] {
			case '"', ' ', '{', ',', '\t':
			default:
				continue
			}
		}
		k := i
		for k < len(line) && (line[k] == '\\' || line[k] == '"') {
			k++
		}
		if k >= len(line) || line[k] != ':' && line[k] != '=' {
			continue
		}
		for k++; k < len(line) && (line[k] == ' ' || line[k] == '\\' || line[k] == '"'); {
			k++
		}
		return line[k:], true
	}
}

// value reads a number or an ISO stamp at the start of v.
func (s *stamps) value(v []byte) (stamp, bool) {
	if len(v) >= 19 && isDigit(v[0]) && v[13] == ':' {
		st, _, ok := s.clock(v, 13)
		return st, ok
	}
	return epoch(v)
}

// epoch reads Unix time from its decimal digits, never through a float: a float64
// of today's seconds resolves 238 ns, and rounding twice loses microseconds.
// The magnitude of an integer tells its unit: seconds until the year 5138 have at
// most 11 digits.
func epoch(v []byte) (stamp, bool) {
	var whole int64
	i := 0
	for ; i < len(v) && isDigit(v[i]) && i < 19; i++ {
		if whole > (math.MaxInt64-9)/10 {
			return stamp{}, false
		}
		whole = whole*10 + int64(v[i]-'0')
	}
	n := i
	var nanos int64
	var places int
	if i+1 < len(v) && v[i] == '.' && isDigit(v[i+1]) {
		if i+1 < len(v) && n == 1 {
			if st, ok := scientific(v); ok {
				return st, true
			}
		}
		nanos, places, _ = fraction(v, i+1)
	}
	st := stamp{zoned: true}
	switch {
	case n >= 9 && n <= 11:
		if whole > math.MaxInt64/1_000_000_000-1 {
			return stamp{}, false
		}
		// zap writes seconds as a float64, which resolves 238 ns: what stands
		// behind the microseconds is noise.
		st.ns, st.digits = whole*1e9+(nanos+500)/1e3*1e3, min(places, 6)
	case n >= 12 && n <= 14:
		if whole > math.MaxInt64/1_000_000-1 {
			return stamp{}, false
		}
		st.ns, st.digits = whole*1e6+nanos/1e3, min(3+places, 9)
	case n >= 15 && n <= 16:
		st.ns, st.digits = whole*1e3, 6
	case n >= 18 && n <= 19:
		st.ns, st.digits = whole, 9
	default:
		return stamp{}, false
	}
	return st, true
}

// scientific reads d.ddde+XX as seconds: 1.7953416722924664e+09.
func scientific(v []byte) (stamp, bool) {
	e := 2
	for e < len(v) && isDigit(v[e]) {
		e++
	}
	if e >= len(v) || v[e] != 'e' && v[e] != 'E' || e+1 >= len(v) {
		return stamp{}, false
	}
	x := e + 1
	if v[x] == '+' {
		x++
	}
	shift := 0
	for ; x < len(v) && isDigit(v[x]) && shift < 20; x++ {
		shift = shift*10 + int(v[x]-'0')
	}
	if shift < 9 || shift > 10 || e-2 < shift {
		return stamp{}, false
	}
	plain := make([]byte, 0, 32)
	plain = append(plain, v[0])
	plain = append(plain, v[2:2+shift]...)
	plain = append(plain, '.')
	plain = append(plain, v[2+shift:e]...)
	if e == 2+shift {
		plain = append(plain, '0')
	}
	return epoch(plain)
}
