package ledger

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/blockreel/blockreel/replay/block"
)

// Times is what one block cost a committer. The times that a trace holds, scaled, are
// the cost model "recorded": a driver waits them out, and nothing is stored.
type Times struct {
	// Validate: from the pop to the end of validation.
	Validate time.Duration
	// Commit: from there to the new height. Stages are the parts of it that are
	// known; they may add up to less, since Fabric logs whole milliseconds.
	Commit time.Duration
	Stages block.Stages
}

// Scale says how many times as long each part of the service takes as it did in
// the trace. The zero Scale makes everything free: begin with Unscaled.
type Scale struct {
	Validate float64
	// Commit is the factor of the whole commit; the factors of its stages come on
	// top of it, and without effect where the trace does not tell the stages apart.
	Commit          float64
	StateValidation float64
	BlockStore      float64
	StateCommit     float64
	HistoryCommit   float64
}

// Unscaled is the scale that changes nothing.
func Unscaled() Scale { return Scale{1, 1, 1, 1, 1, 1} }

// maxScale bounds a factor. 2^20 times a year is still a time.
const maxScale = 1 << 20

// factors lists the fields by the names that ParseScale knows: Fabric's, and for some a
// shorter one of our own. A commit is the stages behind the validation together.
func (s *Scale) factors() []factor {
	return []factor{
		{"validation", "validate", &s.Validate},
		{"commit", "", &s.Commit},
		{"state_validation", "", &s.StateValidation},
		{"block_and_pvtdata_commit", "block_store", &s.BlockStore},
		{"state_commit", "", &s.StateCommit},
		{"history_commit", "", &s.HistoryCommit},
	}
}

type factor struct {
	name, alias string
	value       *float64
}

// ParseScale reads validation=1,commit=0.5: what is not named stays as it was.
func ParseScale(text string) (Scale, error) {
	s := Unscaled()
	if text == "" {
		return s, nil
	}
	factors, seen := s.factors(), map[*float64]bool{}
	for part := range strings.SplitSeq(text, ",") {
		name, number, _ := strings.Cut(part, "=")
		name = strings.TrimSpace(name)
		var into *float64
		known := make([]string, len(factors))
		for i, f := range factors {
			known[i] = f.name
			if name == f.name || name != "" && name == f.alias {
				into = f.value
			}
		}
		if into == nil {
			return s, fmt.Errorf("scale %q: no stage has this name; known are %s", part, strings.Join(known, ", "))
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil || math.IsNaN(v) || v < 0 || v > maxScale {
			return s, fmt.Errorf("scale %q: write stage=factor, with a factor from 0 to %d", part, maxScale)
		}
		if seen[into] {
			return s, fmt.Errorf("scale %q: the stage is named twice", part)
		}
		*into, seen[into] = v, true
	}
	return s, nil
}

// String returns the scale as ParseScale reads it, without the factors that are 1.
func (s Scale) String() string {
	var parts []string
	for _, f := range s.factors() {
		if *f.value != 1 {
			parts = append(parts, f.name+"="+strconv.FormatFloat(*f.value, 'g', -1, 64))
		}
	}
	return strings.Join(parts, ",")
}

// Apply returns t with each part scaled. What the stages leave of the commit
// scales with the commit alone. The unscaled times come back exactly.
func (s Scale) Apply(t Times) Times {
	if s == Unscaled() {
		return t
	}
	rest := max(t.Commit-t.Stages.Total(), 0)
	out := Times{Validate: times(t.Validate, s.Validate)}
	out.Stages = block.Stages{
		StateValidation: times(t.Stages.StateValidation, s.Commit*s.StateValidation),
		BlockStore:      times(t.Stages.BlockStore, s.Commit*s.BlockStore),
		StateCommit:     times(t.Stages.StateCommit, s.Commit*s.StateCommit),
		HistoryCommit:   times(t.Stages.HistoryCommit, s.Commit*s.HistoryCommit),
	}
	out.Commit = out.Stages.Total() + times(rest, s.Commit)
	return out
}

func times(d time.Duration, by float64) time.Duration {
	if by == 1 {
		return d
	}
	return time.Duration(math.Round(float64(d) * by))
}
