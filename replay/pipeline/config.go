package pipeline

import (
	"errors"
	"fmt"
	"math/bits"
	"time"
)

// Limits of what a Config may say. They keep all arithmetic on times within an int64.
const (
	// MaxBuffer is the largest N: beyond it no peer has the memory.
	MaxBuffer = 1 << 20
	// MaxBlockBytes is the largest block that the costs are computed for.
	MaxBlockBytes = 1 << 31
	// MaxDuration is the longest time that one thing may take.
	MaxDuration = 365 * 24 * time.Hour
)

// Config is what a stream's pipeline is made of. The zero value is refused, since it
// has no buffer; begin with a Preset.
type Config struct {
	Policy Policy
	// Hand is the number of blocks (0 or 1) that the receiver reads ahead of the one
	// in its intake. 0 is Fabric 1.4, where one goroutine does both.
	Hand   int
	Intake Intake
	// Wake is the time from the enqueueing of a block that a sleeping committer
	// waits for to its pop. 0: none.
	Wake time.Duration
	Link Link
}

// Intake is the serial work on a block between the stream and the door.
type Intake struct {
	// Fixed is the time per block. 0: none.
	Fixed time.Duration
	// PerKiB is the time per 1024 bytes of the block, rounded down to the
	// nanosecond after multiplication. 0: none.
	PerKiB time.Duration
	// Resume is added for the first block taken in after a block that had to wait
	// at the door: its goroutine, and the data, have gone cold. 0: none.
	Resume time.Duration
}

// Cost is the time that the intake of a block takes, without Resume.
func (c Intake) Cost(bytes int64) time.Duration {
	return c.Fixed + time.Duration(int64(c.PerKiB)*bytes>>10)
}

// Link is the way from the orderer's Send to the peer's Recv.
type Link struct {
	// Latency is the time between Sent and the arrival at the peer. 0: none.
	Latency time.Duration
	// Bandwidth in bytes per second. 0: infinitely fast.
	Bandwidth int64
	// Window is the number of bytes that may be sent and not yet received, gRPC's
	// flow control. A block larger than it is sent when nothing is in flight.
	// 0: no limit.
	Window int64
}

// transmission is the time that Send takes once the window has admitted the block:
// bytes ÷ bandwidth, rounded up to the nanosecond.
func (l Link) transmission(bytes int64) time.Duration {
	if l.Bandwidth == 0 {
		return 0
	}
	return l.limited(bytes)
}

func (l Link) limited(bytes int64) time.Duration {
	hi, lo := bits.Mul64(uint64(bytes), uint64(time.Second))
	lo, carry := bits.Add64(lo, uint64(l.Bandwidth)-1, 0)
	hi += carry
	if hi >= uint64(l.Bandwidth) {
		return MaxDuration
	}
	ns, _ := bits.Div64(hi, lo, uint64(l.Bandwidth))
	return time.Duration(min(ns, uint64(MaxDuration)))
}

// WithBuffer returns c with a buffer of size n.
func (c Config) WithBuffer(n int) Config {
	c.Policy.N = n
	return c
}

// Validate says what is wrong with c.
func (c Config) Validate() error {
	if err := c.Policy.validate(); err != nil {
		return err
	}
	if c.Hand < 0 || c.Hand > 1 {
		return fmt.Errorf("hand is %d: choose 0 (Fabric 1.4) or 1 (2.x, 3.x)", c.Hand)
	}
	if c.Link.Bandwidth < 0 || c.Link.Window < 0 {
		return errors.New("the link's bandwidth and window must not be negative (0 means no limit)")
	}
	if c.Intake.PerKiB < 0 || c.Intake.PerKiB > time.Second {
		return fmt.Errorf("intake per KiB is %v: choose 0 to 1s", c.Intake.PerKiB)
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"retry", c.Policy.Retry}, {"wake", c.Wake}, {"latency", c.Link.Latency},
		{"fixed intake", c.Intake.Fixed}, {"intake after a wait", c.Intake.Resume},
	} {
		if d.value < 0 || d.value > MaxDuration {
			return fmt.Errorf("%s is %v: choose 0 to %v", d.name, d.value, MaxDuration)
		}
	}
	return nil
}
