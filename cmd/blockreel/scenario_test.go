package main

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/blockreel/blockreel/replay"
)

// An interrupt says that there is no result, and where a ledger was kept; other errors
// stay what they are.
func TestInterrupted(t *testing.T) {
	other := errors.New("no space left")
	kept := fmt.Errorf("N = 20: %w", &replay.KeptError{Dir: "/ssd/blockreel-1", Err: context.Canceled})
	for _, tc := range []struct {
		err  error
		want string
	}{
		{other, "no space left"},
		{fmt.Errorf("N = 20: %w", context.Canceled), "interrupted at once: there is no result"},
		{kept, "interrupted at once: there is no result; the ledger as far as it came is kept in /ssd/blockreel-1"},
	} {
		if got := interrupted(tc.err, "at once").Error(); got != tc.want {
			t.Errorf("%v: %q, want %q", tc.err, got, tc.want)
		}
	}
}
