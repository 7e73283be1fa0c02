package deliver

import (
	"context"
	"errors"
)

// Ledger is where a Server takes a channel's blocks from. Many streams use it at once.
type Ledger interface {
	// Oldest is the number of the first block that the ledger can give; 0 unless it
	// begins later than the channel.
	Oldest() uint64
	// Height is the number of the block that comes next.
	Height() uint64
	// Block gives a marshalled common.Block, whose bytes must not change afterwards. It
	// waits for a block that does not exist yet, until ctx ends. An error that is a
	// *StatusError is sent to the reader; ErrDisconnect cuts the stream; any other
	// is an INTERNAL_SERVER_ERROR to the reader.
	Block(ctx context.Context, number uint64) ([]byte, error)
}

// ErrDisconnect makes a Server end a stream without a status, as a node does that dies.
var ErrDisconnect = errors.New("stream cut")
