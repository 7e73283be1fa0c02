package main

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"
)

// An interrupt before the run or the demo has begun ends it with a message and no file.
func TestInterruptBeforeRecording(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("TMPDIR", t.TempDir())
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	for _, args := range [][]string{
		{"record", "run", "--ledger", "memory", "--rate", "1000", "--blocks", "1000", "--payload", "full", "-o", "run.reel"},
		{"demo"},
	} {
		var stderr bytes.Buffer
		code := run(ctx, args, strings.NewReader(""), &stderr, &stderr)
		if code != 1 || !strings.HasPrefix(stderr.String(), "blockreel: interrupted") {
			t.Errorf("%v: exit code %d: %s", args, code, &stderr)
		}
	}
	if left, err := os.ReadDir("."); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}
