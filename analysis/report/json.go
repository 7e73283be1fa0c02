package report

import (
	"encoding/json"
	"io"
)

// JSON writes v, a result of package analysis or what embeds one, as indented JSON
// and a newline.
func JSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
