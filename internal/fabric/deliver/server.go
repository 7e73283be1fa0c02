package deliver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/blockreel/blockreel/internal/fabric"
	"github.com/blockreel/blockreel/internal/fabric/identity"
	commonpb "github.com/blockreel/blockreel/internal/fabric/proto/common"
)

// Fabric's defaults for servers (internal/pkg/comm/config.go), but for the size of what a
// client may send: a request is a few kB.
const (
	maxRequestBytes      = 1 << 20
	serverPingAfter      = 2 * time.Hour
	serverPingTimeout    = 20 * time.Second
	serverMinPing        = time.Minute
	serverConnectTimeout = 5 * time.Second
)

// TimeWindow is how far a request's timestamp may be from the server's clock
// (orderer.yaml: General.Authentication.TimeWindow).
const TimeWindow = 15 * time.Minute

// ServerOptions make a gRPC server fit for RegisterOrderer and RegisterPeer: TLS (nil:
// none), Fabric's limits and keepalive, and the codec that sends blocks as bytes. Stop
// waits for the streams to end.
func ServerOptions(tlsConfig *tls.Config) []grpc.ServerOption {
	options := []grpc.ServerOption{
		grpc.ForceServerCodecV2(rawCodec{}),
		grpc.MaxRecvMsgSize(maxRequestBytes),
		grpc.MaxSendMsgSize(MaxMessageBytes),
		grpc.ConnectionTimeout(serverConnectTimeout),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: serverPingAfter, Timeout: serverPingTimeout}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: serverMinPing, PermitWithoutStream: true}),
		grpc.WaitForHandlers(true),
	}
	if tlsConfig != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(tlsConfig)))
	}
	return options
}

// Server answers Deliver requests. Its fields are not to be changed once it serves.
type Server struct {
	// Ledgers gives the ledger of a channel; ok is false for a channel that the node
	// does not have: NOT_FOUND.
	Ledgers func(channel string) (ledger Ledger, ok bool)
	// Trust says whose requests to answer. The zero Trust: anybody's whose signature is
	// good.
	Trust identity.Trust
	// Hooks observe the requests.
	Hooks Hooks
}

// Hooks are called in the goroutine of the stream that they are about. Nil ones are left
// out.
type Hooks struct {
	// Opened: a request is accepted, its first block comes next.
	Opened func(*Request)
	// Sent: a block's Send has returned.
	Sent func(*Request, Sent)
	// Ended: the request is answered. A nil error is SUCCESS, a *StatusError what the
	// reader was sent, anything else how the stream broke. Of a request that was refused
	// without having been opened, only what could be read is known.
	Ended func(*Request, error)
}

// Request is one SeekInfo on one stream.
type Request struct {
	Service Service
	// Remote is the reader's address, Creator who signed.
	Remote  string
	Creator *identity.Principal
	// Seek that was asked for, and First, the number of the first block that it means.
	Seek  Seek
	First uint64

	ledger Ledger
	last   uint64
}

// Sent describes a block that has left for the reader: gRPC has taken it, and it is in
// flight.
type Sent struct {
	Number uint64
	// Bytes of the message's block: less than the block's for PeerFiltered.
	Bytes int
	// Begun is when Send was called, Done when it had returned. In between it may have
	// stood before a full flow-control window.
	Begun, Done time.Time
}

// RegisterOrderer serves /orderer.AtomicBroadcast/Deliver.
func (s *Server) RegisterOrderer(r grpc.ServiceRegistrar) {
	r.RegisterService(s.describe("orderer.AtomicBroadcast", "orderer/ab.proto", map[string]Service{"Deliver": Orderer}), s)
}

// RegisterPeer serves /protos.Deliver/Deliver and /protos.Deliver/DeliverFiltered.
func (s *Server) RegisterPeer(r grpc.ServiceRegistrar) {
	r.RegisterService(s.describe("protos.Deliver", "peer/events.proto",
		map[string]Service{"Deliver": Peer, "DeliverFiltered": PeerFiltered}), s)
}

