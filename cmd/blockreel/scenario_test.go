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
	for _, tc := range []struct {
		err  error
		want string
	}{
		{fmt.Errorf("N = 20 on badger:sync=false: %w", context.Canceled), "interrupted during N = 20 on badger:sync=false; the settings above were finished"},
		{kept, "interrupted during N = 20; the settings above were finished; the ledger as far as it came is kept in /ssd/blockreel-1"},
		{context.Canceled, "interrupted; the settings above were finished"},
	} {
		if got := interruptedDuring(tc.err).Error(); got != tc.want {
			t.Errorf("%v: %q, want %q", tc.err, got, tc.want)
		}
	}
}
