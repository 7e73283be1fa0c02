package main

import (
	"slices"
	"testing"
)

func TestInNaturalOrder(t *testing.T) {
	for _, tc := range [][2][]string{
		{{"d/n10.reel", "d/n100.reel", "d/n2.reel"}, {"d/n2.reel", "d/n10.reel", "d/n100.reel"}},
		{{"n10-badger.reel", "n10-pebble.reel", "n2-badger.reel"}, {"n2-badger.reel", "n10-badger.reel", "n10-pebble.reel"}},
		{{"n007", "n07", "n1"}, {"n1", "n007", "n07"}},
		{{"n2.reel", "n100.reel", "n10.reel"}, {"n2.reel", "n100.reel", "n10.reel"}},
		{{"2", "a", "a2", "b"}, {"2", "a", "a2", "b"}},
	} {
		if got := inNaturalOrder(tc[0]); !slices.Equal(got, tc[1]) {
			t.Errorf("%v: got %v, want %v", tc[0], got, tc[1])
		}
	}
}
