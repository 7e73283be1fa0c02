package deliver

import (
	"context"
	"fmt"
	"path"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/status"

	commonpb "github.com/blockreel/blockreel/internal/fabric/proto/common"
)

// RoundTrip measures how long it takes to the node and back, after everything that
// waits on the connection. It calls a method that the service does not have, which gRPC
// answers before anything of Fabric's is reached, and which proxies route as the others:
// no signature, no policy, no line in the node's log. It sends no HTTP/2 ping: of those
// Fabric's nodes bear one a minute (internal/pkg/comm/config.go: ServerMinInterval). It
// fails when there is no connection.
func (c *Conn) RoundTrip(ctx context.Context, service Service) (time.Duration, error) {
	if state := c.grpc.GetState(); state != connectivity.Ready {
		return 0, c.connectError(fmt.Errorf("the connection is not there: %v", state))
	}
	begun := time.Now()
	err := c.grpc.Invoke(ctx, path.Dir(service.Method())+"/RoundTrip", &commonpb.Envelope{}, &commonpb.Envelope{})
	took := time.Since(begun)
	switch status.Code(err) {
	case codes.Unimplemented:
		return took, nil
	case codes.Unavailable:
		return 0, c.connectError(err)
	}
	return 0, fmt.Errorf("round trip to %s: %w", c.address, err)
}
