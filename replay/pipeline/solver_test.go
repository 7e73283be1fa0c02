package pipeline

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/blockreel/blockreel/traces/event"
)

func TestSolveRefuses(t *testing.T) {
	year := int64(MaxDuration)
	for want, spoil := range map[string]func(*Config, *Blocks){
		"buffer size N is 0":                func(c *Config, _ *Blocks) { c.Policy.N = 0 },
		"1 values of bytes for 2":           func(_ *Config, b *Blocks) { b.Bytes = []int64{1} },
		"offered of block at index 1 is -9": func(_ *Config, b *Blocks) { b.Offered[1] = event.Missing },
		"bytes of block at index 0 is -1":   func(_ *Config, b *Blocks) { b.Bytes = []int64{-1, 0} },
		"service of block at index 1 is 9":  func(_ *Config, b *Blocks) { b.Service = []int64{0, math.MaxInt64} },
		"add up to":                         func(_ *Config, b *Blocks) { *b = many(400, Blocks{Service: []int64{year}}) },
		"times of 300 blocks add up to": func(c *Config, b *Blocks) {
			*b = many(300, Blocks{Bytes: []int64{MaxBlockBytes}})
			c.Link.Bandwidth = 1
		},
	} {
		cfg, b := fabric2x(), Blocks{Offered: []int64{0, 1}}
		spoil(&cfg, &b)
		if err := Solve(cfg, b, new(Columns)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

// many repeats one block n times.
func many(n int, one Blocks) Blocks {
	repeat := func(c []int64) []int64 {
		var all []int64
		for range n {
			all = append(all, c...)
		}
		return all
	}
	return Blocks{Offered: make([]int64, n), Bytes: repeat(one.Bytes), Service: repeat(one.Service)}
}

func TestSweepRefuses(t *testing.T) {
	for _, n := range []int{0, -1, MaxBuffer + 1} {
		if _, err := NewSweep(fabric2x(), []int{20, n}); err == nil {
			t.Errorf("a sweep accepts N = %d", n)
		}
	}
	if _, err := NewSweep(Config{Policy: Policy{Name: Unbounded}}, []int{20}); err == nil {
		t.Error("a sweep accepts an unbounded buffer")
	}
	s, err := NewSweep(fabric2x(), []int{20})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Next(Blocks{Offered: []int64{event.Missing}}, func(int, []int64) {}); err == nil {
		t.Error("a sweep accepts a block that was not offered")
	}
}

// The ceiling that was measured for N = 2: about 2N + 2 blocks a poll, whatever the
// committer could do. 56–59 blocks a second in six runs.
func TestPollIsTheCeiling(t *testing.T) {
	const n = 2000
	b := Blocks{Offered: make([]int64, n), Bytes: make([]int64, n), Service: make([]int64, n)}
	for i := range n {
		b.Bytes[i], b.Service[i] = 33_000, int64(5*time.Millisecond)
	}
	var out Columns
	if err := Solve(fabric2x().WithBuffer(2), b, &out); err != nil {
		t.Fatal(err)
	}
	if rate := n / time.Duration(out.Dequeued[n-1]+b.Service[n-1]).Seconds(); rate < 56 || rate > 60 {
		t.Errorf("with N = 2 the peer commits %.1f blocks/s, want 56 to 60", rate)
	}
}
