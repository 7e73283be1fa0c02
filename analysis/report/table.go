package report

import (
	"io"
	"strings"
	"unicode/utf8"
)

// unknown stands for a figure that the trace does not tell.
const unknown = "–"

// A table is rows of cells that line up in columns. The first row is the heading.
type table struct {
	// left is the number of columns that are aligned to the left, words; the others
	// are numbers and aligned to the right, but for a last column of remarks.
	left int
	// remarks says that the last column is words.
	remarks bool
	indent  string
	rows    [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// write writes the rows with two spaces between columns and none at their ends.
func (t *table) write(w io.Writer) error {
	var widths []int
	for _, row := range t.rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for _, row := range t.rows {
		var line strings.Builder
		for i, cell := range row {
			if i > 0 {
				line.WriteString("  ")
			}
			space := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i < t.left || t.remarks && i == len(widths)-1 {
				line.WriteString(cell + space)
			} else {
				line.WriteString(space + cell)
			}
		}
		b.WriteString(strings.TrimRight(t.indent+line.String(), " ") + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}
