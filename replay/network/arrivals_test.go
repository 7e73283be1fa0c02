package network

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/blockreel/blockreel/traces/event"
)

const sec = event.Time(time.Second)

func offers(t *testing.T, l Load, channel int) []event.Time {
	t.Helper()
	if err := l.validate(); err != nil {
		t.Fatal(err)
	}
	times := slices.Collect(l.Offers(channel))
	if !slices.IsSorted(times) {
		t.Errorf("%+v: the instants fall", l)
	}
	return times
}

func TestConstant(t *testing.T) {
	got := offers(t, Load{Rate: 4, Blocks: 4}, 0)
	if want := []event.Time{0, sec / 4, sec / 2, sec * 3 / 4}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got := offers(t, Load{Rate: 3, Duration: 2 * time.Second}, 0); len(got) != 6 {
		t.Errorf("%d blocks in 2 s at 3 a second, want 6", len(got))
	}
	if got := offers(t, Load{Rate: 3, Duration: 2 * time.Second, Blocks: 5}, 0); len(got) != 5 {
		t.Errorf("%d blocks, want the 5 that are less than the duration holds", len(got))
	}
	n := 0
	endless := Load{Rate: 1000}
	for range endless.Offers(0) {
		if n++; n == 100_000 {
			break
		}
	}
	if n != 100_000 {
		t.Errorf("a load without an end ended after %d blocks", n)
	}
}

func TestPoisson(t *testing.T) {
	l := Load{Profile: Poisson, Rate: 50, Blocks: 20_000, Seed: 7}
	got := offers(t, l, 0)
	if !slices.Equal(got, offers(t, l, 0)) {
		t.Error("the same seed gives other instants")
	}
	if slices.Equal(got, offers(t, l, 1)) {
		t.Error("two channels have the same instants")
	}
	l.Seed++
	if slices.Equal(got, offers(t, l, 0)) {
		t.Error("two seeds give the same instants")
	}
	// Mean and standard deviation of the distances are both 1/rate; the seed is fixed.
	var sum, squares float64
	for i := 1; i < len(got); i++ {
		d := float64(got[i]-got[i-1]) / 1e9
		sum, squares = sum+d, squares+d*d
	}
	mean := sum / float64(len(got)-1)
	deviation := math.Sqrt(squares/float64(len(got)-1) - mean*mean)
	if math.Abs(mean*50-1) > 0.03 || math.Abs(deviation*50-1) > 0.03 {
		t.Errorf("distances of mean %v and deviation %v, want 0.02 each", mean, deviation)
	}
}

func TestBurst(t *testing.T) {
	got := offers(t, Load{Profile: Burst, Rate: 10, BurstBlocks: 3, Blocks: 7}, 0)
	want := []event.Time{0, 0, 0, sec * 3 / 10, sec * 3 / 10, sec * 3 / 10, sec * 6 / 10}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestRamp(t *testing.T) {
	for _, c := range []struct {
		load        Load
		blocks      int // in all
		first, half int // in the first second, and in the first half
	}{
		{Load{Rate: 100, Duration: 10 * time.Second}, 500, 5, 125},
		{Load{Rate: 100, StartRate: 20, Duration: 10 * time.Second}, 600, 24, 200},
		{Load{Rate: 20, StartRate: 100, Duration: 10 * time.Second}, 600, 96, 400},
		{Load{Rate: 0.5, StartRate: 99.5, Duration: 10 * time.Second}, 500, 95, 375},
		{Load{Rate: 50, StartRate: 50, Duration: 10 * time.Second}, 500, 50, 250},
		{Load{Rate: 100, Blocks: 500}, 500, 5, 125},
	} {
		c.load.Profile = Ramp
		times := offers(t, c.load, 0)
		count := func(until event.Time) int {
			i, _ := slices.BinarySearch(times, until)
			return i
		}
		near := func(got, want int) bool { return got >= want-1 && got <= want+1 }
		if !near(len(times), c.blocks) || !near(count(sec), c.first) || !near(count(5*sec), c.half) {
			t.Errorf("%+v: %d blocks, %d in the first second, %d in the first half; want %d, %d, %d",
				c.load, len(times), count(sec), count(5*sec), c.blocks, c.first, c.half)
		}
	}
}

func TestLoadRefused(t *testing.T) {
	for want, l := range map[string]Load{
		"known are constant, poisson": {Profile: "sine", Rate: 1},
		"rate of 0":                   {},
		"rate of NaN":                 {Rate: math.NaN()},
		"rate of +Inf":                {Rate: math.Inf(1)},
		"start rate":                  {Rate: 1, StartRate: -1},
		"bursts of":                   {Rate: 1, BurstBlocks: -1},
		"-5 blocks":                   {Rate: 1, Blocks: -5},
		"duration":                    {Rate: 1, Duration: -1},
		"needs an end":                {Rate: 1, Profile: Ramp},
	} {
		if err := l.validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: error %v, want one with %q", l, err, want)
		}
	}
}
