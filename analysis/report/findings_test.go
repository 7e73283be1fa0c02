package report

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/blockreel/blockreel/traces/finding"
)

func TestFindingsOfOneCodeAreOneSentence(t *testing.T) {
	dropped := func(n int) finding.Finding {
		return finding.Warn("dropped_events", finding.V{"dropped_events": n})
	}
	one, seven := "the recorder could not keep up and dropped 1 event", "the recorder could not keep up and dropped 7 events"
	for _, c := range []struct {
		findings []finding.Finding
		want     string
	}{
		{[]finding.Finding{dropped(1)}, one},
		{[]finding.Finding{dropped(7), dropped(7)}, seven},
		{[]finding.Finding{dropped(7), dropped(1)}, seven + " (and 1 more like it)"},
		{[]finding.Finding{dropped(7).On("a"), dropped(7).On("b")}, "a and b: " + seven},
		{[]finding.Finding{dropped(7).On("a"), dropped(1).On("b")}, "a: " + seven + " (likewise, with other figures, b)"},
		{[]finding.Finding{dropped(7).On("a"), dropped(1).On("a"), dropped(1).On("b")}, "a: " + seven + " (and 2 more like it, in all of a and b)"},
		{[]finding.Finding{dropped(7).About(finding.OfReplayed)}, "in the replayed trace: " + seven},
		{[]finding.Finding{finding.Warn("of_tomorrow", finding.V{"wait_ns": 2_500_000, "node": "peer0"})}, "of tomorrow node peer0, wait_ns 2.5 ms"},
	} {
		if got := Sentences(c.findings); len(got) != 1 || got[0] != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

func TestFillLeavesOutWhatIsNotKnown(t *testing.T) {
	v := finding.V{"lost_blocks": int64(1), "size_bytes": int64(3_400_000), "busy_share": 0.341, "offered_blocks_per_s": 333.3, "first_block": int64(12345),
		"from_ns": int64(12_300_000_000), "to_ns": int64(15_100_000_000), "node": "peer0", "nodes": []string{"a", "b", "c"}}
	for template, want := range map[string]string{
		"{lost_blocks} {lost_blocks|is|are} lost, {size_bytes}, {busy_share}": "1 block is lost, 3.4 MB, 34.1 %",
		"{lost_blocks:n} of them[ at {node}][ and {other}][, {nodes}]":        "1 of them at peer0, a, b and c",
		"{offered_blocks_per_s} from block {first_block}, {from_ns..to_ns}":   "333 blocks/s from block 12345, 12.3–15.1 s",
		"{unknown}[ one [two {node} ]three][ {unknown} [{node}]]":             "? one two peer0 three",
	} {
		if got, _ := fill(template, v); got != want {
			t.Errorf("%s: %q, want %q", template, got, want)
		}
	}
}

// Every code in the tree has a sentence, every sentence a code, and a sentence has no value that
// the code's package does not name.
func TestEveryCodeHasASentence(t *testing.T) {
	codes, names := map[string]bool{}, map[string]map[string]bool{} // names in the package of a code
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.HasSuffix(path, ".pb.go") ||
			filepath.Dir(path) == "." || strings.HasPrefix(filepath.Base(filepath.Dir(path)), "report") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		imports := slices.ContainsFunc(file.Imports, func(i *ast.ImportSpec) bool { return strings.HasSuffix(i.Path.Value, `traces/finding"`) })
		texts := names[filepath.Dir(path)]
		if texts == nil {
			texts = map[string]bool{}
			names[filepath.Dir(path)] = texts
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if s, ok := n.(*ast.BasicLit); ok && s.Kind == token.STRING {
				text, _ := strconv.Unquote(s.Value)
				texts[text] = true
			}
			if !imports {
				return true
			}
			if call, ok := n.(*ast.CallExpr); ok {
				if code := codeOf(call); code != "" {
					codes[code] = true
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]bool{}
	for _, texts := range names {
		for text := range texts {
			all[text] = true
		}
	}
	for code := range codes {
		if sentences[code] == "" {
			t.Errorf("code %s has no sentence", code)
		}
	}
	placeholder := regexp.MustCompile(`\{([^}|:.]+)`)
	for code, template := range sentences {
		if !all[code] {
			t.Errorf("no code of the tree is %s, which has a sentence", code)
		}
		for _, m := range placeholder.FindAllStringSubmatch(template, -1) {
			if !all[m[1]] {
				t.Errorf("%s: no finding has a value %s", code, m[1])
			}
		}
		if template != "" {
			fill(template, nil) // panics if a bracket is not closed
		}
	}
}

// codeOf returns the code of a call that makes a finding.
func codeOf(call *ast.CallExpr) string {
	f, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	at := map[string]int{"New": 1, "Note": 0, "Warn": 0, "Reject": 0, "Judge": 0}
	i, ok := at[f.Sel.Name]
	if x, isName := f.X.(*ast.Ident); !ok || !isName || x.Name != "finding" || len(call.Args) <= i {
		return ""
	}
	if s, ok := call.Args[i].(*ast.BasicLit); ok {
		code, _ := strconv.Unquote(s.Value)
		return code
	}
	return ""
}
