package fabriclog

import (
	"bytes"
	"io"
)

// maxLine is the longest line that is looked at as a whole. Of a longer one the
// first maxLine bytes are; no message about a block is longer than 1 KiB, but a
// JSON log prints the peer's whole configuration in one line.
const maxLine = 256 << 10

// scanner cuts a log into lines. Its memory is one buffer of twice maxLine.
type scanner struct {
	r     io.Reader
	buf   []byte
	lines int64
	bytes int64
	long  int64
}

func newScanner(r io.Reader) *scanner {
	return &scanner{r: r, buf: make([]byte, 2*maxLine)}
}

// scan calls line for every line without its end, and chunk before them
// for every stretch that was read at once; chunk returns false to end the scan. The slice is valid during the call.
// whole is false for a last line that no newline ends.
func (s *scanner) scan(chunk func([]byte) bool, line func(b []byte, whole bool)) error {
	kept := 0         // bytes of an unfinished line at the start of buf
	skipping := false // the rest of an over-long line is being thrown away
	for {
		n, err := io.ReadAtLeast(s.r, s.buf[kept:], 1)
		s.bytes += int64(n)
		rest := s.buf[:kept+n]
		if !chunk(rest[kept:]) {
			return nil
		}
		for {
			// A newline within the kept part would have ended it.
			end := bytes.IndexByte(rest[kept:], '\n')
			if end < 0 {
				break
			}
			end += kept
			kept = 0
			if skipping {
				skipping = false
			} else {
				s.lines++
				line(trimCR(rest[:end]), true)
			}
			rest = rest[end+1:]
		}
		if skipping {
			rest = rest[:0]
		} else if len(rest) >= maxLine {
			s.lines++
			s.long++
			line(rest[:maxLine], true)
			skipping, rest = true, rest[:0]
		}
		kept = copy(s.buf, rest)
		if err != nil {
			if kept > 0 {
				s.lines++
				line(trimCR(s.buf[:kept]), false)
			}
			if err == io.EOF {
				return nil
			}
			return err
		}
	}
}

func trimCR(b []byte) []byte {
	if n := len(b); n > 0 && b[n-1] == '\r' {
		return b[:n-1]
	}
	return b
}
