package serve

import (
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/blockreel/blockreel/internal/fabric/deliver"
)

// Stall is a time in which nothing is sent to any reader. Blocks go on being offered;
// what was held back is sent at its end.
type Stall struct {
	// At is time of the trace since its first block was offered, For how long it lasts.
	At, For time.Duration
}

func (s Stall) end() time.Duration { return s.At + s.For }

// Config says how to serve a trace.
type Config struct {
	// TLS of the server's end. Nil: none.
	TLS *tls.Config
	// Speed is how many seconds of the trace pass in a second. 0 means 1.
	Speed float64
	// Unpaced offers all blocks from the start; the times of faults are then real time.
	Unpaced bool
	// Hold lets the clock start with the first reader instead of with Serve: when it has
	// been sent what lies before the recording, if there is such. A reader that is one
	// of Record.Peers is sent nothing before its commits are followed.
	Hold bool
	// Stalls may overlap.
	Stalls []Stall
	// Disconnects are times of the trace since its first block was offered, at which
	// every stream is cut. A reader may come back at once. One that does not read is cut
	// when it reads on.
	Disconnects []time.Duration
	// Dir is for the temporary file of blocks. Empty: the system's place for such files.
	Dir string
	// Record keeps what is delivered as a trace. Nil: nothing is kept.
	Record *Recording
	// Hooks are called for requests and blocks.
	Hooks deliver.Hooks
}

// maxSpeed and maxFault bound times so that none of them overflows.
const (
	maxSpeed = 1e6
	maxFault = 10 * 365 * 24 * time.Hour
)

func (c *Config) validate() error {
	if !(c.Speed >= 0 && c.Speed <= maxSpeed) || c.Speed > 0 && c.Speed < 1/maxSpeed {
		return fmt.Errorf("speed is %v: choose between 1e-6 and 1e6 times real time", c.Speed)
	}
	if c.Unpaced && c.Speed != 0 {
		return errors.New("Speed and Unpaced exclude each other")
	}
	for _, s := range c.Stalls {
		if s.At < 0 || s.For <= 0 || s.At > maxFault || s.For > maxFault {
			return fmt.Errorf("a stall at %v for %v: it begins at 0 or later and takes time, up to ten years", s.At, s.For)
		}
	}
	for _, at := range c.Disconnects {
		if at <= 0 || at > maxFault {
			return fmt.Errorf("a disconnect at %v: it comes after the start, up to ten years", at)
		}
	}
	if c.Speed == 0 {
		c.Speed = 1
	}
	if c.Record != nil {
		record := *c.Record
		record.Peers = slices.Clone(record.Peers)
		c.Record = &record
		return record.validate()
	}
	return nil
}

// real is how much real time a time of the trace takes. A trace spans at most 73 years:
// slowed down it might overflow.
func (c *Config) real(t time.Duration) time.Duration {
	if c.Speed == 1 {
		return t
	}
	return time.Duration(min(float64(t)/c.Speed, float64(never/4)))
}
