package replay

import (
	"strings"
	"testing"
	"time"

	"github.com/blockreel/blockreel/replay/ledger"
	"github.com/blockreel/blockreel/traces/event"
)

// A factor for what the trace has as nothing, or not at all, does nothing, and that is said.
func TestScaleOfNothing(t *testing.T) {
	const some, none = "has 0 ms for the", "does not tell how long"
	for _, tc := range []struct {
		scale string
		zero  int // of 40 blocks have 0 ms, 8 others tell nothing
		want  []string
	}{
		{"history_commit=2", 0, nil},
		{"history_commit=2", 16, nil},
		{"history_commit=2", 17, []string{"has 0 ms for the history_commit of 17 of 32 blocks", "counts as commit"}},
		{"history_commit=2", 32, []string{"has 0 ms for the history_commit of 32 of 32 blocks"}},
		{"commit=2", 32, nil},
		{"state_commit=2", 32, []string{"does not tell how long state_commit took"}},
		{"validation=2", 32, nil},
		{"validation=2", -1, []string{"has 0 ms for the validation of 40 of 40 blocks"}},
		{"commit=2", -2, []string{"has 0 ms for the commit of 40 of 40 blocks"}},
	} {
		tr, _ := sized(t, 40, time.Millisecond, 100)
		tl := tr.Timelines[0]
		for i := range 40 {
			switch {
			case tc.zero == -1:
				tl.Column(event.Validated)[i] = tl.Value(event.Dequeued, i)
			case tc.zero == -2:
				tl.Column(event.Committed)[i] = tl.Value(event.Validated, i)
			case i < 8:
				tl.MakeColumn(event.HistoryCommit)[i] = event.Missing
			case i-8 < tc.zero:
				tl.MakeColumn(event.HistoryCommit)[i] = 0
			default:
				tl.MakeColumn(event.HistoryCommit)[i] = int64(time.Millisecond)
			}
		}
		s := Scenario{Clock: Virtual}
		var err error
		if s.Scale, err = ledger.ParseScale(tc.scale); err != nil {
			t.Fatal(err)
		}
		out, err := Replay(t.Context(), tr, s, func(Result) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		said := strings.Join(out.Warnings, "\n")
		if len(tc.want) == 0 && (strings.Contains(said, some) || strings.Contains(said, none)) {
			t.Errorf("%s with %d zeros: %s", tc.scale, tc.zero, said)
		}
		for _, want := range tc.want {
			if !strings.Contains(said, want) {
				t.Errorf("%s with %d zeros: %q lacks %q", tc.scale, tc.zero, said, want)
			}
		}
	}
}
