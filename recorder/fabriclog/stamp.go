package fabriclog

import (
	"bytes"
	"time"
)

// A stamp is one instant as a log line tells it.
type stamp struct {
	ns     int64 // Unix time
	digits int   // digits after the second
	zoned  bool  // the line says which zone
}

// stamps reads timestamps and remembers the last second, since neighbouring lines
// share it. It also keeps what must be told about them later.
type stamps struct {
	loc *time.Location // of stamps without a zone

	prefix [19]byte // "2006-01-02 15:04:05" that unix belongs to
	unix   int64    // seconds, read as UTC
	local  int64    // seconds, read as in loc

	digits  int    // most digits after the second seen so far
	inner   int    // the same of Fabric's own stamps
	unzoned int64  // stamps without a zone
	unknown string // a zone name that could not be resolved
	outer   int64  // lines dated by the collector's stamp
}

// find returns the stamp of a message that starts at line[at]. Text before the
// message may hold several: the last is Fabric's own, earlier ones and those
// behind the message are a collector's.
func (s *stamps) find(line []byte, at int) (stamp, bool) {
	var own stamp
	ok := false
	if at > 0 && line[at-1] == '"' {
		// A string begins here, so that this is JSON or logfmt.
		own, ok = s.structured(line)
	}
	if !ok {
		var n int
		if own, _, n = s.scan(line[:at]); n == 0 {
			if own, ok = s.structured(line); !ok {
				return stamp{}, false
			}
		}
	}
	s.inner = max(s.inner, own.digits)
	if s.inner == 0 {
		own = s.finer(line[:at], line, own)
	}
	return s.note(own), true
}

// finer returns a collector's stamp in place of one of Fabric's that has seconds
// only, if there is one with more digits, before the message or in a field.
func (s *stamps) finer(head, line []byte, own stamp) stamp {
	_, outer, n := s.scan(head)
	if n == 0 || outer.digits == 0 {
		outer, _ = s.structured(line)
	}
	if outer.digits == 0 {
		return own
	}
	s.outer++
	return outer
}

// first returns the first stamp of a line, whatever the line is about: messages may
// hold dates too, such as those on which certificates expire.
func (s *stamps) first(line []byte) (stamp, bool) {
	if bytes.HasPrefix(line, []byte("{")) || bytes.Contains(line, []byte("msg=")) {
		if st, ok := s.structured(line); ok {
			return st, true
		}
	}
	_, first, n := s.scan(line)
	return first, n > 0
}

func (s *stamps) note(st stamp) stamp {
	s.digits = max(s.digits, st.digits)
	if !st.zoned {
		s.unzoned++
	}
	return st
}

// scan returns the last and the first full stamp (date and time of day) in b, and
// how many there are.
func (s *stamps) scan(b []byte) (last, first stamp, n int) {
	for i := 0; ; {
		j := bytes.IndexByte(b[i:], ':')
		if j < 0 {
			return last, first, n
		}
		i += j
		st, end, ok := s.clock(b, i)
		if !ok {
			i++
			continue
		}
		if n == 0 {
			first = st
		}
		last = st
		n++
		i = end
	}
}

// clock reads the stamp whose first colon stands at b[i].
func (s *stamps) clock(b []byte, i int) (st stamp, end int, ok bool) {
	const before, after = 13, 6 // "2006-01-02 15" and ":04:05"
	if i < before || i+after > len(b) || b[i+3] != ':' {
		return stamp{}, 0, false
	}
	text := b[i-before : i+after]
	if string(text) != string(s.prefix[:]) && !s.second(text) {
		return stamp{}, 0, false
	}
	end = i + after
	nanos := int64(0)
	if end+1 < len(b) && (b[end] == '.' || b[end] == ',') && isDigit(b[end+1]) {
		nanos, st.digits, end = fraction(b, end+1)
	}
	offset, zoneEnd, known := s.zone(b, end)
	if known {
		st.ns, st.zoned, end = (s.unix-offset)*1e9+nanos, true, zoneEnd
	} else {
		st.ns = s.local*1e9 + nanos
	}
	return st, end, true
}

