package fabric

import (
	"fmt"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// fields walks the known fields at the top level of a marshalled message:
//
//	f := fields{rest: msg, kinds: "bs-v"}
//	for f.next() { … f.num, f.bytes … }
//	return f.err
//
// kinds has a letter for each field, from number 1 on: b bytes, s text, v varint, - ignored. A
// known field of another wire type fails the walk: protobuf takes it for an unknown field, in
// a block it is damage.
type fields struct {
	rest  []byte
	kinds string
	num   protowire.Number
	// bytes is the value of a length-delimited field, varint that of a varint.
	bytes  []byte
	varint uint64
	err    error
}

func (f *fields) next() bool {
	for len(f.rest) > 0 && f.err == nil {
		num, typ, n := protowire.ConsumeTag(f.rest)
		if n < 0 {
			return f.fail(n)
		}
		if num > protowire.MaxValidNumber {
			f.err = fmt.Errorf("%w: field number %d", ErrMalformed, num)
			return false
		}
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
		if int(num) > len(f.kinds) || f.kinds[num-1] == '-' {
			continue
		}
		f.num = num
		return f.check(f.kinds[num-1], typ)
	}
	return false
}

func (f *fields) fail(n int) bool {
	f.err = fmt.Errorf("%w: %w", ErrMalformed, protowire.ParseError(n))
	return false
}

func (f *fields) check(kind byte, typ protowire.Type) bool {
	want := protowire.BytesType
	if kind == 'v' {
		want = protowire.VarintType
	}
	switch {
	case typ != want:
		f.err = fmt.Errorf("%w: field %d has wire type %d, not %d", ErrMalformed, f.num, typ, want)
	case kind == 's' && !utf8.Valid(f.bytes):
		f.err = fmt.Errorf("%w: field %d is not UTF-8", ErrMalformed, f.num)
	}
	return f.err == nil
}

// each calls use with the bytes of each known field of a message.
func each(msg []byte, kinds string, use func([]byte) error) error {
	f := fields{rest: msg, kinds: kinds}
	for f.next() {
		f.err = use(f.bytes)
	}
	return f.err
}

// pick sets into[i] to the bytes of field i+1, unless it is nil. The last occurrence counts, as
// in protobuf.
func pick(msg []byte, kinds string, into ...*[]byte) error {
	f := fields{rest: msg, kinds: kinds}
	for f.next() {
		if i := int(f.num) - 1; i < len(into) && into[i] != nil {
			*into[i] = f.bytes
		}
	}
	return f.err
}

// dig follows a path of message fields downwards; nil if there is none.
func dig(msg []byte, path ...protowire.Number) ([]byte, error) {
	for _, num := range path {
		f := fields{rest: msg, kinds: "----b"[5-num:]}
		msg = nil
		for f.next() {
			msg = f.bytes
		}
		if f.err != nil {
			return nil, f.err
		}
	}
	return msg, nil
}
