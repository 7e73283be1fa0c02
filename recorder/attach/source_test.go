package attach

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestExpand(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "odd[name]*")
	for _, name := range []string{"ch2/blockfile_000000", "ch1/blockfile_000001", "ch1/blockfile_000000", "ch1/other", "single/ch1_4.block", "empty/x"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for from, want := range map[string]string{
		".":         "ch1/blockfile_000000 ch1/blockfile_000001 ch2/blockfile_000000",
		"ch1":       "ch1/blockfile_000000 ch1/blockfile_000001",
		"ch1/other": "ch1/other",
		"single":    "single/ch1_4.block",
		"empty":     "contains no ledger files",
		"none":      "there is no file of blocks",
	} {
		got, err := Expand(filepath.Join(dir, from))
		var names []string
		for _, s := range got {
			name, _ := filepath.Rel(dir, s.Path)
			names = append(names, filepath.ToSlash(name))
		}
		if err != nil {
			names = []string{err.Error()}
		}
		if text := strings.Join(names, " "); text != want && (err == nil || !strings.Contains(text, want)) {
			t.Errorf("%s: %s", from, text)
		}
	}
}
