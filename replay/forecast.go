package replay

import (
	"fmt"
	"runtime"
	"slices"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/replay/cost"
	"github.com/blockreel/blockreel/replay/ledger"
)

// withCost returns m with the services that c forecasts of its blocks. Validation is the
// trace's where c does not know it. There is no turnaround, as there is none when a
// real ledger runs by the wall clock.
func (m *Model) withCost(c *cost.Model) *Model {
	f := *m
	f.Exact = false
	f.Turnaround, f.told = nil, nil
	f.Times = make([]ledger.Times, m.Len())
	for i := range f.Times {
		b := m.forLedger(i)
		t := c.Times(b.Number, cost.Of(&b))
		f.Times[i] = ledger.Times{Validate: t.Validation, Commit: t.Commit(), Stages: t.Stages}
		if c.MadeUp {
			f.Times[i].Validate = m.Times[i].Validate
		}
	}
	return &f
}

// tellCosts says how good the forecasts of the scenario's cost models are for the streams.
func (s *Scenario) tellCosts(models []*Model) (facts, warnings []string) {
	for _, c := range s.Costs {
		facts = append(facts, CostFact(c))
		if c.MadeUp {
			facts = append(facts, c.Ledger+": it was fitted to made-up blocks; validation takes the trace's own time, as far as that tells it")
		}
		warnings = append(warnings, CostWarnings(c)...)
		for _, m := range models {
			shapes := make([]cost.Shape, m.Len())
			for i := range shapes {
				b := m.forLedger(i)
				shapes[i] = cost.Of(&b)
			}
			var said []string
			weak := slices.Concat(c.Strange(shapes), m.assumptions())
			if c.MadeUp {
				weak = slices.Concat(weak, m.allValid(), m.noValidation())
			} else {
				weak = append(weak, m.otherRefusals(c)...)
			}
			for _, w := range weak {
				said = append(said, c.Ledger+": "+w)
			}
			warnings = append(warnings, named(models, m, said)...)
		}
	}
	if len(s.Costs) > 0 && len(models) > 1 {
		warnings = append(warnings, alone(len(models)))
	}
	return facts, warnings
}

// alone warns of services of several streams that were measured of one at a time.
func alone(streams int) string {
	return fmt.Sprintf("the services of the %d streams were measured of one ledger at a time: side by side, on one disk and the same CPUs, they take longer (see --clock wall)", streams)
}

// CostFact says in a line what a cost model is made of and how far to trust it.
func CostFact(c *cost.Model) string {
	runs := ""
	if c.Runs > 1 {
		runs = fmt.Sprintf(" in %d runs, whose mean blocks spread by %s", c.Runs, analysis.FormatShare(c.RunSpread))
	}
	h := &c.HeldOut
	return fmt.Sprintf("%s: services forecast by a cost model of %s%s; held-out error of the time of a fifth of the blocks %s on average, at worst %s, and %s for its p99 block; of the last fifth, from those before, %s; %s",
		c.Ledger, analysis.FormatBlocks(int64(c.Blocks)), runs, analysis.FormatShare(h.MeanFold), analysis.FormatRelative(h.WorstFold), analysis.FormatRelative(h.TailError), analysis.FormatRelative(h.Forward), &c.Machine)
}

// machine is this one.
func machine() cost.Machine {
	return cost.Machine{CPUs: runtime.NumCPU(), System: runtime.GOOS + "/" + runtime.GOARCH}
}

// Limits above which a cost model is weak, as shares.
const (
	weakTotal  = 0.1
	weakTail   = 0.3
	weakDrift  = 0.2
	weakSpread = 0.1
	// weakRefused is the difference of two shares.
	weakRefused = 0.1
)

// CostWarnings says what weakens the forecasts of a cost model whatever the trace.
func CostWarnings(c *cost.Model) (warnings []string) {
	switch was, is := c.Machine, machine(); {
	case was.CPUs == 0:
		warnings = append(warnings, c.Ledger+": the cost model does not tell on what machine it was calibrated: it is valid only there (calibrate again)")
	case was.CPUs != is.CPUs || was.System != is.System:
		warnings = append(warnings, fmt.Sprintf("%s: the cost model was calibrated on %d CPUs (%s) and this machine has %d (%s): its forecasts are valid only there (calibrate here)",
			c.Ledger, was.CPUs, was.System, is.CPUs, is.System))
	}
	if e := c.HeldOut.WorstFold; max(e, -e) > weakTotal {
		warnings = append(warnings, fmt.Sprintf("%s: the cost model missed the time of held-out blocks by up to %s: calibrate with a longer trace, or on a quieter machine", c.Ledger, analysis.FormatRelative(e)))
	}
	if e := c.HeldOut.Forward; max(e, -e) > weakTotal {
		warnings = append(warnings, fmt.Sprintf("%s: fitted to the first four fifths of its blocks, the cost model missed the time of the last by %s: the ledger or the machine was not at the end what it was at the start, and a longer run will differ", c.Ledger, analysis.FormatRelative(e)))
	}
	if e := c.HeldOut.TailError; max(e, -e) > weakTail {
		warnings = append(warnings, fmt.Sprintf("%s: the cost model missed the p99 of held-out blocks by up to %s: do not rely on the tail of its forecasts", c.Ledger, analysis.FormatRelative(e)))
	}
	if x := c.RunSpread; x > weakSpread {
		warnings = append(warnings, fmt.Sprintf("%s: the mean blocks of the %d runs of the calibration differ by %s: so may what the ledger takes today (calibrate on a quieter machine)", c.Ledger, c.Runs, analysis.FormatShare(x)))
	}
	if d := c.Drift; max(d, -d) > weakDrift {
		warnings = append(warnings, fmt.Sprintf("%s: from the start of the calibration to its end the median block changed by %s of the mean block, whatever the shapes: the ledger or the machine had not settled, and a longer run will differ", c.Ledger, analysis.FormatRelative(d)))
	}
	return warnings
}
