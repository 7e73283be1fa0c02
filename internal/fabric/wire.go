package fabric

import (
	"fmt"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// fields walks the top level of a marshalled message:
//
//	f := fields{rest: msg}
//	for f.next() { … f.num, f.bytes … }
//	return f.err
type fields struct {
	rest []byte
	num  protowire.Number
	typ  protowire.Type
	// bytes is the value of a length-delimited field, varint of a varint.
	bytes  []byte
	varint uint64
	err    error
}

func (f *fields) next() bool {
	if len(f.rest) == 0 || f.err != nil {
		return false
	}
	num, typ, n := protowire.ConsumeTag(f.rest)
	if n < 0 {
		return f.fail(n)
	}
	if num > protowire.MaxValidNumber {
		f.err = fmt.Errorf("%w: field number %d", ErrMalformed, num)
		return false
	}
	f.num, f.typ, f.bytes, f.varint = num, typ, nil, 0
	f.rest = f.rest[n:]
	switch typ {
	case protowire.BytesType:
		f.bytes, n = protowire.ConsumeBytes(f.rest)
	case protowire.VarintType:
		f.varint, n = protowire.ConsumeVarint(f.rest)
	default:
		n = protowire.ConsumeFieldValue(num, typ, f.rest)
	}
	if n < 0 {
		return f.fail(n)
	}
	f.rest = f.rest[n:]
	return true
}

func (f *fields) fail(n int) bool {
	f.err = fmt.Errorf("%w: %w", ErrMalformed, protowire.ParseError(n))
	return false
}

// want fails the walk if the current field is not of the wire type that its number
// asks for. Protobuf would take it for an unknown field; in a block it is damage.
func (f *fields) want(typ protowire.Type) bool {
	if f.typ != typ {
		f.err = fmt.Errorf("%w: field %d has wire type %d, not %d", ErrMalformed, f.num, f.typ, typ)
		return false
	}
	return true
}

// text is want for a string, which protobuf demands to be UTF-8.
func (f *fields) text() bool {
	if !f.want(protowire.BytesType) {
		return false
	}
	if !utf8.Valid(f.bytes) {
		f.err = fmt.Errorf("%w: field %d is not UTF-8", ErrMalformed, f.num)
	}
	return f.err == nil
}

// wellFormed checks a message in which nothing is looked for.
func wellFormed(msg []byte) error {
	f := fields{rest: msg}
	for {
		if !f.next() {
			return f.err
		}
	}
}

// find gives the last bytes field with this number, as protobuf's "last one wins", and
// nil if there is none.
func find(msg []byte, num protowire.Number) ([]byte, error) {
	var found []byte
	f := fields{rest: msg}
	for f.next() {
		if f.num == num && f.want(protowire.BytesType) {
			found = f.bytes
		}
	}
	return found, f.err
}

// dig follows a path of message fields downwards.
func dig(msg []byte, path ...protowire.Number) ([]byte, error) {
	var err error
	for _, num := range path {
		if msg, err = find(msg, num); err != nil {
			return nil, err
		}
	}
	return msg, nil
}

// at is a field to pick, and where its bytes go.
type at struct {
	num  protowire.Number
	into *[]byte
}

// pick finds several bytes fields of a message in one walk; of each the last one counts.
func pick(msg []byte, wanted ...at) error {
	f := fields{rest: msg}
	for f.next() {
		for _, w := range wanted {
			if f.num == w.num && f.want(protowire.BytesType) {
				*w.into = f.bytes
			}
		}
	}
	return f.err
}
