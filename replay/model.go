package replay

import (
	"errors"
	"fmt"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/replay/ledger"
	"github.com/blockreel/blockreel/replay/pipeline"
	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// ModelConfig is what a user may say about a trace that the trace does not.
type ModelConfig struct {
	// Preset names the pipeline preset. Empty: what the trace says, else fabric-2.x.
	Preset string
	// Buffer is the N under which the trace was recorded. 0: what the trace says,
	// else the preset's.
	Buffer int
	// BlockBytes is the size of a block where the trace does not tell it. 0: not known.
	BlockBytes int64
}

// A Model is one stream of a trace made ready to be replayed. It covers the blocks
// from the first to the last that were both offered and committed; where the observation
// has holes, the longest stretch between two of them.
type Model struct {
	Stream traces.Stream
	First  event.BlockNum
	// Config is the pipeline as it was recorded, as far as it could be found out.
	Config pipeline.Config
	// Blocks are the arrivals; the services are in Times.
	Blocks pipeline.Blocks
	// Times is what each block cost the committer, unscaled.
	Times []ledger.Times
	// Turnaround of the committer after each block, in ns.
	Turnaround []int64
	// Measured is the part of the trace that the model covers.
	Measured *traces.Timeline
	// Exact: the recorded pipeline was the core itself, and its replay gives back
	// the trace to the nanosecond.
	Exact bool
	// Facts say how the parameters were obtained, Warnings what weakens a forecast.
	Facts, Warnings []string

	set      bool // the peer's settings are known, its link is not
	sized    bool // the sizes of the blocks are known or assumed
	left     int  // offered blocks outside of what was committed
	assumedN bool // nobody said N
	unseen   bool // the model covers one stretch of several between holes
	// told has, for each block, a bit for each of stageParts that is known; nil: all are.
	told []uint8
	// unvalidated: nothing tells validation from commit, and Times have all in Commit.
	unvalidated bool
	samples     []traces.SampleColumn
	pollFact    string // how the poll was obtained
	which       int    // the first so many Warnings are of which blocks it covers
}

// ErrNoOffers is returned for a stream without offered times.
var ErrNoOffers = errors.New("no offered times: record with the orderer's log too, or with --assume-backlog if every block waited at the orderer")

// NewModel makes the stream ready; samples are those of its trace. Its error says what the
// trace lacks.
func NewModel(tl *traces.Timeline, cfg ModelConfig, samples ...traces.SampleColumn) (*Model, error) {
	if tl.Observed(event.Offered) == 0 {
		return nil, fmt.Errorf("stream %s: %w", tl.Name(), ErrNoOffers)
	}
	measured := covered(tl)
	if measured == nil {
		return nil, fmt.Errorf("stream %s: no block was both offered and committed", tl.Name())
	}
	m := &Model{Stream: tl.Stream, First: measured.First, Measured: measured, samples: samples}
	if m.left = tl.Observed(event.Offered) - measured.Observed(event.Offered); m.left > 0 {
		m.warn("%d offered blocks lie outside of what was committed and are not replayed", m.left)
	}
	if err := m.keepObserved(); err != nil {
		return nil, fmt.Errorf("stream %s: %w", tl.Name(), err)
	}
	m.which = len(m.Warnings)
	m.arrivals(cfg)
	m.services()
	base, whole, err := m.baseConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", tl.Name(), err)
	}
	if m.Config = base; whole && m.tryExact() {
		return m, nil
	}
	m.calibrate()
	return m, nil
}

func (m *Model) warn(format string, args ...any) {
	m.Warnings = append(m.Warnings, fmt.Sprintf(format, args...))
}

func (m *Model) fact(format string, args ...any) {
	m.Facts = append(m.Facts, fmt.Sprintf(format, args...))
}

// recordedBuffer is the N under which the trace was recorded, if that is known.
func (m *Model) recordedBuffer() analysis.Optional[int64] {
	if m.assumedN {
		return analysis.Optional[int64]{}
	}
	return analysis.Known(int64(m.Config.Policy.N))
}

// Len is the number of blocks.
func (m *Model) Len() int { return m.Blocks.Len() }

