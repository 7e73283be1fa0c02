package traces

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf8"
)

var (
	errShort  = errors.New("ends in the middle of a value")
	errVarint = errors.New("number is longer than 64 bits")
)

// A parser reads the parts of a chunk or frame one after another. Its first error
// stays, and everything after it reads as zero.
type parser struct {
	b   []byte
	err error
}

func (c *parser) fail(err error) {
	if c.err == nil {
		c.err = err
	}
	c.b = nil
}

// check fails with err when there is one.
func (c *parser) check(err error) {
	if err != nil {
		c.fail(err)
	}
}

func (c *parser) byte() byte {
	if len(c.b) == 0 {
		c.fail(errShort)
		return 0
	}
	v := c.b[0]
	c.b = c.b[1:]
	return v
}

func (c *parser) bytes(n uint64) []byte {
	if n > uint64(len(c.b)) {
		c.fail(errShort)
		return nil
	}
	v := c.b[:n:n]
	c.b = c.b[n:]
	return v
}

func (c *parser) uvarint() uint64 {
	v, n := binary.Uvarint(c.b)
	if n <= 0 {
		if n == 0 {
			c.fail(errShort)
		} else {
			c.fail(errVarint)
		}
		return 0
	}
	c.b = c.b[n:]
	return v
}

func (c *parser) varint() int64 {
	u := c.uvarint()
	return int64(u>>1) ^ -int64(u&1)
}

// count reads a number that is at most limit; what names it in the error.
func (c *parser) count(what string, limit uint64) uint64 {
	v := c.uvarint()
	if err := checkLimit(what, v, limit); err != nil {
		c.fail(err)
		return 0
	}
	return v
}

// string reads a length and as many bytes of UTF-8.
func (c *parser) string(what string, limit uint64) string {
	b := c.bytes(c.count("length of "+what, limit))
	if !utf8.Valid(b) {
		c.fail(fmt.Errorf("%s is not UTF-8", what))
		return ""
	}
	return string(b)
}

func appendString(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}
