package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/blockreel/blockreel/traces/finding"
)

// sentences are the templates of all findings by code; the sentences_*.go files fill it.
//
// {lost_blocks} is a value, written by the unit that its name ends with; {lost_blocks:n} the
// number without its unit; {lost_blocks|is|are} a word that depends on the number;
// {from_ns..to_ns} a range. What stands in [brackets] is left out if one of its values is
// not known.
var sentences = map[string]string{}

func define(table map[string]string) bool {
	for code, text := range table {
		if sentences[code] != "" {
			panic("two sentences for " + code)
		}
		sentences[code] = text
	}
	return true
}

// labels begin the line of a finding.
var labels = map[finding.Severity]string{
	finding.Fact: "fact", finding.Warning: "warning", finding.Invalid: "not valid", finding.Verdict: "verdict",
}

// subjects begin the sentence of a finding that is not about the run itself.
var subjects = map[string]string{
	finding.OfReplayed: "in the replayed trace: ",
	finding.OfCut:      "before the cut: ",
	finding.OfRead:     "in the file that was read: ",
}

// Findings writes a line for each finding, with its severity.
func Findings(w io.Writer, findings []finding.Finding) error {
	for _, g := range grouped(findings) {
		if _, err := fmt.Fprintf(w, "%s: %s\n", labels[g.first.Severity], g.sentence()); err != nil {
			return err
		}
	}
	return nil
}

// Sentences writes findings as text, one line for those that say the same of several streams.
func Sentences(findings []finding.Finding) (lines []string) {
	for _, g := range grouped(findings) {
		lines = append(lines, g.sentence())
	}
	return lines
}

// Sentence writes a finding as text.
func Sentence(f finding.Finding) string { return Sentences([]finding.Finding{f})[0] }

// A group is findings of one code.
type group struct {
	first   finding.Finding
	streams []string
	// count is the number of findings that are not equal, others those that have other
	// values than the first.
	count, others int
}

func grouped(findings []finding.Finding) (groups []*group) {
	for _, f := range finding.Add(nil, findings...) {
		i := slices.IndexFunc(groups, func(g *group) bool {
			return g.first.Code == f.Code && g.first.Severity == f.Severity && g.first.Of == f.Of && (f.Code != "note" || g.first.Same(f))
		})
		if i < 0 {
			groups, i = append(groups, &group{first: f}), len(groups)
		}
		g := groups[i]
		g.count++
		if !g.first.Same(f) {
			g.others++
		}
		if !slices.Contains(g.streams, f.Stream) {
			g.streams = append(g.streams, f.Stream)
		}
	}
	return groups
}

func (g *group) sentence() string {
	prefix, suffix := g.streams[0], ""
	switch {
	case g.others == 0:
		prefix = someStreams(g.streams)
	case len(g.streams) == 1:
		suffix = fmt.Sprintf(" (and %d more like it)", g.count-1)
	case g.count == len(g.streams):
		suffix = fmt.Sprintf(" (likewise, with other figures, %s)", someStreams(g.streams[1:]))
	default:
		suffix = fmt.Sprintf(" (and %d more like it, in all of %s)", g.count-1, someStreams(g.streams))
	}
	if prefix != "" {
		prefix += ": "
	}
	return prefix + subjects[g.first.Of] + text(g.first) + suffix
}

// text writes the sentence of a finding's code with its values.
func text(f finding.Finding) string {
	template, ok := sentences[f.Code]
	if !ok { // of a newer version
		parts := []string{}
		for _, name := range slices.Sorted(maps.Keys(f.Values)) {
			parts = append(parts, name+" "+value(name, f.Values[name]))
		}
		return strings.TrimSpace(strings.ReplaceAll(f.Code, "_", " ") + " " + strings.Join(parts, ", "))
	}
	out, _ := fill(template, f.Values)
	return out
}

// fill returns a template with its values in place, and whether all are known.
func fill(template string, values finding.V) (string, bool) {
	var out strings.Builder
	known := true
	for template != "" {
		i := strings.IndexAny(template, "{[")
		if i < 0 {
			out.WriteString(template)
			break
		}
		out.WriteString(template[:i])
		end := closing(template[i:])
		inner := template[i+1 : i+end]
		if template[i] == '[' {
			if text, ok := fill(inner, values); ok {
				out.WriteString(text)
			}
		} else {
			text, ok := placeholder(inner, values)
			out.WriteString(text)
			known = known && ok
		}
		template = template[i+end+1:]
	}
	return out.String(), known
}

// closing returns the index of the bracket that closes the first byte of s.
func closing(s string) int {
	depth := 0
	for i := range s {
		switch s[i] {
		case s[0]:
			depth++
		case s[0] + 2: // both ] and } stand two after what they close
			if depth--; depth == 0 {
				return i
			}
		}
	}
	panic("no end of " + s)
}

func placeholder(inner string, values finding.V) (string, bool) {
	if name, words, ok := strings.Cut(inner, "|"); ok {
		one, many, _ := strings.Cut(words, "|")
		if v, ok := values[name]; !ok || v != int64(1) && !isList(v, 1) {
			return many, ok
		}
		return one, true
	}
	if from, to, ok := strings.Cut(inner, ".."); ok {
		a, okA := values[from]
		b, okB := values[to]
		return valueRange(from, a, b), okA && okB
	}
	name, bare := strings.CutSuffix(inner, ":n")
	v, ok := values[name]
	if !ok {
		return "?", false
	}
	if bare {
		return number(v), true
	}
	return value(name, v), true
}

func isList(v any, length int) bool {
	list, ok := v.([]string)
	return ok && len(list) == length
}

// someStreams enumerates streams; more than three are counted.
func someStreams(names []string) string {
	const named = 3
	if len(names) > named {
		return fmt.Sprintf("%s and %d more streams", names[0], len(names)-1)
	}
	return enumerate(names)
}

// enumerate writes a list as people do: a, b and c.
func enumerate(list []string) string {
	if len(list) < 2 {
		return strings.Join(list, "")
	}
	return strings.Join(list[:len(list)-1], ", ") + " and " + list[len(list)-1]
}
