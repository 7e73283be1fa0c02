package replay

import (
	"fmt"
	"strings"

	"github.com/blockreel/blockreel/replay/cost"
	"github.com/blockreel/blockreel/replay/pipeline"
	"github.com/blockreel/blockreel/traces"
)

// A Setting is one combination of a scenario.
type Setting struct {
	// Buffer is N; 0 is the recorded one.
	Buffer int
	Ledger string
	mode   string
	cost   *cost.Model // that stands for the ledger; nil: none
}

// virtualLedger reports whether the services are known, and no ledger measures them.
func (s Setting) virtualLedger() bool { return s.Ledger == RecordedLedger || s.cost != nil }

// Name names the setting's result, fit for a file: n20, n20-badger, n20-ideal.
func (s Setting) Name() string {
	parts := []string{fmt.Sprintf("n%d", s.Buffer)}
	if s.Buffer == 0 {
		parts[0] = "as-recorded"
	}
	if s.mode == ModeUnbounded {
		parts[0] = s.mode
	} else if s.mode != "" && s.mode != ModeFabric {
		parts = append(parts, s.mode)
	}
	if s.Ledger != RecordedLedger {
		spec, forecast := strings.CutSuffix(s.Ledger, forecastSuffix)
		parts = append(parts, FileName(spec))
		if forecast {
			parts = append(parts, "forecast")
		}
	}
	return strings.Join(parts, "-")
}

// FileName makes the spec of a ledger fit for a file's name.
func FileName(spec string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(":=,/\\ ", r) {
			return '-'
		}
		return r
	}, spec)
}

// Label names the setting for people: N = 20, N = 20 on badger.
func (s Setting) Label() string {
	label := fmt.Sprintf("N = %d", s.Buffer)
	if s.Buffer == 0 {
		label = "as recorded"
	}
	if s.mode == ModeUnbounded {
		label = "unbounded"
	} else if s.mode != "" && s.mode != ModeFabric {
		label += ", " + s.mode
	}
	if s.Ledger != RecordedLedger {
		label += " on " + s.Ledger
	}
	return label
}

// under is the setting of a stream that runs under policy: what was left open is as recorded.
func (s Setting) under(policy pipeline.Policy) Setting {
	if s.Buffer == 0 {
		s.Buffer = policy.N
	}
	if s.mode == "" && policy.Name != pipeline.Fabric {
		s.mode = policy.Name
	}
	return s
}

// settings lists the combinations in the order of the question.
func (s *Scenario) settings() []Setting {
	buffers := s.Buffers
	mode := s.Mode
	if s.Unpaced && mode == "" && s.Preset == "" && len(buffers) == 0 {
		mode = ModeUnbounded
	}
	if mode == ModeUnbounded {
		buffers = nil // all are the same
	}
	if len(buffers) == 0 {
		buffers = []int{0}
		if c, ok := pipeline.Preset(s.Preset); ok {
			buffers[0] = c.Policy.N
		}
	}
	var all []Setting
	for _, l := range s.Ledgers {
		for _, n := range buffers {
			all = append(all, Setting{Buffer: n, Ledger: l, mode: mode})
		}
	}
	for _, m := range s.Costs {
		for _, n := range buffers {
			all = append(all, Setting{Buffer: n, Ledger: m.Ledger + forecastSuffix, mode: mode, cost: m})
		}
	}
	return all
}

// ResultNames are the names of the results of a replay, in their order.
func (s Scenario) ResultNames() []string {
	s = s.withDefaults()
	var all []string
	for round := range max(s.Repeat, 1) {
		for _, set := range s.settings() {
			r := Result{Setting: set}
			if s.Repeat > 1 {
				r.Run = round + 1
			}
			all = append(all, r.Name())
		}
	}
	return all
}

// config returns m's pipeline under the scenario with buffer n, 0 for the recorded one,
// in a mode.
func (s *Scenario) config(m *Model, n int, mode string) (pipeline.Config, error) {
	cfg := m.Config
	if n != 0 && mode == "" && cfg.Policy.Name != pipeline.Fabric {
		return cfg, fmt.Errorf("stream %s: its buffer was not Fabric's, so that a size says nothing: choose --mode fabric or --mode ideal", m.Stream.Name())
	}
	if mode != "" {
		var err error
		if cfg.Policy, err = cfg.Policy.As(mode); err != nil {
			return cfg, err
		}
		if cfg.Policy.Retry > 0 && m.Config.Policy.Retry == 0 {
			cfg.Policy.Retry += pollLateness
		}
	}
	if cfg.Policy.Bounded() {
		if n == 0 && cfg.Policy.N == 0 {
			n = s.presetBuffer(m)
		}
		if n != 0 {
			cfg.Policy.N = n
		}
	}
	if p, ok := pipeline.Preset(s.Preset); ok {
		cfg.Hand = p.Hand
	}
	if s.Link.Latency != 0 {
		cfg.Link.Latency = s.Link.Latency
	}
	if s.Link.Bandwidth != 0 || s.Link.Window != 0 {
		if !m.sized {
			return cfg, fmt.Errorf("stream %s: a link with bandwidth or window needs the sizes of the blocks, which the trace does not tell: say --block-bytes", m.Stream.Name())
		}
		if s.Link.Bandwidth != 0 {
			cfg.Link.Bandwidth = s.Link.Bandwidth
		}
		if s.Link.Window != 0 {
			cfg.Link.Window = s.Link.Window
		}
	}
	return cfg, cfg.Validate()
}

// presetBuffer is the N of the preset that the scenario or the trace names.
func (s *Scenario) presetBuffer(m *Model) int {
	for _, name := range []string{s.Preset, m.Stream.Settings[traces.SettingPreset], pipeline.Fabric2x} {
		if p, ok := pipeline.Preset(name); ok {
			return p.Policy.N
		}
	}
	return 0
}
