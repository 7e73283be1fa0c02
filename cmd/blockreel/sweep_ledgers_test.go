package main

import (
	"bytes"
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

// An interrupt while forecasts are checked in real time does not take the finished sweep
// away.
func TestInterruptedCheckLeavesTheSweep(t *testing.T) {
	sample := filepath.Join("..", "..", "traces", "samples", "fabric-2.5-mvcc-n20-debug.reel")
	model := filepath.Join(t.TempDir(), "memory.cost")
	var out, stderr bytes.Buffer
	if code := run(t.Context(), []string{"calibrate", sample, "--ledger", "memory", "-o", model}, nil, &out, &stderr); code != 0 {
		t.Fatal(stderr.String())
	}
	sweep := []string{"sweep", sample, "--to", "60", "--cost", model, "--buffer", "2,20", "--check-wall=20", "--plot", filepath.Join(t.TempDir(), "sweep.png")}
	for name, tc := range map[string]struct {
		args []string
		want func(stdout string) bool
	}{
		"text": {sweep, func(stdout string) bool { return strings.Contains(stdout, "memory, recommended") }},
		"json": {append(sweep, "--json"), func(stdout string) bool {
			return json.Valid([]byte(stdout)) && strings.Contains(stdout, `"recommended_buffer"`) && !strings.Contains(stdout, `"checks"`)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var stdout bytes.Buffer
			stderr := stopAt{text: "wrote ", stop: cancel} // the sweep is done
			if code := run(ctx, tc.args, nil, &stdout, &stderr); code != 1 {
				t.Errorf("exit code %d", code)
			}
			if !tc.want(stdout.String()) || !strings.Contains(stderr.String(), "the check of memory by the wall clock was interrupted; the sweep was finished") {
				t.Errorf("printed\n%s\n%s", &stdout, &stderr)
			}
		})
	}
}

// stopAt calls stop when text is written.
type stopAt struct {
	bytes.Buffer
	text string
	stop func()
}

func (s *stopAt) Write(p []byte) (int, error) {
	if strings.Contains(string(p), s.text) {
		s.stop()
	}
	return s.Buffer.Write(p)
}
