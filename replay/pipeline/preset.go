package pipeline

import "time"

// Names of the presets.
const (
	Fabric14 = "fabric-1.4"
	Fabric2x = "fabric-2.x"
	Fabric3x = "fabric-3.x"
)

// Intake and Wake of the presets are rounded medians of one DEBUG log of 2.5.16 with
// N = 2 on two cores: 0.27 ms of intake for a block of 33 kB, 0.35 ms more for the first
// block after a wait at the door, 0.3 ms from the enqueueing to the pop of a sleeping
// committer. With N = 20 the same peer took 0.19 ms and 0.09 ms, and the committer never
// slept; means are twice the medians. How the intake divides into a fixed part and one
// that grows with the block is an assumption: blocks of one size cannot tell. 1.4 and
// 3.x were not measured. Calibrate where a trace shows these times.
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
				Policy: Policy{Name: Fabric, N: p.n, Retry: EnqueueRetry},
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
