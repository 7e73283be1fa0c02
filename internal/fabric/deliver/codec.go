package deliver

import (
	"fmt"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// Numbers of DeliverResponse's fields; orderer's and peer's are the same as far as both
// have them.
const (
	responseStatus   = 1
	responseBlock    = 2
	responseFiltered = 3
)

// rawCodec passes responses as bytes and everything else as protobuf. It calls itself
// "proto", so that the other side sees nothing unusual.
type rawCodec struct{}

// response is a DeliverResponse: the number of its field, and the field's bytes or, for
// a status, its number.
type response struct {
	field  protowire.Number
	value  []byte
	status uint64
}

func (rawCodec) Name() string { return "proto" }

// Marshal puts the tag and length before the bytes without copying them, so they must not
// change afterwards.
func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	switch m := v.(type) {
	case *response:
		if m.field == responseStatus {
			head := protowire.AppendTag(nil, m.field, protowire.VarintType)
			return mem.BufferSlice{mem.SliceBuffer(protowire.AppendVarint(head, m.status))}, nil
		}
		head := protowire.AppendTag(make([]byte, 0, 12), m.field, protowire.BytesType)
		head = protowire.AppendVarint(head, uint64(len(m.value)))
		return mem.BufferSlice{mem.SliceBuffer(head), mem.SliceBuffer(m.value)}, nil
	case proto.Message:
		raw, err := proto.Marshal(m)
		return mem.BufferSlice{mem.SliceBuffer(raw)}, err
	}
	return nil, fmt.Errorf("cannot send a %T", v)
}

// Unmarshal copies the bytes once, out of gRPC's frames into a slice of their own.
func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	switch m := v.(type) {
	case *response:
		return m.parse(data.Materialize())
	case proto.Message:
		buf := data.MaterializeToBuffer(mem.DefaultBufferPool())
		defer buf.Free()
		return proto.Unmarshal(buf.ReadOnlyData(), m)
	}
	return fmt.Errorf("cannot receive a %T", v)
}

// parse reads a DeliverResponse: a oneof, so that the last of its fields counts.
func (m *response) parse(raw []byte) error {
	*m = response{}
	for len(raw) > 0 {
		num, typ, n := protowire.ConsumeTag(raw)
		if n < 0 {
			return fmt.Errorf("deliver response: %w", protowire.ParseError(n))
		}
		raw = raw[n:]
		switch {
		case num == responseStatus && typ == protowire.VarintType:
			var v uint64
			if v, n = protowire.ConsumeVarint(raw); n >= 0 {
				*m = response{field: num, status: v}
			}
		case (num == responseBlock || num == responseFiltered) && typ == protowire.BytesType:
			var v []byte
			if v, n = protowire.ConsumeBytes(raw); n >= 0 {
				*m = response{field: num, value: v}
			}
		default:
			n = protowire.ConsumeFieldValue(num, typ, raw)
		}
		if n < 0 {
			return fmt.Errorf("deliver response: %w", protowire.ParseError(n))
		}
		raw = raw[n:]
	}
	return nil
}