func (s *Server) describe(name, file string, services map[string]Service) *grpc.ServiceDesc {
	desc := &grpc.ServiceDesc{ServiceName: name, HandlerType: (*any)(nil), Metadata: file}
	for method, service := range services {
		desc.Streams = append(desc.Streams, grpc.StreamDesc{
			StreamName: method, ServerStreams: true, ClientStreams: true,
			Handler: func(_ any, stream grpc.ServerStream) error { return s.serve(service, stream) },
		})
	}
	return desc
}

// serve answers the requests of a stream, one after the other, until one fails.
func (s *Server) serve(service Service, stream grpc.ServerStream) error {
	link := linkOf(stream.Context())
	for {
		var envelope commonpb.Envelope
		if err := stream.RecvMsg(&envelope); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		request := &Request{Service: service, Remote: link.remote}
		err := s.accept(request, &envelope, link, time.Now())
		if err == nil {
			if s.Hooks.Opened != nil {
				s.Hooks.Opened(request)
			}
			err = s.deliver(stream, request)
		}
		code, broken := outcome(err)
		if broken == nil {
			broken = stream.SendMsg(&response{field: responseStatus, status: uint64(code)})
			if err == nil {
				err = broken
			}
		}
		if s.Hooks.Ended != nil {
			s.Hooks.Ended(request, err)
		}
		if broken != nil || code != commonpb.Status_SUCCESS {
			return broken
		}
	}
}

// outcome gives the status to send, or the error that ends the stream without one.
func outcome(err error) (commonpb.Status, error) {
	var refused *StatusError
	switch {
	case err == nil:
		return commonpb.Status_SUCCESS, nil
	case errors.As(err, &refused):
		return refused.Status, nil
	case errors.Is(err, errSend):
		return 0, err
	case errors.Is(err, ErrDisconnect):
		return 0, status.Error(codes.Unavailable, err.Error())
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return 0, status.FromContextError(err).Err()
	default:
		return commonpb.Status_INTERNAL_SERVER_ERROR, nil
	}
}

// errSend: the reader is gone.
var errSend = errors.New("send")

// deliver sends the blocks of an accepted request.
func (s *Server) deliver(stream grpc.ServerStream, r *Request) error {
	for number := r.First; ; number++ {
		if r.Seek.FailIfNotReady && number >= r.ledger.Height() {
			return r.refuse(commonpb.Status_NOT_FOUND, fmt.Sprintf("block %d does not exist yet", number))
		}
		raw, err := r.ledger.Block(stream.Context(), number)
		if err != nil {
			return fmt.Errorf("channel %s: block %d: %w", r.Seek.Channel, number, err)
		}
		message, err := r.message(raw)
		if err != nil {
			return fmt.Errorf("channel %s: %w", r.Seek.Channel, err)
		}
		begun := time.Now()
		if err := stream.SendMsg(message); err != nil {
			return fmt.Errorf("%w: %w", errSend, err)
		}
		if s.Hooks.Sent != nil {
			s.Hooks.Sent(r, Sent{Number: number, Bytes: len(message.value), Begun: begun, Done: time.Now()})
		}
		if number == r.last {
			return nil
		}
	}
}

// message makes what the service sends of a block.
func (r *Request) message(raw []byte) (*response, error) {
	if r.Service != PeerFiltered && !r.Seek.HeadersOnly {
		return &response{field: responseBlock, value: raw}, nil
	}
	block, err := fabric.ParseBlock(raw)
	if err != nil {
		return nil, err
	}
	if r.Service != PeerFiltered {
		// A configuration block is always whole: the reader needs what it says.
		if !block.IsConfig() {
			raw = block.WithoutData()
		}
		return &response{field: responseBlock, value: raw}, nil
	}
	filtered, err := fabric.Filter(&block)
	if err != nil {
		return nil, err
	}
	if raw, err = proto.Marshal(filtered); err != nil {
		return nil, err
	}
	return &response{field: responseFiltered, value: raw}, nil
}
