package interop_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// packages is the folder with the installed node_modules; the test is skipped without.
func packages(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("BLOCKREEL_INTEROP")
	if dir == "" {
		t.Skip("BLOCKREEL_INTEROP names no folder with Fabric's npm packages; make interop does it all")
	}
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "fabric-common")); err != nil {
		t.Fatalf("BLOCKREEL_INTEROP: %v; run make interop", err)
	}
	return dir
}

// node runs a script on input and hands each line that it prints to take, as JSON.
func node(t testing.TB, script string, args []string, input io.Reader, take func(line []byte)) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "node", append([]string{script}, args...)...)
	cmd.Env = append(os.Environ(), "NODE_PATH="+filepath.Join(packages(t), "node_modules"))
	cmd.Stdin = input
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(stdout)
	for {
		line, err := in.ReadBytes('\n')
		if len(line) > 0 {
			take(line)
		}
		if err != nil {
			break
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("node %s: %v\n%s", script, err, stderr.Bytes())
	}
}

// parse reads a line strictly: a field that we do not know is a disagreement too.
func parse(t testing.TB, line []byte, into any) {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		t.Fatalf("%v in %.300s", err, line)
	}
}

// difference gives the first path at which two descriptions differ; empty if they agree.
func difference(t testing.TB, ours, theirs any) string {
	t.Helper()
	plain := func(v any) any {
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var out any
		if err := json.Unmarshal(raw, &out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	return walk("", plain(ours), plain(theirs))
}

func walk(path string, ours, theirs any) string {
	switch a := ours.(type) {
	case map[string]any:
		b, ok := theirs.(map[string]any)
		if !ok {
			break
		}
		for key := range b {
			if _, ok := a[key]; !ok {
				return fmt.Sprintf("%s.%s: we have none, they %v", path, key, b[key])
			}
		}
		for key := range a {
			if d := walk(path+"."+key, a[key], b[key]); d != "" {
				return d
			}
		}
		return ""
	case []any:
		b, ok := theirs.([]any)
		if !ok || len(a) != len(b) {
			break
		}
		for i := range a {
			if d := walk(fmt.Sprintf("%s[%d]", path, i), a[i], b[i]); d != "" {
				return d
			}
		}
		return ""
	default:
		if ours == theirs {
			return ""
		}
	}
	return strings.TrimPrefix(fmt.Sprintf("%s: we have %v, they %v", path, ours, theirs), ".")
}
