package deliver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/blockreel/blockreel/internal/fabric"
	commonpb "github.com/blockreel/blockreel/internal/fabric/proto/common"
	peerpb "github.com/blockreel/blockreel/internal/fabric/proto/peer"
)

var streamDesc = grpc.StreamDesc{StreamName: "Deliver", ServerStreams: true, ClientStreams: true}

// Delivered is what one message of a stream brings.
type Delivered struct {
	// Arrived is when the whole message had been read, before anything was made of it.
	Arrived time.Time
	// Block of Orderer and Peer. Its Raw are the bytes as they came.
	Block fabric.Block
	// Filtered of PeerFiltered; nil otherwise.
	Filtered *peerpb.FilteredBlock
	// Old is set by a Follower: the node had the block before the Follower subscribed, so
	// that Arrived does not tell when the block was made.
	Old bool
}

// Number is the block's.
func (d *Delivered) Number() uint64 {
	if d.Filtered != nil {
		return d.Filtered.Number
	}
	return d.Block.Number
}

// Invalid counts the transactions of a filtered block that the peer has found invalid.
func (d *Delivered) Invalid() (n int64) {
	for _, tx := range d.Filtered.FilteredTransactions {
		if tx.TxValidationCode != peerpb.TxValidationCode_VALID {
			n++
		}
	}
	return n
}

// Stream is one subscription.
type Stream struct {
	conn    *Conn
	stream  grpc.ClientStream
	cancel  context.CancelFunc
	service Service
	channel string
}

// Deliver asks a node for blocks. The request is signed by signer and bound to the
// connection's TLS certificate. The node's answer comes with the first Recv.
func (c *Conn) Deliver(ctx context.Context, service Service, signer Signer, seek Seek) (*Stream, error) {
	envelope, err := seek.Envelope(signer, c.tlsCert)
	if err != nil {
		return nil, err
	}
	return c.DeliverEnvelope(ctx, service, seek.Channel, envelope)
}

// DeliverEnvelope is Deliver with a request that was made elsewhere.
func (c *Conn) DeliverEnvelope(ctx context.Context, service Service, channel string, envelope *commonpb.Envelope) (*Stream, error) {
	ctx, cancel := context.WithCancel(ctx)
	s := &Stream{conn: c, cancel: cancel, service: service, channel: channel}
	var err error
	if s.stream, err = c.grpc.NewStream(ctx, &streamDesc, service.Method()); err != nil {
		cancel()
		return nil, s.wrap(err)
	}
	// io.EOF: the stream is over, and Recv says why.
	if err = s.stream.SendMsg(envelope); err != nil && !errors.Is(err, io.EOF) {
		cancel()
		return nil, s.wrap(err)
	}
	return s, nil
}

// Recv waits for the next block. It fails with io.EOF after the stop of the seek, with a
// *StatusError when the node refuses, with a *ConnectError when the connection is gone,
// and with fabric.ErrMalformed. After an error the stream is over.
func (s *Stream) Recv() (Delivered, error) {
	d, err := s.recv()
	if err != nil {
		s.Close()
	}
	return d, err
}

func (s *Stream) recv() (Delivered, error) {
	var m response
	if err := s.stream.RecvMsg(&m); err != nil {
		if errors.Is(err, io.EOF) {
			// Fabric ends a stream with a status; without one it was cut.
			return Delivered{}, s.wrap(io.ErrUnexpectedEOF)
		}
		return Delivered{}, s.wrap(err)
	}
	d := Delivered{Arrived: time.Now()}
	var err error
	switch m.field {
	case responseStatus:
		if code := commonpb.Status(m.status); code != commonpb.Status_SUCCESS {
			return Delivered{}, s.wrap(&StatusError{Status: code, Channel: s.channel})
		}
		return Delivered{}, io.EOF
	case responseBlock:
		if d.Block, err = fabric.ParseBlock(m.value); err != nil {
			return Delivered{}, s.wrap(err)
		}
	case responseFiltered:
		d.Filtered = &peerpb.FilteredBlock{}
		if err = proto.Unmarshal(m.value, d.Filtered); err != nil {
			return Delivered{}, s.wrap(fmt.Errorf("filtered block: %w: %w", fabric.ErrMalformed, err))
		}
	default:
		return Delivered{}, s.wrap(fmt.Errorf("deliver response: %w: neither block nor status", fabric.ErrMalformed))
	}
	if (m.field == responseFiltered) != (s.service == PeerFiltered) {
		return Delivered{}, s.wrap(fmt.Errorf("deliver response: %w: not the kind of block that was asked for", fabric.ErrMalformed))
	}
	return d, nil
}

// Close ends the subscription; a Recv that waits returns.
func (s *Stream) Close() { s.cancel() }

// wrap says whose stream failed, and makes gRPC's errors ones that errors.Is and As know.
func (s *Stream) wrap(err error) error {
	switch status.Code(err) {
	case codes.Unavailable:
		err = s.conn.connectError(errors.New(status.Convert(err).Message()))
	case codes.ResourceExhausted:
		err = fmt.Errorf("%w: %s", ErrTooLarge, status.Convert(err).Message())
	case codes.Unimplemented:
		err = &ServiceError{Service: s.service, Err: err}
	case codes.Canceled:
		err = fmt.Errorf("%w: %w", context.Canceled, err)
	case codes.DeadlineExceeded:
		err = fmt.Errorf("%w: %w", context.DeadlineExceeded, err)
	}
	return &StreamError{Service: s.service, Address: s.conn.address, Err: err}
}

// StreamError says whose stream has failed.
type StreamError struct {
	Service Service
	Address string
	Err     error
}

func (e *StreamError) Error() string { return fmt.Sprintf("%s %s: %v", e.Service, e.Address, e.Err) }

func (e *StreamError) Unwrap() error { return e.Err }

// ServiceError: the node does not have the service that was asked for.
type ServiceError struct {
	Service Service
	Err     error // of gRPC
}

func (e *ServiceError) Error() string {
	role := "peer"
	if e.Service == Orderer {
		role = "orderer"
	}
	return fmt.Sprintf("this node is no %s, or it is another of its ports: the %s service is unknown there", role, e.Service)
}

func (e *ServiceError) Unwrap() error { return e.Err }
