package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"blockreel": func() {
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
			code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
			stop()
			os.Exit(code)
		},
	})
}

// TestScripts runs the scripts in testdata/script. Beside the commands of testscript
// they have:
//
//	json FILE PATH OP VALUE   compare a number in a JSON file: json out streams.0.blocks == 2400
//	jsonenv NAME FILE PATH    set an environment variable to a text in a JSON file
//	truncate FILE BYTES       cut bytes off the end of a file
func TestScripts(t *testing.T) {
	samples, err := filepath.Abs(filepath.Join("..", "..", "traces", "samples"))
	if err != nil {
		t.Fatal(err)
	}
	logs, err := filepath.Abs(filepath.Join("..", "..", "recorder", "fabriclog", "testdata"))
	if err != nil {
		t.Fatal(err)
	}
	attach, err := filepath.Abs(filepath.Join("..", "..", "recorder", "attach", "testdata"))
	if err != nil {
		t.Fatal(err)
	}
	blocks, err := filepath.Abs(filepath.Join("..", "..", "internal", "fabric", "blockfile", "testdata"))
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Setup: func(env *testscript.Env) error {
			env.Setenv("SAMPLES", samples)
			env.Setenv("LOGS", logs)
			env.Setenv("ATTACH", attach)
			env.Setenv("BLOCKS", blocks)
			env.Setenv("GORACE", "atexit_sleep_ms=0") // the race detector's second at the end of every command
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"json":     jsonCommand,
			"jsonenv":  jsonenvCommand,
			"truncate": truncateCommand,
		},
	})
}

func jsonCommand(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 4 {
		ts.Fatalf("usage: json FILE PATH OP VALUE")
	}
	at := inJSON(ts, args[0], args[1])
	holds := false
	if got, isNumber := at.(float64); isNumber {
		var want float64
		_, err := fmt.Sscan(args[3], &want)
		ts.Check(err)
		holds = map[string]bool{"==": got == want, "<": got < want, ">": got > want, "~": got > want*0.99 && got < want*1.01}[args[2]]
	} else {
		holds = args[2] == "==" && fmt.Sprint(at) == args[3]
	}
	if holds == neg {
		ts.Fatalf("%s: %v %s %s is %v", args[1], at, args[2], args[3], holds)
	}
}

func jsonenvCommand(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 || neg {
		ts.Fatalf("usage: jsonenv NAME FILE PATH")
	}
	ts.Setenv(args[0], fmt.Sprint(inJSON(ts, args[1], args[2])))
}

// inJSON finds what is at a path like streams.0.blocks in a JSON file.
func inJSON(ts *testscript.TestScript, file, path string) any {
	var doc any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(file)), &doc))
	at := doc
	for step := range strings.SplitSeq(path, ".") {
		switch v := at.(type) {
		case map[string]any:
			next, ok := v[step]
			if !ok {
				ts.Fatalf("%s has no %s in %s", file, step, path)
			}
			at = next
		case []any:
			var i int
			if _, err := fmt.Sscan(step, &i); err != nil || i < 0 || i >= len(v) {
				ts.Fatalf("%s: %s in %s is no index of %d elements", file, step, path, len(v))
			}
			at = v[i]
		default:
			ts.Fatalf("%s: nothing below %v at %s in %s", file, v, step, path)
		}
	}
	return at
}

func truncateCommand(ts *testscript.TestScript, _ bool, args []string) {
	path := ts.MkAbs(args[0])
	info, err := os.Stat(path)
	ts.Check(err)
	var bytes int64
	_, err = fmt.Sscan(args[1], &bytes)
	ts.Check(err)
	ts.Check(os.Truncate(path, info.Size()-bytes))
}
