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

// measureFootprint commits blocks and prints the most memory that the process has held, in kB,
// when this is the child of TestFootprint: its own and what it had of mapped files together, and
// each alone.
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
	own, files := 0, 0
	b := block.Block{Transactions: 10, Writes: 20, Bytes: footprintBytes}
	for i := 0; err == nil && i < blocks; i++ {
		if err = l.Validate(ctx, &b); err == nil {
			_, err = l.Commit(ctx, &b)
		}
		if b.Number++; i%32 == 0 {
			own, files = max(own, memoryOf("RssAnon")), max(files, memoryOf("RssFile"))
		}
	}
	if err == nil {
		err = l.Close()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(memoryOf("VmHWM"), own, files)
	os.Exit(0)
}

// memoryOf is a line of the process's status in kB.
func memoryOf(what string) int {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		panic(err)
	}
	lines := bufio.NewScanner(bytes.NewReader(status))
	for lines.Scan() {
		if name, value, _ := strings.Cut(lines.Text(), ":"); name == what {
			kB, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB"))
			return kB
		}
	}
	return 0
}

// What a ledger takes of memory, with what it has of mapped files, does not grow with its blocks,
// nor does it with a ledger in memory that writes the same keys again.
func TestFootprint(t *testing.T) {
	if testing.Short() {
		t.Skip("commits several 100 MB")
	}
	for _, c := range []struct {
		spec   string
		mostMB int
	}{
		{Memory, 300},
		{BadgerNoSync, 300},
		{"leveldb:sync=false", 200},
		{"pebble:sync=false", 200},
		{"bbolt:sync=false", 400},
	} {
		t.Run(c.spec, func(t *testing.T) {
			t.Parallel()
			child := exec.Command(os.Args[0])
			child.Env = append(os.Environ(), footprintDir+"="+t.TempDir(), footprintSpec+"="+c.spec, fmt.Sprint(footprintBlocks, "=", footprintRun))
			child.Stderr = os.Stderr
			out, err := child.Output()
			if err != nil {
				t.Fatal(err)
			}
			var most, own, files int
			if _, err := fmt.Sscan(string(out), &most, &own, &files); err != nil || most == 0 {
				t.Fatalf("the child says %q, %v", out, err)
			}
			committed := footprintRun * footprintBytes >> 20
			t.Logf("%d MB committed, at most %d MB in memory: %d MB of its own, %d MB of files", committed, most>>10, own>>10, files>>10)
			if most>>10 > c.mostMB {
				t.Errorf("%d MB in memory after %d MB of blocks, more than %d MB", most>>10, committed, c.mostMB)
			}
		})
	}
}
