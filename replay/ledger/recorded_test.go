package ledger

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/blockreel/blockreel/replay/block"
	"github.com/blockreel/blockreel/traces/event"
)

const ms = time.Millisecond

var someTimes = []Times{
	{Validate: 3 * ms, Commit: 10 * ms, Stages: block.Stages{StateValidation: 1 * ms, BlockStore: 6 * ms, StateCommit: 2 * ms}},
	{Validate: 5 * ms, Commit: 7 * ms},
}

func TestRecordedWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		scale, err := ParseScale("validate=2,commit=0.5,block_store=0")
		if err != nil {
			t.Fatal(err)
		}
		r := NewRecorded(4, someTimes, scale)
		ctx := context.Background()
		began := time.Now()
		for i, want := range []struct{ validated, committed time.Duration }{
			{6 * ms, 8 * ms}, // stages 0.5 + 0 + 1, rest 0.5
			{18 * ms, 21*ms + 500*time.Microsecond},
		} {
			b := &block.Block{Number: 4 + event.BlockNum(i)}
			if err := r.Validate(ctx, b); err != nil {
				t.Fatal(err)
			}
			validated := time.Since(began)
			if _, err := r.Commit(ctx, b); err != nil {
				t.Fatal(err)
			}
			if committed := time.Since(began); validated != want.validated || committed != want.committed {
				t.Errorf("block %d validated at %v, committed at %v, want %+v", b.Number, validated, committed, want)
			}
		}
		if r.Height() != 6 {
			t.Errorf("height %d, want 6", r.Height())
		}
		if err := r.Validate(ctx, &block.Block{Number: 6}); err == nil {
			t.Error("took a block that the trace does not have")
		}
		if err := r.Validate(ctx, &block.Block{Number: 4}); err == nil {
			t.Error("took a block twice")
		}
	})
}

func TestRecordedTakesOffWhatWasTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewRecorded(0, []Times{{Validate: 5 * ms, Commit: 10 * ms}}, Unscaled())
		r.debt = 7 * ms
		began := time.Now()
		b := &block.Block{}
		if err := r.Validate(context.Background(), b); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Commit(context.Background(), b); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != 8*ms {
			t.Errorf("took %v, want 8ms", took)
		}
	})
}

func TestRecordedEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewRecorded(0, []Times{{Validate: time.Hour}}, Unscaled())
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := r.Validate(ctx, &block.Block{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v, want that of the context", err)
		}
	})
}

func TestUnscaledTimesAreExact(t *testing.T) {
	odd := Times{Validate: 1, Commit: 3, Stages: block.Stages{BlockStore: 4}} // stages above the whole
	if got := Unscaled().Apply(odd); got != odd {
		t.Errorf("got %+v, want %+v", got, odd)
	}
}

func TestScaleText(t *testing.T) {
	for _, text := range []string{"", "validate=2", "commit=0.5,history_commit=0"} {
		s, err := ParseScale(text)
		if err != nil || s.String() != text {
			t.Errorf("%q comes back as %q, %v", text, s, err)
		}
	}
	for text, want := range map[string]string{
		"fsync=1": "known are validate, commit", "commit": "factor", "commit=-1": "factor", "commit=NaN": "factor",
		"commit=1e99": "factor", ",": "known are",
	} {
		if _, err := ParseScale(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one with %q", text, err, want)
		}
	}
}
