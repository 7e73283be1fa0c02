package traces

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf8"
)

// ErrNotTrace is the error for a file that is not a blockreel trace at all. The
// error that wraps it says what the file looks like.
var ErrNotTrace = errors.New("not a blockreel trace")

// ErrTruncated is the cause of the Loss of a trace that ends before its index: its
// recorder was killed, or the disk was full, or the copy is not complete.
var ErrTruncated = errors.New("the trace ends before its index: its recording was cut short, or the copy is not complete")

// A CorruptError tells where a trace contradicts itself.
type CorruptError struct {
	// Offset is the position in the file of the frame or chunk that is damaged.
	Offset int64
	// Reason says what is wrong with it.
	Reason string
	// Err is the underlying error, or nil.
	Err error
}

func (e *CorruptError) Error() string {
	s := fmt.Sprintf("trace is damaged at byte %d: %s", e.Offset, e.Reason)
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *CorruptError) Unwrap() error { return e.Err }

// A VersionError is the error for a trace of a format that this program does not read.
type VersionError struct{ Major, Minor int }

func (e *VersionError) Error() string {
	return fmt.Sprintf("trace has format %d.%d and this program reads format %d: use a newer blockreel",
		e.Major, e.Minor, FormatMajor)
}

// A LimitError tells that something is larger than this program takes.
type LimitError struct {
	What       string
	Value, Max uint64
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("%s: %d is over the limit of %d", e.What, e.Value, e.Max)
}

func checkLimit(what string, value, limit uint64) error {
	if value > limit {
		return &LimitError{what, value, limit}
	}
	return nil
}

// notTrace says what a file that does not begin like a trace looks like.
func notTrace(head []byte) error {
	looks := "it begins with unknown bytes"
	switch {
	case len(head) == 0:
		looks = "the file is empty"
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		looks = "it is gzip data; if it holds logs, record them with record logs"
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		looks = "it is zstd data without a trace header"
	case len(head) >= 4 && head[0]&0xf0 == 0x50 && bytes.Equal(head[1:4], []byte{0x2a, 0x4d, 0x18}):
		looks = "it is zstd data of another program"
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		looks = "it is a zip archive"
	case bytes.HasPrefix(head, []byte("\x89PNG")):
		looks = "it is a PNG picture"
	case bytes.HasPrefix(head, []byte(`{"reel":`)):
		looks = "it is the text form of a trace; convert it back first"
	case isText(head):
		looks = fmt.Sprintf("it is text that begins with %q; if it is a log, record it with record logs", head)
	}
	return fmt.Errorf("%w: %s", ErrNotTrace, looks)
}

func isText(b []byte) bool {
	for i, c := range b {
		switch {
		case c == 0x1b || c == '\n' || c == '\r' || c == '\t':
		case c < 0x20:
			return false
		case c >= utf8.RuneSelf && !utf8.FullRune(b[i:]):
			return true
		}
	}
	return utf8.Valid(b)
}
