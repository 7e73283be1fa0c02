package analysis

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// FormatDuration writes a duration in ns for tables, seconds to the millisecond:
// 12.35 µs, 4.680 s, 359.432 s, 1 h 02 min.
func FormatDuration(ns int64) string {
	if abs := math.Abs(float64(ns)); abs >= 999_950_000 && abs < 3600e9 {
		return strings.Replace(humanize.FormatFloat("#,###.###", float64(ns)/1e9), "-", "−", 1) + " s"
	}
	return duration(ns, 4)
}

// ApproxDuration writes a duration in ns for prose, with three digits: 13.8 s.
func ApproxDuration(ns int64) string { return duration(ns, 3) }

// minutesFrom is the duration in ns from which on prose has minutes.
const minutesFrom = 120e9 - 50e6

// duration writes ns with so many significant digits and the unit that fits.
func duration(ns int64, significant int) string {
	abs := math.Abs(float64(ns))
	switch {
	case ns == 0:
		return "0 s"
	case abs < 1e3:
		return strings.Replace(fmt.Sprintf("%d ns", ns), "-", "−", 1)
	case abs < 999_950:
		return digits(float64(ns)/1e3, significant) + " µs"
	case abs < 999_950_000:
		return digits(float64(ns)/1e6, significant) + " ms"
	case abs < minutesFrom:
		return digits(float64(ns)/1e9, significant) + " s"
	}
	sign := ""
	if ns < 0 {
		sign = "−"
	}
	d := time.Duration(abs).Round(time.Second)
	if d < time.Hour {
		return fmt.Sprintf("%s%d min %02d s", sign, d/time.Minute, d%time.Minute/time.Second)
	}
	d = d.Round(time.Minute)
	return fmt.Sprintf("%s%d h %02d min", sign, d/time.Hour, d%time.Hour/time.Minute)
}

// digits writes x with so many significant digits, or as a whole number when that
// has more, and without zeros at the end.
func digits(x float64, significant int) string {
	decimals := significant
	for limit := 1.0; decimals > 0 && math.Abs(x) >= limit*(1-math.Pow10(-significant)/2); limit *= 10 {
		decimals--
	}
	return trimFloat(strconv.FormatFloat(x, 'f', decimals, 64))
}

// trimFloat takes the zeros off that say nothing.
func trimFloat(s string) string {
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return strings.Replace(s, "-", "−", 1)
}

// FormatCount writes a whole number with thousands separators: 1,260.
func FormatCount(n int64) string { return humanize.Comma(n) }

// FormatBlocks writes a number of blocks: 1 block, 1,260 blocks.
func FormatBlocks(n int64) string { return FormatCounted(n, "block") }

// FormatCounted writes a number of things whose name takes an s: 1 stream, 1,260 streams.
func FormatCounted(n int64, name string) string {
	if n == 1 {
		return "1 " + name
	}
	return FormatCount(n) + " " + name + "s"
}

// FormatNumber writes a number with about three digits and thousands separators.
func FormatNumber(x float64) string {
	if math.Abs(x) >= 999.5 {
		return humanize.Comma(int64(math.Round(x)))
	}
	return digits(x, 3)
}

// FormatShare writes a share of 1 in percent: 99.8 %.
func FormatShare(x float64) string {
	p := math.Abs(100 * x)
	switch {
	case p == 0:
		return "0 %"
	case p < 0.05:
		return "< 0.1 %"
	}
	return trimFloat(fmt.Sprintf("%.1f", 100*x)) + " %"
}

// FormatRelative writes a relative difference in percent with its sign: −0.14 %, +25.2 %.
func FormatRelative(x float64) string {
	switch abs := math.Abs(x); {
	case x == 0:
		return "0 %"
	case abs < 0.00005:
		return "< 0.01 %"
	case abs >= 0.1:
		return strings.Replace(fmt.Sprintf("%+.1f %%", 100*x), "-", "−", 1)
	}
	return strings.Replace(fmt.Sprintf("%+.2f %%", 100*x), "-", "−", 1)
}

// FormatBytes writes a number of bytes in decimal units: 3.4 MB.
func FormatBytes(n int64) string {
	if n < 0 {
		return "−" + humanize.Bytes(uint64(-n))
	}
	return humanize.Bytes(uint64(n))
}

// FormatGain writes a gain in percent, or that there is none worth a word.
func FormatGain(gain float64) string {
	if gain < 0.001 {
		return "nothing"
	}
	return FormatShare(gain)
}
