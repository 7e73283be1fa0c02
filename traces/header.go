package traces

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"
	"unicode/utf8"
)

// Names of the header's fields. A reader passes over names that it does not know.
const (
	fieldBase    = "base_unix_ns"
	fieldTool    = "tool"
	fieldSource  = "source"
	fieldChannel = "channel"
	fieldOrderer = "orderer"
	fieldPeer    = "peer"
)

// A field is a name and a value of the header. An empty value is not written.
type field struct{ name, value string }

func appendFields(b []byte, fields ...field) []byte {
	n := 0
	for _, f := range fields {
		if f.value != "" {
			n++
		}
	}
	b = binary.AppendUvarint(b, uint64(n))
	for _, f := range fields {
		if f.value != "" {
			b = appendString(appendString(b, f.name), f.value)
		}
	}
	return b
}

func (c *parser) fields(set func(name, value string)) {
	for n := c.count("fields in the header", MaxSettings); n > 0 && c.err == nil; n-- {
		name := c.string("a name in the header", MaxStringBytes)
		value := c.string("a value in the header", MaxStringBytes)
		if c.err == nil {
			set(name, value)
		}
	}
}

// appendHeader appends the whole header frame.
func appendHeader(b []byte, h Header) ([]byte, error) {
	if err := h.validate(); err != nil {
		return nil, err
	}
	base := ""
	if !h.Base.IsZero() {
		base = strconv.FormatInt(h.Base.UnixNano(), 10)
	}
	b = beginFrame(b, tagHeader)
	b = binary.LittleEndian.AppendUint16(b, FormatMajor)
	b = binary.LittleEndian.AppendUint16(b, FormatMinor)
	b = appendFields(b, field{fieldBase, base}, field{fieldTool, h.Tool}, field{fieldSource, h.Source})
	b = binary.AppendUvarint(b, uint64(len(h.Streams)))
	for _, s := range h.Streams {
		b = appendFields(b, field{fieldChannel, s.Channel}, field{fieldOrderer, s.Orderer}, field{fieldPeer, s.Peer})
		b = binary.AppendUvarint(b, uint64(len(s.Settings)))
		for _, name := range s.Settings.Names() {
			b = appendString(appendString(b, name), s.Settings[name])
		}
	}
	b = endFrame(appendHash(b))
	return b, checkLimit("bytes of the header", uint64(len(b)), MaxHeaderBytes)
}

// parseHeader reads what stands between the version and the hash.
func parseHeader(p []byte) (Header, error) {
	var h Header
	c := &parser{b: p}
	c.fields(func(name, value string) {
		switch name {
		case fieldBase:
			ns, err := strconv.ParseInt(value, 10, 64)
			if err != nil {
				c.fail(fmt.Errorf("clock base: %w", err))
				return
			}
			h.Base = time.Unix(0, ns).UTC()
		case fieldTool:
			h.Tool = value
		case fieldSource:
			h.Source = value
		}
	})
	n := c.count("streams", MaxStreams)
	for i := uint64(0); i < n && c.err == nil; i++ {
		s := Stream{Settings: Settings{}}
		c.fields(func(name, value string) {
			switch name {
			case fieldChannel:
				s.Channel = value
			case fieldOrderer:
				s.Orderer = value
			case fieldPeer:
				s.Peer = value
			}
		})
		c.fields(func(name, value string) { s.Settings[name] = value })
		h.Streams = append(h.Streams, s)
	}
	return h, c.err
}

// validate reports whether the header can be written.
func (h *Header) validate() error {
	if !h.Base.IsZero() && (h.Base.Before(time.Unix(0, math.MinInt64)) || h.Base.After(time.Unix(0, math.MaxInt64))) {
		return fmt.Errorf("clock base %v: a trace can begin in the years 1678 to 2261", h.Base)
	}
	if err := checkLimit("streams", uint64(len(h.Streams)), MaxStreams); err != nil {
		return err
	}
	err := errors.Join(checkString("tool", h.Tool), checkString("source", h.Source))
	for i, s := range h.Streams {
		err = errors.Join(err, checkString("channel", s.Channel), checkString("orderer", s.Orderer), checkString("peer", s.Peer),
			checkLimit(fmt.Sprintf("settings of stream %d", i), uint64(len(s.Settings)), MaxSettings))
		for name, value := range s.Settings {
			err = errors.Join(err, checkString("name of a setting", name), checkString("setting "+strconv.Quote(name), value))
		}
		if err != nil {
			return err
		}
	}
	return err
}

func checkString(what, s string) error {
	if !utf8.ValidString(s) {
		return fmt.Errorf("%s %q is not UTF-8", what, s)
	}
	return checkLimit("bytes of "+what, uint64(len(s)), MaxStringBytes)
}
