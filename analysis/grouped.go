package analysis

import (
	"fmt"
	"regexp"
	"slices"
)

// A Warning tells what weakens some figures.
type Warning struct {
	// Stream is the name of the stream that has them; empty for all, or the only one.
	Stream string
	Text   string
}

// Grouped writes warnings as sentences. Those that say the same of several streams, or of
// several outages but for their numbers, become one, which says how many there are; of
// those that differ it gives the first.
func Grouped(warnings []Warning) []string {
	type group struct {
		texts, streams []string
		count          int
	}
	var groups []*group
	byKind := map[string]*group{}
	for _, w := range warnings {
		kind := anyNumber.ReplaceAllString(w.Text, "#")
		g := byKind[kind]
		if g == nil {
			g = &group{}
			byKind[kind], groups = g, append(groups, g)
		}
		if slices.Contains(g.streams, w.Stream) && slices.Contains(g.texts, w.Text) {
			continue
		}
		g.count++
		if !slices.Contains(g.streams, w.Stream) {
			g.streams = append(g.streams, w.Stream)
		}
		if !slices.Contains(g.texts, w.Text) {
			g.texts = append(g.texts, w.Text)
		}
	}
	sentences := make([]string, 0, len(groups))
	for _, g := range groups {
		prefix, suffix := "", ""
		switch same := len(g.texts) == 1; {
		case same:
			prefix = someStreams(g.streams)
		case len(g.streams) == 1 && g.streams[0] == "":
			suffix = fmt.Sprintf(" (and %d more like it)", g.count-1)
		case len(g.streams) == 1:
			prefix, suffix = g.streams[0], fmt.Sprintf(" (and %d more like it)", g.count-1)
		case g.count == len(g.streams):
			prefix, suffix = g.streams[0], fmt.Sprintf(" (likewise, with other numbers, %s)", someStreams(g.streams[1:]))
		default:
			prefix, suffix = g.streams[0], fmt.Sprintf(" (and %d more like it, in all of %s)", g.count-1, someStreams(g.streams))
		}
		if prefix != "" {
			prefix += ": "
		}
		sentences = append(sentences, prefix+g.texts[0]+suffix)
	}
	return sentences
}

// anyNumber matches what two warnings of one kind differ in: numbers with their units.
var anyNumber = regexp.MustCompile(`[−+-]?\b\d[\d,.]*( ?(ns|µs|ms|s|min|h|kB|MB|GB|bytes|blocks?)\b)*`)

// someStreams enumerates streams; more than three are counted.
func someStreams(names []string) string {
	const named = 3
	if len(names) > named {
		return fmt.Sprintf("%s and %d more streams", names[0], len(names)-1)
	}
	return enumerate(names)
}

// AppendNew appends the lines that are not there yet: most settings of a what-if say the same.
func AppendNew(to, lines []string) []string {
	for _, l := range lines {
		if !slices.Contains(to, l) {
			to = append(to, l)
		}
	}
	return to
}
