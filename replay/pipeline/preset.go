package pipeline

import "time"

// Names of the presets.
const (
	Fabric14 = "fabric-1.4"
	Fabric2x = "fabric-2.x"
	Fabric3x = "fabric-3.x"
)

// EnqueueRetry is Fabric's enqueueRetryInterval (gossip/state/state.go), all versions.
const EnqueueRetry = 100 * time.Millisecond

// Intake and Wake of the presets are medians of DEBUG logs of 2.5.16 on two cores:
// 0.25 ms of intake for a block of 33 kB, of which signature verification is the
// part that does not grow with the block; 0.35 ms more for the first block after a
// wait at the door; 0.3 ms from the enqueueing to the pop of a sleeping committer.
// They depend on the machine: calibrate where a trace shows them.
var (
	defaultIntake = Intake{
		Fixed:  150 * time.Microsecond,
		PerKiB: 3 * time.Microsecond,
		Resume: 350 * time.Microsecond,
	}
	defaultWake = 300 * time.Microsecond
)

var presets = []struct {
	name    string
	n, hand int
}{
	{Fabric14, 100, 0},
	{Fabric2x, 20, 1},
	{Fabric3x, 20, 1},
}

// Preset returns the pipeline of a stock Fabric peer by name, over a link without
// latency or limits.
func Preset(name string) (Config, bool) {
	for _, p := range presets {
		if p.name == name {
			return Config{
				Policy: Policy{N: p.n, Retry: EnqueueRetry},
				Hand:   p.hand,
				Intake: defaultIntake,
				Wake:   defaultWake,
			}, true
		}
	}
	return Config{}, false
}

// Presets returns the names of all presets.
func Presets() []string {
	names := make([]string, len(presets))
	for i, p := range presets {
		names[i] = p.name
	}
	return names
}
