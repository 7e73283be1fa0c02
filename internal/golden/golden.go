// Package golden compares what a test has made with a committed file. The flag
// -rewrite, as in "go test ./analysis -args -rewrite", writes the files anew instead;
// "make golden" does so for all packages that have any.
package golden

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

// Rewrite is set by the flag -rewrite.
var Rewrite = flag.Bool("rewrite", false, "write the golden files anew, and look at the difference")

// Compare fails the test if the file at path does not hold got.
func Compare(t testing.TB, path string, got []byte) {
	t.Helper()
	if *Rewrite {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; run with -args -rewrite and look at the difference\n--- got\n%s--- want\n%s", path, got, want)
	}
}