// covered cuts tl to the blocks from the first to the last that were offered and
// committed; nil when there is none.
func covered(tl *traces.Timeline) *traces.Timeline {
	whole := func(i int) bool {
		return tl.Value(event.Offered, i) != event.Missing && tl.Value(event.Committed, i) != event.Missing
	}
	from, to := 0, tl.Len()
	for from < to && !whole(from) {
		from++
	}
	for to > from && !whole(to-1) {
		to--
	}
	if from == to {
		return nil
	}
	return tl.Part(from, to)
}

// arrivals fills in when blocks were offered and how large they are.
func (m *Model) arrivals(cfg ModelConfig) {
	n := m.Measured.Len()
	m.Blocks.Offered = make([]int64, n)
	// The orderer's ledger grows in order: a block is in it at the first instant at
	// which it or a later one was seen there, as package analysis has it.
	first, holes, late := int64(event.Missing), 0, 0
	for i := n - 1; i >= 0; i-- {
		switch v := m.Measured.Value(event.Offered, i); {
		case v == event.Missing:
			holes++
		case first == event.Missing || v < first:
			first = v
		case v > first:
			late++
		}
		m.Blocks.Offered[i] = first
	}
	if holes > 0 {
		m.warn("no offered time of %s; each is taken as offered with the block after it", analysis.FormatBlocks(int64(holes)))
	}
	if late > 0 {
		m.fact("%s seen at the orderer after later ones; each is taken as offered with the first of those", analysis.FormatBlocks(int64(late)))
	}
	m.sizes(cfg.BlockBytes)
}

// sizes fills in the sizes of the blocks: recorded, else assumed, else unknown.
func (m *Model) sizes(assumed int64) {
	n := m.Measured.Len()
	known := m.Measured.Observed(event.Bytes)
	m.sized = known == n || assumed > 0
	if !m.sized && known == 0 {
		return
	}
	fallback := assumed
	if fallback == 0 {
		fallback = median(observed(m.Measured.Column(event.Bytes)))
		m.sized = true
	}
	m.Blocks.Bytes = make([]int64, n)
	for i := range n {
		if v := m.Measured.Value(event.Bytes, i); v != event.Missing {
			m.Blocks.Bytes[i] = min(max(v, 0), pipeline.MaxBlockBytes)
		} else {
			m.Blocks.Bytes[i] = fallback
		}
	}
	if known < n {
		m.warn("%d of %d blocks have no recorded size; each is taken as %d bytes", n-known, n, fallback)
	}
}

// baseConfig returns the configuration from the trace's settings, whole when all of
// it stands there, else from the preset.
func (m *Model) baseConfig(cfg ModelConfig) (c pipeline.Config, whole bool, err error) {
	settings := m.Stream.Settings
	if cfg.Preset == "" && cfg.Buffer == 0 {
		if c, whole, err = pipeline.ParseSettings(settings); whole || err != nil {
			return c, whole, err
		}
		// A live peer on a real link: its settings are known, what they came to is not.
		if c, m.set, err = pipeline.ParsePeerSettings(settings); m.set || err != nil {
			return c, false, err
		}
	}
	name := cfg.Preset
	if name == "" {
		name = settings[traces.SettingPreset]
	}
	if name == "" {
		name = pipeline.Fabric2x
		m.warn("the trace does not tell the version of Fabric: %s is assumed (--preset)", name)
	}
	c, ok := pipeline.Preset(name)
	if !ok {
		return c, false, fmt.Errorf("there is no preset %q; choose one of %v", name, pipeline.Presets())
	}
	recorded, known := settings.Int(traces.SettingBuffer)
	switch {
	case cfg.Buffer != 0:
		c.Policy.N = cfg.Buffer
	case known:
		if recorded < 1 || recorded > pipeline.MaxBuffer {
			return c, false, fmt.Errorf("the trace was recorded with N = %d, which cannot be; say --recorded-buffer", recorded)
		}
		c.Policy.N = int(recorded)
	default:
		m.assumedN = true
		m.warn("the trace does not tell its buffer size: N = %d of %s is assumed (--recorded-buffer)", c.Policy.N, name)
	}
	return c, false, c.Validate()
}
