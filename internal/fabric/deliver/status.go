package deliver

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	commonpb "github.com/blockreel/blockreel/internal/fabric/proto/common"
)

// StatusError is a Deliver status other than SUCCESS. A Ledger may return one to have it
// sent.
type StatusError struct {
	Status commonpb.Status
	// Channel that was asked for.
	Channel string
	// Reason is what the server knows of the cause; it does not travel, as in Fabric.
	Reason string
}

func (e *StatusError) Error() string {
	s := e.Status.String()
	if e.Channel != "" {
		s = fmt.Sprintf("channel %s: %s", e.Channel, s)
	}
	if e.Reason != "" {
		return s + ": " + e.Reason
	}
	if meaning := meanings[e.Status]; meaning != "" {
		return s + ": " + meaning
	}
	return s
}

// meanings say what Fabric's nodes mean by a status of Deliver.
var meanings = map[commonpb.Status]string{
	commonpb.Status_BAD_REQUEST: "the node does not understand the request: " +
		"clocks more than 15 minutes apart, or mutual TLS with another client certificate than the request names",
	commonpb.Status_FORBIDDEN: "the node does not let this identity read the channel: " +
		"check the MSP id, that the certificate has not expired, and the channel's Readers policy",
	commonpb.Status_NOT_FOUND:             "the node has no such channel or block (yet)",
	commonpb.Status_SERVICE_UNAVAILABLE:   "the node cannot serve the channel now: an orderer without a leader answers so",
	commonpb.Status_INTERNAL_SERVER_ERROR: "the node has failed: its log says how",
}

// Is makes errors.Is(err, &StatusError{Status: s}) compare statuses alone.
func (e *StatusError) Is(target error) bool {
	t, ok := target.(*StatusError)
	return ok && t.Status == e.Status
}

// HasStatus reports whether err is a StatusError with this status.
func HasStatus(err error, s commonpb.Status) bool {
	return errors.Is(err, &StatusError{Status: s})
}

// NotFound reports whether a node has answered that it has no such channel or block.
func NotFound(err error) bool { return HasStatus(err, commonpb.Status_NOT_FOUND) }

// ErrTooLarge: a message was larger than MaxMessageBytes.
var ErrTooLarge = errors.New("message is larger than the limit of 100 MB")

// Permanent reports whether err is a refusal that another try cannot change: wrong
// certificates, names or identities, a request that is wrong in itself. Everything else
// may pass: a node that is down, a channel that does not exist yet.
func Permanent(err error) bool {
	var refused *StatusError
	if errors.As(err, &refused) {
		switch refused.Status {
		case commonpb.Status_FORBIDDEN, commonpb.Status_BAD_REQUEST, commonpb.Status_NOT_IMPLEMENTED,
			commonpb.Status_REQUEST_ENTITY_TOO_LARGE:
			return true
		}
		return false
	}
	var connect *ConnectError
	if errors.As(err, &connect) {
		return connect.Permanent
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	switch status.Code(err) {
	case codes.Unimplemented, codes.PermissionDenied, codes.Unauthenticated:
		return true
	}
	return errors.Is(err, ErrTooLarge)
}