// second reads "2006-01-02 15:04:05", with any separators in the date and before
// the hour, into the cache.
func (s *stamps) second(t []byte) bool {
	year, a := digits(t[0:4])
	month, b := digits(t[5:7])
	day, c := digits(t[8:10])
	hour, d := digits(t[11:13])
	minute, e := digits(t[14:16])
	sec, f := digits(t[17:19])
	if !(a && b && c && d && e && f) || t[4] != t[7] || isDigit(t[4]) || isDigit(t[10]) {
		return false
	}
	if month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || sec > 60 || year < 1970 || year > 2200 {
		return false
	}
	copy(s.prefix[:], t)
	date := func(loc *time.Location) int64 {
		return time.Date(year, time.Month(month), day, hour, minute, sec, 0, loc).Unix()
	}
	s.unix = date(time.UTC)
	s.local = s.unix
	if s.loc != nil && s.loc != time.UTC {
		s.local = date(s.loc)
	}
	return true
}

// zone reads what follows the time of day: Z, +01:00, " +0100", " UTC" or another
// name that Location knows for that instant. offset is in seconds east of UTC.
func (s *stamps) zone(b []byte, i int) (offset int64, end int, known bool) {
	if i < len(b) && b[i] == 'Z' {
		return 0, i + 1, true
	}
	if i < len(b) && b[i] == ' ' {
		i++
	}
	rest := b[i:]
	if len(rest) >= 3 && (string(rest[:3]) == "UTC" || string(rest[:3]) == "GMT") {
		return 0, i + 3, true
	}
	if len(rest) >= 5 && (rest[0] == '+' || rest[0] == '-') {
		m := 3
		if rest[3] == ':' {
			m = 4
		}
		if len(rest) < m+2 {
			return 0, 0, false
		}
		hours, a := digits(rest[1:3])
		minutes, c := digits(rest[m : m+2])
		if !a || !c || hours > 14 || minutes > 59 {
			return 0, 0, false
		}
		offset = int64(hours*3600 + minutes*60)
		if rest[0] == '-' {
			offset = -offset
		}
		return offset, i + m + 2, true
	}
	return s.zoneName(rest, i)
}

// zoneName resolves an abbreviation such as CET, which means one zone only beside
// the Location that the caller gave.
func (s *stamps) zoneName(rest []byte, i int) (offset int64, end int, known bool) {
	n := 0
	for n < len(rest) && n < 5 && rest[n] >= 'A' && rest[n] <= 'Z' {
		n++
	}
	if n < 3 || n < len(rest) && rest[n] != ' ' && rest[n] != 0x1b && rest[n] != ']' && rest[n] != '"' {
		return 0, 0, false
	}
	switch string(rest[:n]) {
	case "INFO", "DEBU", "DEBUG", "WARN", "ERRO", "ERROR", "FATA", "FATAL", "PANI", "PANIC", "DPAN", "NOTI", "CRIT", "TRAC", "TRACE":
		return 0, 0, false
	}
	if s.loc != nil {
		at := time.Unix(s.local, 0).In(s.loc)
		if name, east := at.Zone(); name == string(rest[:n]) {
			return int64(east), i + n, true
		}
	}
	if s.unknown == "" {
		s.unknown = string(rest[:n])
	}
	return 0, 0, false
}

// fraction reads digits of a second's fraction from b[i] on: nanoseconds, how
// many digits there are (9 at most count), and where they end.
func fraction(b []byte, i int) (nanos int64, n, end int) {
	for end = i; end < len(b) && isDigit(b[end]); end++ {
		if n < 9 {
			nanos = nanos*10 + int64(b[end]-'0')
			n++
		}
	}
	for k := n; k < 9; k++ {
		nanos *= 10
	}
	return nanos, n, end
}

func digits(b []byte) (v int, ok bool) {
	for _, c := range b {
		if !isDigit(c) {
			return 0, false
		}
		v = v*10 + int(c-'0')
	}
	return v, true
}

func isDigit(c byte) bool { return c-'0' <= 9 }
