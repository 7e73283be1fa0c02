package ledger

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/blockreel/blockreel/replay/block"
)

// These turn the test binary into the child of TestFootprint.
const (
	footprintDir    = "BLOCKREEL_TEST_FOOTPRINT_DIR"
	footprintSpec   = "BLOCKREEL_TEST_FOOTPRINT_SPEC"
	footprintBlocks = "BLOCKREEL_TEST_FOOTPRINT_BLOCKS"

	footprintBytes = 200_000 // of a block
	footprintRun   = 3_000   // blocks
)

// measureFootprint is the child of TestFootprint: it commits blocks and prints the most memory
// that the process had of its own, in kB. Pages of mapped files are the kernel's to take back.
func measureFootprint() {
	dir := os.Getenv(footprintDir)
	if dir == "" {
		return
	}
	blocks, err := strconv.Atoi(os.Getenv(footprintBlocks))
	if err != nil {
		panic(err)
	}
	l, err := Open(os.Getenv(footprintSpec), Config{Dir: dir, Channel: "ch1"})
	ctx := context.Background()
	own := 0
	b := block.Block{Transactions: 10, Writes: 20, Bytes: footprintBytes}
	for i := 0; err == nil && i < blocks; i++ {
		if err = l.Validate(ctx, &b); err == nil {
			_, err = l.Commit(ctx, &b)
		}
		if b.Number++; i%32 == 0 {
			own = max(own, ownMemory())
		}
	}
	if err == nil {
		err = l.Close()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(own)
	os.Exit(0)
}

// ownMemory returns the resident memory of the process without mapped files, in kB.
func ownMemory() int {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		panic(err)
	}
	lines := bufio.NewScanner(bytes.NewReader(status))
	for lines.Scan() {
		if name, value, _ := strings.Cut(lines.Text(), ":"); name == "RssAnon" {
			kB, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB"))
			return kB
		}
	}
	return 0
}

// The memory of a ledger does not grow with its blocks.
func TestFootprint(t *testing.T) {
	if testing.Short() {
		t.Skip("commits several 100 MB")
	}
	const mostMB = 250
	for _, spec := range []string{Memory, BadgerNoSync, "leveldb:sync=false", "pebble:sync=false", "bbolt:sync=false"} {
		t.Run(spec, func(t *testing.T) {
			t.Parallel()
			child := exec.Command(os.Args[0])
			child.Env = append(os.Environ(), footprintDir+"="+t.TempDir(), footprintSpec+"="+spec, fmt.Sprint(footprintBlocks, "=", footprintRun))
			child.Stderr = os.Stderr
			out, err := child.Output()
			if err != nil {
				t.Fatal(err)
			}
			var own int
			if _, err := fmt.Sscan(string(out), &own); err != nil || own == 0 {
				t.Fatalf("the child printed %q, %v", out, err)
			}
			committed := footprintRun * footprintBytes >> 20
			t.Logf("%d MB committed with at most %d MB of memory", committed, own>>10)
			if own>>10 > mostMB {
				t.Errorf("%d MB of memory after %d MB of blocks, more than %d MB", own>>10, committed, mostMB)
			}
		})
	}
}
