package deliver

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/blockreel/blockreel/internal/fabric"
	"github.com/blockreel/blockreel/internal/fabric/identity"
	commonpb "github.com/blockreel/blockreel/internal/fabric/proto/common"
	ordererpb "github.com/blockreel/blockreel/internal/fabric/proto/orderer"
)

// link is what the server knows of the connection under a request.
type link struct {
	remote string
	// tlsCert is the reader's TLS certificate, DER; nil without mutual TLS.
	tlsCert []byte
}

func linkOf(ctx context.Context) link {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return link{}
	}
	l := link{remote: p.Addr.String()}
	if info, ok := p.AuthInfo.(credentials.TLSInfo); ok && len(info.State.PeerCertificates) > 0 {
		l.tlsCert = info.State.PeerCertificates[0].Raw
	}
	return l
}

func (r *Request) refuse(code commonpb.Status, reason string) error {
	return &StatusError{Status: code, Channel: r.Seek.Channel, Reason: reason}
}

// accept fills the request in from its envelope, in the order in which Fabric checks it:
// form, channel, identity, what is sought.
func (s *Server) accept(r *Request, envelope *commonpb.Envelope, l link, now time.Time) error {
	raw, err := proto.Marshal(envelope)
	if err != nil {
		return r.refuse(commonpb.Status_BAD_REQUEST, err.Error())
	}
	t, err := fabric.ParseTransaction(raw)
	if err != nil {
		return r.refuse(commonpb.Status_BAD_REQUEST, err.Error())
	}
	r.Seek.Channel = t.ChannelID
	if reason := badHeader(&t, l, now); reason != "" {
		return r.refuse(commonpb.Status_BAD_REQUEST, reason)
	}
	ledger, ok := s.Ledgers(t.ChannelID)
	if !ok {
		return r.refuse(commonpb.Status_NOT_FOUND, "no such channel")
	}
	r.ledger = ledger
	if r.Creator, err = identity.Parse(t.Creator); err != nil {
		return r.refuse(commonpb.Status_FORBIDDEN, err.Error())
	}
	if err := s.Trust.Check(r.Creator, now); err != nil {
		return r.refuse(commonpb.Status_FORBIDDEN, err.Error())
	}
	if err := r.Creator.Verify(t.Signature, t.Payload); err != nil {
		return r.refuse(commonpb.Status_FORBIDDEN, err.Error())
	}
	return r.seek(t.Data)
}

// badHeader returns the reason to refuse a header, or an empty string.
func badHeader(t *fabric.Transaction, l link, now time.Time) string {
	if t.ChannelID == "" {
		return "no channel"
	}
	var stamp timestamppb.Timestamp
	if err := proto.Unmarshal(t.Timestamp, &stamp); err != nil || t.Timestamp == nil {
		return "no timestamp"
	}
	if apart := now.Sub(stamp.AsTime()).Abs(); apart > TimeWindow {
		return fmt.Sprintf("timestamp is %s apart from this node's clock, more than %s", apart.Round(time.Second), TimeWindow)
	}
	if l.tlsCert != nil {
		if sum := sha256.Sum256(l.tlsCert); !bytes.Equal(t.TLSCertHash, sum[:]) {
			return "the request is not bound to the connection's TLS certificate"
		}
	}
	return ""
}

// seek reads the SeekInfo and makes numbers of its positions.
func (r *Request) seek(data []byte) error {
	var info ordererpb.SeekInfo
	if err := proto.Unmarshal(data, &info); err != nil {
		return r.refuse(commonpb.Status_BAD_REQUEST, "seek info: "+err.Error())
	}
	r.Seek.Start, r.Seek.Stop = position(info.Start), position(info.Stop)
	r.Seek.FailIfNotReady = info.Behavior == ordererpb.SeekInfo_FAIL_IF_NOT_READY
	r.Seek.BestEffort = info.ErrorResponse == ordererpb.SeekInfo_BEST_EFFORT
	r.Seek.HeadersOnly = r.Service == Orderer && info.ContentType == ordererpb.SeekInfo_HEADER_WITH_SIG_BYTES
	if r.Seek.Start.kind == unset || r.Seek.Stop.kind == unset {
		return r.refuse(commonpb.Status_BAD_REQUEST, "seek info without start or stop")
	}
	low, height := r.ledger.Oldest(), r.ledger.Height()
	last := max(height, low+1) - 1
	switch r.Seek.Start.kind {
	case oldest:
		r.First = low
	case newest:
		r.First = last
	case nextCommit:
		r.First = height
	case number:
		r.First = r.Seek.Start.number
	}
	switch r.Seek.Stop.kind {
	case oldest:
		// As Fabric has it: the block that the delivery starts with.
		r.last = r.First
	case newest:
		r.last = max(last, r.First)
	case nextCommit:
		return r.refuse(commonpb.Status_BAD_REQUEST, "next commit can only be a start")
	case number:
		r.last = r.Seek.Stop.number
	}
	switch {
	case r.last < r.First:
		return r.refuse(commonpb.Status_BAD_REQUEST, fmt.Sprintf("stops at block %d, before its start at %d", r.last, r.First))
	case r.First > height || r.First < low:
		return r.refuse(commonpb.Status_NOT_FOUND, fmt.Sprintf("block %d is not among blocks %d to %d", r.First, low, height))
	}
	return nil
}

// position is the inverse of Position.message; unset for a message that says nothing.
func position(m *ordererpb.SeekPosition) Position {
	switch p := m.GetType().(type) {
	case *ordererpb.SeekPosition_Oldest:
		return Oldest
	case *ordererpb.SeekPosition_Newest:
		return Newest
	case *ordererpb.SeekPosition_NextCommit:
		return NextCommit
	case *ordererpb.SeekPosition_Specified:
		return At(p.Specified.GetNumber())
	}
	return Position{}
}
