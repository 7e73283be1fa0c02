package report

import (
	"fmt"
	"strings"

	"github.com/blockreel/blockreel/analysis"
)

// value writes the value of a finding by the unit that its name ends with.
func value(name string, v any) string {
	switch v := v.(type) {
	case string:
		return v
	case []string:
		return enumerate(v)
	case int64:
		return quantity(name, float64(v), v)
	case float64:
		return quantity(name, v, int64(v))
	}
	return fmt.Sprint(v)
}

func quantity(name string, x float64, n int64) string {
	if name, ok := strings.CutSuffix(name, "_per_s"); ok {
		if unit := lastWord(name); unit != "bytes" {
			return analysis.FormatNumber(x) + " " + unit + "/s"
		}
		return analysis.FormatBytes(n) + "/s"
	}
	switch unit := lastWord(name); {
	case unit == "ns":
		return analysis.FormatDuration(n)
	case unit == "bytes":
		return analysis.FormatBytes(n)
	case unit == "share":
		return analysis.FormatShare(x)
	case unit == "error":
		return analysis.FormatRelative(x)
	case unit == "block" || unit == "line" || unit == "offset": // which one, not how many
		return fmt.Sprint(n)
	case unit == "cpus":
		return analysis.FormatCounted(n, "CPU")
	case strings.HasSuffix(unit, "s") && x == float64(n):
		return analysis.FormatCounted(n, strings.TrimSuffix(unit, "s"))
	}
	return analysis.FormatNumber(x)
}

func lastWord(name string) string { return name[strings.LastIndex(name, "_")+1:] }

// number writes a number without its unit.
func number(v any) string {
	switch v := v.(type) {
	case int64:
		return analysis.FormatCount(v)
	case float64:
		return analysis.FormatNumber(v)
	}
	return fmt.Sprint(v)
}

// valueRange writes a range of values of one unit.
func valueRange(name string, from, to any) string {
	a, isInt := from.(int64)
	b, _ := to.(int64)
	if isInt && lastWord(name) == "ns" {
		return analysis.FormatSpan(analysis.Span{From: a, To: b})
	}
	return span(value(name, from), value(name, to))
}
