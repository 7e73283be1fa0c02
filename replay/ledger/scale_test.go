package ledger

import (
	"strings"
	"testing"
	"time"

	"github.com/blockreel/blockreel/replay/block"
)

func TestApply(t *testing.T) {
	const ms = time.Millisecond
	scale, err := ParseScale("validate=2,commit=0.5,block_store=0")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ times, want Times }{
		{ // 1 ms of the commit is in no stage
			Times{Validate: 3 * ms, Commit: 10 * ms, Stages: block.Stages{StateValidation: 1 * ms, BlockStore: 6 * ms, StateCommit: 2 * ms}},
			Times{Validate: 6 * ms, Commit: 2 * ms, Stages: block.Stages{StateValidation: ms / 2, StateCommit: 1 * ms}},
		},
		{Times{Validate: 5 * ms, Commit: 7 * ms}, Times{Validate: 10 * ms, Commit: 7 * ms / 2}},
	} {
		if got := scale.Apply(c.times); got != c.want {
			t.Errorf("%+v becomes %+v, want %+v", c.times, got, c.want)
		}
	}
}

func TestUnscaledTimesAreExact(t *testing.T) {
	odd := Times{Validate: 1, Commit: 3, Stages: block.Stages{BlockStore: 4}} // stages above the whole
	if got := Unscaled().Apply(odd); got != odd {
		t.Errorf("got %+v, want %+v", got, odd)
	}
}

func TestScaleText(t *testing.T) {
	for _, text := range []string{"", "validation=2", "commit=0.5,history_commit=0", "block_and_pvtdata_commit=3"} {
		s, err := ParseScale(text)
		if err != nil || s.String() != text {
			t.Errorf("%q comes back as %q, %v", text, s, err)
		}
	}
	short, err := ParseScale("validate=2, block_store=3")
	if err != nil || short.String() != "validation=2,block_and_pvtdata_commit=3" {
		t.Errorf("our short names are read as %q, %v", short, err)
	}
	for text, want := range map[string]string{
		"fsync=1": "known are validation, commit, state_validation, block_and_pvtdata_commit, state_commit, history_commit", "commit": "factor", "commit=-1": "factor", "commit=NaN": "factor",
		"commit=1e99": "factor", ",": "known are", "validate=2,validation=3": "twice", "=2": "known are",
	} {
		if _, err := ParseScale(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one with %q", text, err, want)
		}
	}
}
