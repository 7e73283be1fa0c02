package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/blockreel/blockreel/internal/golden"
)

// TestReadmeScript runs the commands that README.md shows with their output, in order,
// and compares; the table of forecasts is the one that package replay holds.
func TestReadmeScript(t *testing.T) {
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(root, "README.md")
	readme, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(workplace(t, root))
	got := rewriteBlocks(t, string(readme), root)
	if *golden.Rewrite {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	wantLines, gotLines := strings.Split(string(readme), "\n"), strings.Split(got, "\n")
	for i := range min(len(wantLines), len(gotLines)) {
		if wantLines[i] != gotLines[i] {
			t.Fatalf("README.md:%d shows\n%s\nbut the program prints\n%s\n(run with -rewrite and look at the difference)", i+1, wantLines[i], gotLines[i])
		}
	}
	if len(wantLines) != len(gotLines) {
		t.Errorf("README.md has %d lines, and %d with what the program prints", len(wantLines), len(gotLines))
	}
}

// workplace is a directory with the files that the README speaks of.
func workplace(t *testing.T, root string) string {
	dir := t.TempDir()
	for from, to := range map[string]string{
		filepath.Join(root, "traces"):                                           "traces",
		filepath.Join(root, "recorder", "fabriclog", "testdata", "peer.log"):    "peer.log",
		filepath.Join(root, "recorder", "fabriclog", "testdata", "orderer.log"): "orderer.log",
	} {
		if err := os.Symlink(from, filepath.Join(dir, to)); err != nil {
			t.Skipf("no symbolic links here: %v", err)
		}
	}
	return dir
}

// rewriteBlocks returns the text with every console block filled with the output of
// its command, and the table below its mark.
func rewriteBlocks(t *testing.T, text, root string) string {
	var out strings.Builder
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		out.WriteString(line)
		if i+1 < len(lines) {
			out.WriteByte('\n')
		}
		command, isConsole := "", line == "```console"
		table, isTable := strings.CutPrefix(line, "<!-- forecast table: ")
		switch {
		case isConsole:
			i++
			command = lines[i]
			out.WriteString(command + "\n")
			var printed bytes.Buffer
			args := strings.Fields(strings.TrimPrefix(command, "$ blockreel "))
			if code := run(context.Background(), args, strings.NewReader(""), &printed, &printed); code != 0 {
				t.Errorf("%s: exit code %d: %s", command, code, printed.Bytes())
			}
			out.Write(printed.Bytes())
		case isTable:
			i++
			out.WriteString(lines[i] + "\n")
			file, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(strings.TrimSuffix(table, " -->"))))
			if err != nil {
				t.Fatal(err)
			}
			out.Write(file)
		default:
			continue
		}
		for i+1 < len(lines) && lines[i+1] != "```" {
			i++
		}
	}
	return out.String()
}
