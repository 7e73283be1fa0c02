package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/blockreel/blockreel/replay/pipeline"
)

// maxBufferList is the largest number of buffer sizes in one list.
const maxBufferList = 100_000

// bufferList is a flag of buffer sizes: numbers and ranges, 2,20,100..200 or
// 10..500/10 with a step.
type bufferList []int

func (b *bufferList) Type() string { return "N,A..B,A..B/STEP" }

func (b *bufferList) String() string {
	parts := make([]string, len(*b))
	for i, n := range *b {
		parts[i] = strconv.Itoa(n)
	}
	return strings.Join(parts, ",")
}

// Set takes the whole list, sorted and without repetition.
func (b *bufferList) Set(text string) error {
	var all []int
	for part := range strings.SplitSeq(text, ",") {
		from, to, step, err := parseRange(strings.TrimSpace(part))
		if err != nil {
			return err
		}
		if (to-from)/step+1+len(all) > maxBufferList {
			return fmt.Errorf("more than %d buffer sizes; use a step, as in 10..500/10", maxBufferList)
		}
		for n := from; n <= to; n += step {
			all = append(all, n)
		}
	}
	slices.Sort(all)
	*b = slices.Compact(all)
	return nil
}

func parseRange(part string) (from, to, step int, err error) {
	body, stepText, stepped := strings.Cut(part, "/")
	lo, hi, ranged := strings.Cut(body, "..")
	if !ranged {
		hi = lo
	}
	if from, err = strconv.Atoi(lo); err == nil {
		to, err = strconv.Atoi(hi)
	}
	step = 1
	if err == nil && stepped {
		step, err = strconv.Atoi(stepText)
	}
	if errors.Is(err, strconv.ErrRange) || err == nil && max(from, to, step) > pipeline.MaxBuffer {
		return 0, 0, 0, fmt.Errorf("%q: buffer sizes and steps are at most %d blocks", part, pipeline.MaxBuffer)
	}
	if err != nil || stepped && !ranged {
		return 0, 0, 0, fmt.Errorf("%q is neither a number (20) nor a range (1..500, 10..500/10)", part)
	}
	if from < 1 || to < from || step < 1 {
		return 0, 0, 0, fmt.Errorf("%q: a buffer size is at least 1 and a range goes upwards", part)
	}
	return from, to, step, nil
}

// byteSize is a flag of a size: 33000, 33kB, 64KiB.
type byteSize int64

func (b *byteSize) Type() string   { return "BYTES" }
func (b *byteSize) String() string { return strconv.FormatInt(int64(*b), 10) }

func (b *byteSize) Set(text string) error {
	n, err := humanize.ParseBytes(text)
	if err != nil || n == 0 || n > 1<<40 {
		return fmt.Errorf("%q is not a size like 33000, 33kB or 64KiB", text)
	}
	*b = byteSize(n)
	return nil
}

// countRange is a flag of a number, 10, or of a range of them, 1..50.
type countRange struct{ from, to int }

func (r *countRange) Type() string  { return "N|A..B" }
func (r *countRange) isRange() bool { return r.from != r.to }

func (r *countRange) String() string {
	if r.isRange() {
		return fmt.Sprintf("%d..%d", r.from, r.to)
	}
	return strconv.Itoa(r.from)
}

func (r *countRange) Set(text string) error {
	low, high, ranged := strings.Cut(text, "..")
	if !ranged {
		high = low
	}
	from, err := strconv.Atoi(low)
	to, err2 := strconv.Atoi(high)
	if err != nil || err2 != nil || to < from {
		return fmt.Errorf("%q is neither a number (10) nor a range that goes upwards (1..50)", text)
	}
	*r = countRange{from, to}
	return nil
}
