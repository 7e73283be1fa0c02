package pipeline

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestPresets(t *testing.T) {
	for name, want := range map[string]struct{ n, capacity, hand int }{
		Fabric14: {100, 201, 0}, Fabric2x: {20, 41, 1}, Fabric3x: {20, 41, 1},
	} {
		c, ok := Preset(name)
		if !ok || c.Validate() != nil {
			t.Fatalf("preset %s: %v, %v", name, ok, c.Validate())
		}
		if c.Policy.N != want.n || c.Policy.Capacity() != want.capacity || c.Hand != want.hand || c.Policy.Retry != 100*time.Millisecond {
			t.Errorf("preset %s is %+v, want %+v", name, c, want)
		}
	}
	if len(Presets()) != 3 {
		t.Errorf("presets are %v", Presets())
	}
	if _, ok := Preset("fabric-0.6"); ok {
		t.Error("there is a preset fabric-0.6")
	}
}

func TestConfigRefuses(t *testing.T) {
	for name, spoil := range map[string]func(*Config){
		"buffer size":   func(c *Config) { c.Policy.N = 0 },
		"has none":      func(c *Config) { c.Policy.Name, c.Policy.Retry = Unbounded, 0 },
		"buffer policy": func(c *Config) { c.Policy.Name = "" },
		"does not poll": func(c *Config) { c.Policy.Name = Ideal },
		"more than 0":   func(c *Config) { c.Policy.Retry = 0 },
		"hand":          func(c *Config) { c.Hand = 2 },
		"retry":         func(c *Config) { c.Policy.Retry = -1 },
		"wake":          func(c *Config) { c.Wake = MaxDuration + 1 },
		"latency":       func(c *Config) { c.Link.Latency = -1 },
		"bandwidth":     func(c *Config) { c.Link.Bandwidth = -1 },
		"window":        func(c *Config) { c.Link.Window = -1 },
		"fixed intake":  func(c *Config) { c.Intake.Fixed = -1 },
		"per KiB":       func(c *Config) { c.Intake.PerKiB = time.Minute },
		"after a wait":  func(c *Config) { c.Intake.Resume = -1 },
	} {
		c := fabric2x()
		spoil(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error %v does not name it", name, err)
		}
		if _, err := New(c, 0); err == nil {
			t.Errorf("%s: a machine was made of it", name)
		}
	}
}

func TestTransmissionRoundsUp(t *testing.T) {
	for _, tc := range []struct {
		bytes, bandwidth int64
		want             time.Duration
	}{
		{1000, 0, 0},
		{0, 5, 0},
		{1, 3, 333_333_334},
		{1000, 1_000_000_000, 1000},
		{1000, 3_000_000_000, 334},
		{MaxBlockBytes, 1 << 40, 1_953_125},
		{MaxBlockBytes, 1, MaxDuration},
	} {
		if got := (Link{Bandwidth: tc.bandwidth}).transmission(tc.bytes); got != tc.want {
			t.Errorf("%d bytes at %d bytes/s take %v, want %v", tc.bytes, tc.bandwidth, got, tc.want)
		}
	}
}

// TestPurity: of package time the core may name durations, and nothing that reads a
// clock; what else makes things impure it may not import.
func TestPurity(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	imports := map[string]bool{
		"cmp": true, "errors": true, "fmt": true, "math": true, "math/bits": true, "strconv": true, "strings": true, "time": true,
		"github.com/blockreel/blockreel/traces/event": true,
	}
	durations := map[string]bool{
		"Duration": true, "Nanosecond": true, "Microsecond": true, "Millisecond": true, "Second": true, "Hour": true,
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, imp := range file.Imports {
			if !imports[strings.Trim(imp.Path.Value, `"`)] {
				t.Errorf("%s imports %s", name, imp.Path.Value)
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok && x.Name == "time" && !durations[n.Sel.Name] {
					t.Errorf("%s uses time.%s", name, n.Sel.Name)
				}
			case *ast.GoStmt:
				t.Errorf("%s starts a goroutine", name)
			}
			return true
		})
	}
}
