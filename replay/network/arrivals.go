package network

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/blockreel/blockreel/traces/event"
)

// A Profile is the pattern in which an orderer cuts blocks.
type Profile string

const (
	// Constant: at equal distances.
	Constant Profile = "constant"
	// Poisson: independently of each other, at exponential distances.
	Poisson Profile = "poisson"
	// Burst: Load.BurstBlocks at one instant, then a pause.
	Burst Profile = "burst"
	// Ramp: at a rate that rises or falls linearly, from Load.StartRate to Load.Rate.
	Ramp Profile = "ramp"
)

// Profiles returns all profiles.
func Profiles() []Profile { return []Profile{Constant, Poisson, Burst, Ramp} }

// Limits of a load.
const (
	MaxRate     = 1e6 // blocks a second
	MaxBlocks   = 1 << 26
	MaxDuration = 30 * 24 * time.Hour
)

// Load says when blocks are offered on one channel. It ends after Blocks or after
// Duration, whichever comes first; with neither it goes on until the run is cancelled.
type Load struct {
	// Profile; empty means Constant.
	Profile Profile
	// Rate is the mean number of blocks a second, or that at the end of a Ramp.
	Rate float64
	// StartRate is the rate at the start of a Ramp. 0 is from standstill.
	StartRate float64
	// BurstBlocks is the number of blocks of one Burst. 0 means 100.
	BurstBlocks int
	// Blocks is the number of blocks. 0: no limit.
	Blocks int
	// Duration is the time in which blocks are offered. 0: no limit.
	Duration time.Duration
	// Seed makes a Poisson load, and blocks of unequal size, what they are: the same seed
	// gives the same instants and sizes.
	Seed uint64
}

func (l *Load) validate() error {
	if l.Profile == "" {
		l.Profile = Constant
	}
	if l.BurstBlocks == 0 {
		l.BurstBlocks = 100
	}
	switch {
	case !slices.Contains(Profiles(), l.Profile):
		return fmt.Errorf("arrival profile %q is unknown; known are %s", l.Profile, profileNames())
	case !(l.Rate > 0 && l.Rate <= MaxRate):
		return fmt.Errorf("rate of %v blocks/s: choose more than 0 and at most %.0f", l.Rate, MaxRate)
	case !(l.StartRate >= 0 && l.StartRate <= MaxRate):
		return fmt.Errorf("start rate of %v blocks/s: choose 0 to %.0f", l.StartRate, MaxRate)
	case l.BurstBlocks < 0 || l.BurstBlocks > MaxBlocks:
		return fmt.Errorf("bursts of %d blocks: choose 1 to %d", l.BurstBlocks, MaxBlocks)
	case l.Blocks < 0 || l.Blocks > MaxBlocks:
		return fmt.Errorf("%d blocks: choose 1 to %d, or 0 for no limit", l.Blocks, MaxBlocks)
	case l.Duration < 0 || l.Duration > MaxDuration:
		return fmt.Errorf("duration %v: choose up to %v, or 0 for no limit", l.Duration, MaxDuration)
	case l.Profile == Ramp && l.Blocks == 0 && l.Duration == 0:
		return errors.New("a ramp needs an end: give it a number of blocks or a duration")
	}
	return nil
}

func profileNames() string {
	names := make([]string, 0, len(Profiles()))
	for _, p := range Profiles() {
		names = append(names, string(p))
	}
	return strings.Join(names, ", ")
}

// Offers yields the instants at which the channel with this index offers its blocks.
// They never fall. The load must be valid.
func (l Load) Offers(channel int) iter.Seq[event.Time] {
	end := event.Time(math.MaxInt64)
	if l.Duration > 0 {
		end = event.Time(l.Duration)
	}
	return func(yield func(event.Time) bool) {
		at := l.instants(channel)
		for i := 0; l.Blocks == 0 || i < l.Blocks; i++ {
			if t := event.Time(math.Round(at(i) * float64(time.Second))); t >= end || !yield(t) {
				return
			}
		}
	}
}

// instants returns the function that gives the instant of block i, in seconds. It
// is called with 0, 1, 2, ….
func (l Load) instants(channel int) func(i int) float64 {
	switch l.Profile {
	case Poisson:
		random := rand.New(rand.NewPCG(l.Seed, uint64(channel)))
		now := 0.0
		return func(int) float64 {
			now += random.ExpFloat64() / l.Rate
			return now
		}
	case Burst:
		return func(i int) float64 { return float64(i-i%l.BurstBlocks) / l.Rate }
	case Ramp:
		return l.ramp()
	}
	return func(i int) float64 { return float64(i) / l.Rate }
}

// ramp solves a·t + k·t²/2 = i for t, where a is the rate at the start and k its
// growth a second. The form divides by no small number when k is small, or a is 0.
func (l Load) ramp() func(i int) float64 {
	a := l.StartRate
	length := l.Duration.Seconds()
	if length == 0 {
		length = 2 * float64(l.Blocks) / (a + l.Rate)
	}
	k := (l.Rate - a) / length
	return func(i int) float64 {
		// A falling ramp offers no more blocks than fit under it.
		root := math.Sqrt(max(a*a+2*k*float64(i), 0))
		if i == 0 {
			return 0
		}
		return 2 * float64(i) / (a + root)
	}
}
