package fabriclog

import (
	"errors"
	"fmt"
	"io"
	"time"
)

// A Source is one log file of one node.
type Source struct {
	// Name is the node's name. Sources of one name are the rotated files of one
	// node. Empty: the name is taken from Path, or from the log's own banner when
	// the file name says no more than "peer" or "orderer".
	Name string
	// Path stands in messages and gives Name when that is empty; "-" is stdin.
	Path string
	// Open returns the log, compressed or not. It is called once; what it returns
	// is read once from start to end and closed.
	Open func() (io.ReadCloser, error)
}

// Config says what to read and how.
type Config struct {
	// Orderers are logs of the ordering service. Several nodes are one service:
	// the earliest line about a block counts.
	Orderers []Source
	// Peers are logs of peers: one stream for each peer and channel.
	Peers []Source
	// Channels restricts the trace to these channels. Empty: all.
	Channels []string
	// AssumeBacklog gives blocks without an offered time that of the peer's first
	// pop: right for a catch-up after an outage, wrong for everything else.
	AssumeBacklog bool
	// ClockOffset is added to the times of every peer. Zero: as logged.
	ClockOffset time.Duration
	// FixClockSkew moves a peer's times forward by the smallest amount that puts
	// no commit before its offer. False: skew is only reported.
	FixClockSkew bool
	// Location is the zone of timestamps that carry none. Nil: UTC.
	Location *time.Location
	// Progress is called now and then with the number of bytes read so far from
	// all sources, before decompression. Nil: not called.
	Progress func(bytes int64)
	// Tool names the program and version for the trace's header.
	Tool string
}

// maxSources bounds the number of files that are open at once.
const maxSources = 1000

func (c *Config) validate() error {
	if len(c.Orderers)+len(c.Peers) == 0 {
		return errors.New("no log to read: give at least one peer log")
	}
	if n := len(c.Orderers) + len(c.Peers); n > maxSources {
		return fmt.Errorf("%d log files are more than the %d that can be read at once", n, maxSources)
	}
	stdin := 0
	for _, sources := range [][]Source{c.Orderers, c.Peers} {
		for _, s := range sources {
			if s.Open == nil {
				return fmt.Errorf("log %q cannot be opened: its Source has no Open", s.Path)
			}
			if s.Path == "-" {
				stdin++
			}
		}
	}
	if stdin > 1 {
		return errors.New("standard input (-) can be one log only")
	}
	return nil
}
