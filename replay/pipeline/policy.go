package pipeline

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// Names of the policies.
const (
	// Fabric shuts the door above 2N buffered blocks and looks at it every 100 ms.
	Fabric = "fabric"
	// Ideal has Fabric's threshold, and opens the door at the pop that makes room.
	Ideal = "ideal"
	// Unbounded never shuts the door.
	Unbounded = "unbounded"
)

// policies are the rules by which a buffer can admit blocks. A new one is a new entry.
var policies = []struct {
	name string
	// threshold is the number of buffered blocks up to which the door opens. Nil: any.
	threshold func(n int) int
	// retry is Policy.Retry if nobody sets another. 0: the door opens at the pop.
	retry time.Duration
}{
	{Fabric, twice, EnqueueRetry},
	{Ideal, twice, 0},
	{Unbounded, nil, 0},
}

// twice is Fabric's threshold (gossip/state/state.go, addPayload).
func twice(n int) int { return 2 * n }

// EnqueueRetry is Fabric's enqueueRetryInterval (gossip/state/state.go), all versions.
const EnqueueRetry = 100 * time.Millisecond

// Policy is how the payloads buffer admits blocks: a rule by its name, and its numbers.
type Policy struct {
	// Name is one of Policies.
	Name string
	// N is peer.gossip.state.blockBufferSize, in blocks: at least 1, or 0 if the policy
	// is not Bounded.
	N int
	// Retry is the time between two looks at a shut door: more than 0, or 0 if the
	// policy does not poll.
	Retry time.Duration
}

// Policies returns the names of all policies.
func Policies() []string {
	names := make([]string, len(policies))
	for i, p := range policies {
		names[i] = p.name
	}
	return names
}

// ParsePolicy returns the policy of a name, with N = 0, which a bounded policy does not accept.
func ParsePolicy(name string) (Policy, error) {
	return Policy{}.As(name)
}

// As returns the policy of a name with the N and the Retry of p where it uses them. A Retry
// that p does not have is Fabric's.
func (p Policy) As(name string) (Policy, error) {
	for _, rule := range policies {
		if rule.name != name {
			continue
		}
		as := Policy{Name: name}
		if rule.threshold != nil {
			as.N = p.N
		}
		if as.Retry = rule.retry; rule.retry > 0 && p.Retry > 0 {
			as.Retry = p.Retry
		}
		return as, nil
	}
	return Policy{}, fmt.Errorf("buffer policy %q: choose %s", name, strings.Join(Policies(), ", "))
}

// Bounded reports whether the buffer has a size N.
func (p Policy) Bounded() bool { return p.Threshold() < math.MaxInt }

// Threshold is the number of buffered blocks up to which the door opens; math.MaxInt if it
// is never shut.
func (p Policy) Threshold() int {
	for _, rule := range policies {
		if rule.name == p.Name && rule.threshold != nil {
			return rule.threshold(p.N)
		}
	}
	return math.MaxInt
}

// Capacity is the largest number of blocks that the buffer can hold; math.MaxInt if it is
// not bounded.
func (p Policy) Capacity() int {
	if t := p.Threshold(); t < math.MaxInt {
		return t + 1
	}
	return math.MaxInt
}

func (p Policy) validate() error {
	as, err := p.As(p.Name)
	switch {
	case err != nil:
		return err
	case !p.Bounded() && p.N != 0:
		return fmt.Errorf("buffer size N is %d: policy %s has none", p.N, p.Name)
	case p.Bounded() && (p.N < 1 || p.N > MaxBuffer):
		return fmt.Errorf("buffer size N is %d: choose 1 to %d blocks, or policy %s", p.N, MaxBuffer, Unbounded)
	case as.Retry != p.Retry && as.Retry == 0:
		return fmt.Errorf("retry is %v: policy %s does not poll", p.Retry, p.Name)
	case as.Retry != p.Retry:
		return fmt.Errorf("retry is %v: choose more than 0, or policy %s", p.Retry, Ideal)
	}
	return nil
}

// opens is the look that finds the door open, when that at door found it shut: the first
// of those at door + retry, door + 2 retry, … at or after room. Retry 0 looks all the time.
func opens(door, room, retry int64) int64 {
	switch shut := room - door; {
	case retry == 0:
		return room
	case shut <= retry: // as nearly always, and division takes long
		return door + retry
	default:
		return door + (shut-1)/retry*retry + retry
	}
}

// Modes that older versions wrote into settings.
const (
	oldBlocking    = "blocking" // Fabric, or Ideal if it did not poll
	oldNonBlocking = "non-blocking"
)

// parsePolicy reads a policy from the settings of a trace, as this or an older version wrote it.
func parsePolicy(mode string, n int, retry time.Duration) (Policy, error) {
	switch {
	case mode == oldNonBlocking:
		return Policy{}, fmt.Errorf("the buffer was %s, which this version cannot replay: replay the trace that it was made from", mode)
	case mode == oldBlocking && retry == 0:
		mode = Ideal
	case mode == oldBlocking:
		mode = Fabric
	}
	p, err := Policy{N: n, Retry: retry}.As(mode)
	if p.Retry != 0 {
		p.Retry = retry // Validate refuses what is no time
	}
	return p, err
}
