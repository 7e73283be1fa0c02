package traces

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/blockreel/blockreel/internal/golden"
)

var (
	formatBlock = regexp.MustCompile("(?s)(<!-- (\\w+) -->\n```\n)(.*?)(```\n)")
	hexLine     = regexp.MustCompile(`(?m)^[0-9a-f]{8}  ((?: ?[0-9a-f]{2}){1,8}  ?(?: ?[0-9a-f]{2}){0,8})`)
)

// contents returns what the chunks of a file hold, as any zstd decoder sees it.
func contents(t *testing.T, file []byte) (out [][]byte) {
	t.Helper()
	_, x, err := ReadIndex(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	dec, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer dec.Close()
	for _, c := range x.Chunks {
		content, err := dec.DecodeAll(file[c.Offset:c.Offset+c.Length], nil)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, content)
	}
	return out
}

// TestFormatExample holds the example of FORMAT.md: the file printed there reads as
// the trace described there, and what its chunks hold, before compression, is what
// Writer makes.
func TestFormatExample(t *testing.T) {
	doc, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	fresh := encode(t, smallTrace())
	if *golden.Rewrite {
		parts := map[string][]byte{"file": fresh, "data": contents(t, fresh)[0], "samples": contents(t, fresh)[1], "notes": contents(t, fresh)[2]}
		doc = formatBlock.ReplaceAllFunc(doc, func(b []byte) []byte {
			m := formatBlock.FindSubmatch(b)
			return fmt.Appendf(nil, "%s%s%s", m[1], hex.Dump(parts[string(m[2])]), m[4])
		})
		if err := os.WriteFile("FORMAT.md", doc, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	got := map[string][]byte{}
	for _, m := range formatBlock.FindAllSubmatch(doc, -1) {
		var digits strings.Builder
		for _, l := range hexLine.FindAllSubmatch(m[3], -1) {
			digits.WriteString(strings.ReplaceAll(string(l[1]), " ", ""))
		}
		b, err := hex.DecodeString(digits.String())
		if err != nil {
			t.Fatal(err)
		}
		got[string(m[2])] = b
	}
	tr, err := Read(bytes.NewReader(got["file"]))
	if err != nil {
		t.Fatal(err)
	}
	if d := diff(smallTrace(), tr); d != "" || tr.Loss != nil {
		t.Fatalf("the file reads as another trace: %s, loss %v", d, tr.Loss)
	}
	if _, err := Verify(bytes.NewReader(got["file"])); err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"data", "samples", "notes"} {
		for _, file := range [][]byte{fresh, got["file"]} {
			if c := contents(t, file); !bytes.Equal(c[i], got[name]) {
				t.Errorf("content of chunk %d is\n%s", i, hex.Dump(c[i]))
			}
		}
	}
}
