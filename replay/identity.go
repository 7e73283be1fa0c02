package replay

import (
	"context"
	"fmt"

	"github.com/blockreel/blockreel/analysis"
	"github.com/blockreel/blockreel/replay/ledger"
)

// Identity is how the replay of a stream with its own settings differs from it.
type Identity struct {
	Stream string
	// Exact: to the nanosecond.
	Exact bool
	// Blocks is the number of blocks that were replayed, Left of those that the trace
	// has beside them.
	Blocks, Left int
	// Stretch: only the longest stretch between holes of the observation was replayed.
	Stretch bool
	analysis.Differences
}

// Identity replays the model's stream with its own settings.
func (m *Model) Identity(ctx context.Context) (Identity, error) {
	s := Scenario{Scale: ledger.Unscaled(), Clock: Virtual}
	j, err := s.job(m, 0, Setting{Ledger: RecordedLedger})
	if err != nil {
		return Identity{}, err
	}
	if err := j.solve(ctx); err != nil {
		return Identity{}, err
	}
	want, got := analysis.StatsOf(m.Measured, m.samples...), analysis.StatsOf(j.out)
	return Identity{m.Stream.Name(), m.Exact, m.Len(), m.left, m.unseen, analysis.Compare(&want, &got)}, nil
}

// String is the identity error in a line.
func (id Identity) String() string {
	text := id.Differences.String()
	if id.Exact {
		text = "none, the replay is exact"
	}
	switch {
	case id.Stretch:
		text += fmt.Sprintf(" (of the longest stretch that was observed, %s)", analysis.FormatBlocks(int64(id.Blocks)))
	case id.Left > 0:
		text += fmt.Sprintf(" (of the %s that were offered and committed; %s were not)",
			analysis.FormatBlocks(int64(id.Blocks)), analysis.FormatCount(int64(id.Left)))
	}
	return text
}
