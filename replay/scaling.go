package replay

import (
	"time"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/replay/ledger"
)

// checkScale warns of factors that have nothing to scale in this trace: what it does not tell,
// and what its source has rounded to nothing.
func (m *Model) checkScale(scale ledger.Scale) {
	if m.unvalidated && (scale.Validate != 1 || scale.Commit != 1) {
		m.warn("the trace does not tell validation from commit: scaling validate has no effect, and commit is both of them")
	}
	if !m.unvalidated {
		m.checkFactor("validation", scale.Validate, "", func(i int) (time.Duration, bool) { return m.Times[i].Validate, true })
	}
	m.checkFactor("commit", scale.Commit, "", func(i int) (time.Duration, bool) { return m.Times[i].Commit, true })
	for p, part := range []struct {
		name   string
		factor float64
	}{
		{"state_validation", scale.StateValidation}, {"block_and_pvtdata_commit", scale.BlockStore},
		{"state_commit", scale.StateCommit}, {"history_commit", scale.HistoryCommit},
	} {
		m.checkFactor(part.name, part.factor, ", and what it took there counts as commit", func(i int) (time.Duration, bool) {
			return *stageParts[p].of(&m.Times[i].Stages), m.tells(i, p)
		})
	}
}

// checkFactor warns of a factor for a part that the trace does not tell of any block, or has as
// zero in most of them.
func (m *Model) checkFactor(name string, factor float64, where string, took func(i int) (time.Duration, bool)) {
	if factor == 1 {
		return
	}
	told, zero := 0, 0
	for i := range m.Times {
		switch t, ok := took(i); {
		case !ok:
		case t == 0:
			zero++
			fallthrough
		default:
			told++
		}
	}
	switch {
	case told == 0:
		m.warn("the trace does not tell how long %s took: scaling it has no effect", name)
	case 2*zero > told:
		m.warn("the trace has 0 ms for the %s of %s of %s (what is below its resolution is 0): scaling it has no effect on these%s",
			name, analysis.FormatCount(int64(zero)), analysis.FormatBlocks(int64(told)), where)
	}
}
