package deliver

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/blockreel/blockreel/internal/fabric/identity"
	commonpb "github.com/blockreel/blockreel/internal/fabric/proto/common"
	ordererpb "github.com/blockreel/blockreel/internal/fabric/proto/orderer"
)

// Service is one of the Deliver methods.
type Service uint8

const (
	// Orderer: blocks as soon as they are in the orderer's ledger.
	Orderer Service = iota
	// Peer: blocks once the peer has committed them, with its verdicts.
	Peer
	// PeerFiltered: ids and verdicts of committed blocks.
	PeerFiltered
)

var methods = [...]string{"/orderer.AtomicBroadcast/Deliver", "/protos.Deliver/Deliver", "/protos.Deliver/DeliverFiltered"}

// Method gives the service's gRPC path.
func (s Service) Method() string { return methods[s] }

func (s Service) String() string {
	return [...]string{"orderer deliver", "peer deliver", "peer filtered deliver"}[s]
}

type positionKind uint8

const (
	unset positionKind = iota
	oldest
	newest
	nextCommit
	number
)

// Position is a place in a channel's chain.
type Position struct {
	kind   positionKind
	number uint64
}

var (
	// Oldest is the first block that the node has.
	Oldest = Position{kind: oldest}
	// Newest is the last block that the node has when it reads the request.
	Newest = Position{kind: newest}
	// NextCommit is the block after Newest. Nodes know it since Fabric 2.0; only a start.
	NextCommit = Position{kind: nextCommit}
	// Forever is a stop that never comes.
	Forever = At(math.MaxUint64)
)

// At is the block of this number.
func At(n uint64) Position { return Position{kind: number, number: n} }

// Number gives the number of the block; ok is false for places that have none.
func (p Position) Number() (n uint64, ok bool) { return p.number, p.kind == number }

func (p Position) String() string {
	switch p.kind {
	case oldest:
		return "oldest"
	case newest:
		return "newest"
	case nextCommit:
		return "next commit"
	case number:
		if p == Forever {
			return "forever"
		}
		return fmt.Sprintf("block %d", p.number)
	}
	return "unset"
}

func (p Position) message() *ordererpb.SeekPosition {
	switch p.kind {
	case newest:
		return &ordererpb.SeekPosition{Type: &ordererpb.SeekPosition_Newest{Newest: &ordererpb.SeekNewest{}}}
	case nextCommit:
		return &ordererpb.SeekPosition{Type: &ordererpb.SeekPosition_NextCommit{NextCommit: &ordererpb.SeekNextCommit{}}}
	case number:
		return &ordererpb.SeekPosition{Type: &ordererpb.SeekPosition_Specified{Specified: &ordererpb.SeekSpecified{Number: p.number}}}
	default:
		return &ordererpb.SeekPosition{Type: &ordererpb.SeekPosition_Oldest{Oldest: &ordererpb.SeekOldest{}}}
	}
}

// Seek says which blocks of a channel to deliver.
type Seek struct {
	Channel string
	// Start is the first block. Zero: Oldest.
	Start Position
	// Stop is the last block. Zero: Forever.
	Stop Position
	// FailIfNotReady makes the node answer NOT_FOUND for a block that does not exist
	// yet, instead of waiting for it.
	FailIfNotReady bool
	// BestEffort asks an orderer to deliver although it has lost its consensus.
	BestEffort bool
	// HeadersOnly asks for blocks without transactions, which orderers can send since
	// Fabric 3.0. Older ones ignore it and send whole blocks.
	HeadersOnly bool
}

func (s Seek) withDefaults() Seek {
	if s.Start.kind == unset {
		s.Start = Oldest
	}
	if s.Stop.kind == unset {
		s.Stop = Forever
	}
	return s
}

func (s Seek) validate() error {
	switch {
	case s.Channel == "":
		return errors.New("seek: no channel")
	case s.Stop.kind == nextCommit:
		return errors.New("seek: next commit can only be a start")
	case s.Start.kind == number && s.Stop.kind == number && s.Stop.number < s.Start.number:
		return fmt.Errorf("seek: stops at block %d, before its start at %d", s.Stop.number, s.Start.number)
	}
	return nil
}

func (s Seek) message() *ordererpb.SeekInfo {
	m := &ordererpb.SeekInfo{Start: s.Start.message(), Stop: s.Stop.message()}
	if s.FailIfNotReady {
		m.Behavior = ordererpb.SeekInfo_FAIL_IF_NOT_READY
	}
	if s.BestEffort {
		m.ErrorResponse = ordererpb.SeekInfo_BEST_EFFORT
	}
	if s.HeadersOnly {
		m.ContentType = ordererpb.SeekInfo_HEADER_WITH_SIG_BYTES
	}
	return m
}

// Signer signs requests for a member of an MSP.
type Signer interface {
	// Serialize returns the member as a marshalled msp.SerializedIdentity.
	Serialize() []byte
	// Sign signs a message as Fabric does: the hash of it, with ECDSA and a low S, or the
	// message itself with Ed25519.
	Sign(message []byte) ([]byte, error)
}

// Envelope makes the signed request. tlsCert is the client's TLS certificate, DER, when
// the connection is mutual TLS: Fabric binds the request to it.
func (s Seek) Envelope(signer Signer, tlsCert []byte) (*commonpb.Envelope, error) {
	s = s.withDefaults()
	if err := s.validate(); err != nil {
		return nil, err
	}
	channelHeader := &commonpb.ChannelHeader{
		Type:      int32(commonpb.HeaderType_DELIVER_SEEK_INFO),
		Timestamp: timestamppb.Now(),
		ChannelId: s.Channel,
	}
	if tlsCert != nil {
		sum := sha256.Sum256(tlsCert)
		channelHeader.TlsCertHash = sum[:]
	}
	signatureHeader := &commonpb.SignatureHeader{Creator: signer.Serialize(), Nonce: identity.Nonce()}
	header := &commonpb.Header{}
	payload := &commonpb.Payload{Header: header}
	var err error
	marshal := func(m proto.Message) (raw []byte) {
		if err == nil {
			raw, err = proto.Marshal(m)
		}
		return raw
	}
	header.ChannelHeader = marshal(channelHeader)
	header.SignatureHeader = marshal(signatureHeader)
	payload.Data = marshal(s.message())
	envelope := &commonpb.Envelope{Payload: marshal(payload)}
	if err != nil {
		return nil, fmt.Errorf("seek: %w", err)
	}
	if envelope.Signature, err = signer.Sign(envelope.Payload); err != nil {
		return nil, fmt.Errorf("seek: %w", err)
	}
	return envelope, nil
}
