package analysis

import (
	"fmt"
	"math"
	"slices"

	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// SampledDepth describes samples of the depth of a peer's payloads buffer. What happened
// between two of them it does not tell.
type SampledDepth struct {
	// Samples were taken about every Interval ns, their median distance.
	Samples  int64 `json:"samples"`
	Interval int64 `json:"interval_ns"`
	// Max is the greatest depth in blocks.
	Max int64 `json:"max_blocks"`
	// Behind is the number of samples at which both nodes were observed and the peer's
	// ledger lacked at least three blocks of the orderer's. At Empty of these the buffer
	// held nothing, and at Full at least 2N blocks; that is known when N is. Rate is the
	// blocks that were committed in a second of the time behind.
	Behind int64             `json:"behind_samples"`
	Empty  int64             `json:"behind_empty_samples"`
	Full   Optional[int64]   `json:"behind_full_samples"`
	Rate   Optional[float64] `json:"behind_rate"`
	// InRun is the number of samples from the first offer to the end of the gap curve at
	// which both nodes were observed.
	InRun int64 `json:"run_samples"`
}

// Tells reports whether there are enough samples with the peer behind to say something of
// the buffer meanwhile.
func (d *SampledDepth) Tells() bool { return d.Behind >= fewSamples }

// A SampledStage is a stage's time as the peer's own metrics tell it: averages, each over
// the time from one sample to the next. Percentiles of blocks cannot be had of these.
type SampledStage struct {
	// Name is the metric's.
	Name string `json:"name"`
	// Intervals is the number of averages, and Median, Min and Max are of these, in ns.
	Intervals int64 `json:"intervals"`
	Median    int64 `json:"median_of_averages_ns"`
	Min       int64 `json:"least_average_ns"`
	Max       int64 `json:"greatest_average_ns"`
}

const (
	// fewBehind is a gap in blocks that a peer which keeps up has now and then: one
	// block on its way and one being committed.
	fewBehind = 2
	// fewSamples is how many samples a verdict needs.
	fewSamples = 10
	// A buffer that was empty in so small a share of the samples nearly always had work
	// for the committer; in so large a share, it mostly waited.
	seldom, mostly = 0.1, 0.5
	// longestPoll is twice Fabric's poll of a shut door, in ns. A buffer that is refilled
	// at every poll and runs dry before the next lets through 2N + 1 blocks a poll, and so
	// at the very least 2N + 1 in this time.
	longestPoll = 200_000_000
)

// MeasuredDepth returns the samples of the depth of tl's buffer, nil when there are none.
func MeasuredDepth(tl *traces.Timeline, samples ...traces.SampleColumn) *traces.SampleColumn {
	for i := range samples {
		if s := &samples[i]; s.Name == traces.SeriesBufferSize && s.Node == tl.Peer && s.Channel == tl.Channel && s.Len() > 0 {
			return s
		}
	}
	return nil
}

// sampledDepth describes the samples of the depth; nil when there are none.
func sampledDepth(tl *traces.Timeline, blind []BlindSpan, samples []traces.SampleColumn) *SampledDepth {
	c := MeasuredDepth(tl, samples...)
	if c == nil {
		return nil
	}
	d := &SampledDepth{Samples: int64(c.Len()), Interval: usualInterval(c)}
	full := int64(math.MaxInt64)
	if n, ok := tl.Settings.Int(traces.SettingBuffer); ok {
		full, d.Full = 2*n, Known(int64(0))
	}
	blind = stale(tl, blind)
	for _, v := range c.Value {
		d.Max = max(d.Max, int64(v))
	}
	next := 0
	// until takes the samples before an instant, with the gap that held then.
	until := func(end, gap int64) {
		for ; next < c.Len() && int64(c.At[next]) < end; next++ {
			if covered(int64(c.At[next]), blind) {
				continue
			}
			d.InRun++
			if gap <= fewBehind {
				continue
			}
			d.Behind++
			depth := int64(c.Value[next])
			if depth == 0 {
				d.Empty++
			}
			if depth >= full {
				d.Full = Known(d.Full.Or(0) + 1)
			}
		}
	}
	if gap, err := Gap(tl); err == nil { // without one there is no sample within the run
		last, before := int64(event.Missing), int64(0)
		for t, v := range gap {
			if last == event.Missing {
				next = c.Before(event.Time(t)-1) + 1
			}
			until(t, before)
			last, before = t, v
		}
		if last != event.Missing {
			until(last+1, before)
		}
	}
	d.Rate = rateBehind(tl, blind)
	return d
}

// rateBehind returns how many blocks a second were committed while the peer was behind.
// Where blocks are committed of which the time was not seen, that time does not count.
func rateBehind(tl *traces.Timeline, blind []BlindSpan) Optional[float64] {
	if require(tl, "", event.Offered, event.Committed) != nil {
		return Optional[float64]{}
	}
	var time, last int64
	blocks, gap, height := 0, 0, 0
	committed := tl.Cursor(event.Committed)
	walkHeights(tl, func(t int64, o, p int) bool {
		hidden := slices.ContainsFunc(blind, func(b BlindSpan) bool { return b.From < t && last < b.To })
		for i := height; i < p && !hidden; i++ {
			hidden = committed.At(i) == event.Missing
		}
		if gap > fewBehind && !hidden {
			time, blocks = time+t-last, blocks+p-height
		}
		last, gap, height = t, o-p, p
		return true
	})
	if time == 0 {
		return Optional[float64]{}
	}
	return Known(float64(blocks) / seconds(time))
}

func covered(at int64, blind []BlindSpan) bool {
	return slices.ContainsFunc(blind, func(b BlindSpan) bool { return b.From <= at && at < b.To })
}

// SampleRuns returns samples as step curves, rounded to whole numbers: a new one begins
// where no sample was taken for more than four times the usual interval.
func SampleRuns(c *traces.SampleColumn) []Series {
	longest := 4 * usualInterval(c)
	var runs []Series
	for i, at := range c.At {
		if i == 0 || int64(at-c.At[i-1]) > longest {
			runs = append(runs, Series{})
		}
		runs[len(runs)-1].add(int64(at), int64(math.Round(c.Value[i])))
	}
	return runs
}

// usualInterval returns the median distance of samples in ns.
func usualInterval(c *traces.SampleColumn) int64 {
	if c.Len() < 2 {
		return 0
	}
	distances := make([]int64, 0, c.Len()-1)
	for i, at := range c.At[1:] {
		distances = append(distances, int64(at-c.At[i]))
	}
	return Percentile(distances, 50)
}

// stageSeries are the metrics that tell how long a peer's stages take.
var stageSeries = []string{
	traces.SeriesCommitDuration, traces.SeriesPrivdataValidation, traces.SeriesPrivdataCommitBlock,
	traces.SeriesBlockProcessing, traces.SeriesBlockStorageCommit, traces.SeriesStateDBCommit,
}

// sampledStages returns the stage averages of tl's peer where the trace has no times of
// its own of a block's validation and commit.
func sampledStages(tl *traces.Timeline, samples []traces.SampleColumn) []SampledStage {
	for _, k := range []event.Kind{event.Validated, event.StateValidation, event.BlockStore, event.StateCommit} {
		if tl.Observed(k) > 0 {
			return nil
		}
	}
	var stages []SampledStage
	for i := range samples {
		s := &samples[i]
		if !slices.Contains(stageSeries, s.Name) {
			continue
		}
		unit := map[string]float64{traces.UnitNS: 1, "s": 1e9}[s.Unit]
		if unit == 0 || s.Node != tl.Peer || s.Channel != "" && s.Channel != tl.Channel || s.Len() == 0 {
			continue
		}
		averages := make([]int64, s.Len())
		for i, v := range s.Value {
			averages[i] = int64(math.Round(v * unit))
		}
		stages = append(stages, SampledStage{Name: s.Name, Intervals: int64(s.Len()),
			Median: Percentile(averages, 50), Min: slices.Min(averages), Max: slices.Max(averages)})
	}
	return stages
}

// judgeSampled says what limits a stream whose trace does not tell when blocks were
// popped, by samples of the buffer's depth.
func (s *StreamStats) judgeSampled() (Bottleneck, string) {
	d := s.SampledDepth
	unknown := "unknown: without dequeued times it is not known how long the committer was busy"
	if d == nil {
		return BottleneckUnknown, unknown
	}
	part := ""
	if covered := share(d.InRun*d.Interval, s.Makespan.Or(0)); covered < 0.9 {
		part = fmt.Sprintf(" in %s of the run", FormatShare(covered))
	}
	cannot := fmt.Sprintf("; derived from %s of the buffer's depth, one every %s%s: they do not tell what happened between them, how long the committer starved, or what a larger buffer would win",
		countSamples(d.InRun), ApproxDuration(d.Interval), part)
	behind := func(n int64) string { return FormatShare(share(n, d.Behind)) }
	while := fmt.Sprintf("at the %s with the peer more than %s behind, the buffer", countSamples(d.Behind), FormatBlocks(fewBehind))
	full := ""
	if n, ok := d.Full.Get(); ok {
		full = " and never at its limit of 2N + 1 or one below"
		if n > 0 {
			full = fmt.Sprintf(" and at its limit of 2N + 1 or one below in %s", behind(n))
		}
	}
	if s.UncommittedBlocks > 0 {
		cannot = s.toCome(s.Makespan.Or(0)) + cannot
	}
	empty := share(d.Empty, d.Behind)
	switch {
	case d.InRun >= fewSamples && d.Behind < fewSamples && share(d.Behind, d.InRun) < seldom:
		return BottleneckOrderer, fmt.Sprintf("the peer kept up: it was more than %s behind at %d of %s; the orderer's arrivals set the pace%s",
			FormatBlocks(fewBehind), d.Behind, countSamples(d.InRun), cannot)
	case d.Behind < fewSamples:
		return BottleneckUnknown, fmt.Sprintf("%s, and %s of the buffer's depth while the peer was behind are too few to tell", unknown, countSamples(d.Behind))
	case empty <= seldom:
		always := "always"
		if d.Empty > 0 {
			always = "nearly always"
		}
		return BottleneckCommitter, fmt.Sprintf("%s was empty in %s%s: there was %s a block to commit, so validation and commit set the pace%s",
			while, behind(d.Empty), full, always, cannot)
	case empty >= mostly && d.Rate.Known() && d.Rate.Or(0) < s.leastRefill():
		return BottleneckDelivery, fmt.Sprintf("%s was empty in %s%s, and %s blocks/s were committed, fewer than a buffer that is too small lets through: blocks did not reach the peer fast enough, so the orderer, the link or the peer's intake sets the pace%s",
			while, behind(d.Empty), full, FormatNumber(d.Rate.Or(0)), cannot)
	}
	pace := ""
	if n, ok := s.Buffer.Get(); ok && d.Rate.Known() {
		pace = fmt.Sprintf(" (%s blocks/s were committed meanwhile; a buffer of N = %d that runs dry between two polls of its door lets through about %s)",
			FormatNumber(d.Rate.Or(0)), n, FormatNumber(2*s.leastRefill()))
	}
	return BottleneckUnknown, fmt.Sprintf("unknown: %s was empty in %s%s: a buffer that is too small and a delivery that is uneven look alike in samples%s; blocks' times in the peer's log at level DEBUG tell them apart",
		while, behind(d.Empty), full, pace)
}

// leastRefill returns the least rate, in blocks/s, at which a buffer that runs dry between
// two polls of its door lets blocks through. Where N is not known it can be 1.
func (s *StreamStats) leastRefill() float64 {
	return float64(2*s.Buffer.Or(1)+1) / seconds(longestPoll)
}

func countSamples(n int64) string {
	if n == 1 {
		return "1 sample"
	}
	return FormatCount(n) + " samples"
}
