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

	footprintBytes = 33_000 // of a block
)

// measureFootprint commits blocks of 33 kB and prints the most memory that the process has
// held, in kB, when this is the child of TestFootprint: of its own, and of mapped files.
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
	anon, file := 0, 0
	b := block.Block{Transactions: 10, Writes: 20, Bytes: footprintBytes}
	for i := 0; err == nil && i < blocks; i++ {
		if err = l.Validate(ctx, &b); err == nil {
			_, err = l.Commit(ctx, &b)
		}
		if b.Number++; i%32 == 0 {
			a, f := resident()
			anon, file = max(anon, a), max(file, f)
		}
	}
	if err == nil {
		err = l.Close()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(anon, file)
	os.Exit(0)
}

// resident is the process's memory in kB: its own, and what it has of mapped files.
func resident() (anon, file int) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		panic(err)
	}
	lines := bufio.NewScanner(bytes.NewReader(status))
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ":")
		kB, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB"))
		switch name {
		case "RssAnon":
			anon = kB
		case "RssFile":
			file = kB
		}
	}
	return anon, file
}

// A ledger in files does not hold its blocks in memory. Pages of mapped files are not
// counted: the kernel takes them when somebody else needs the room.
func TestFootprint(t *testing.T) {
	if testing.Short() {
		t.Skip("commits several 100 MB")
	}
	for _, c := range []struct {
		spec   string
		blocks int
	}{{BadgerNoSync, 5_000}, {"leveldb:sync=false", 5_000}, {"pebble:sync=false", 3_000}, {"bbolt:sync=false", 1_500}} {
		t.Run(c.spec, func(t *testing.T) {
			t.Parallel()
			child := exec.Command(os.Args[0])
			child.Env = append(os.Environ(), footprintDir+"="+t.TempDir(), footprintSpec+"="+c.spec, fmt.Sprint(footprintBlocks, "=", c.blocks))
			child.Stderr = os.Stderr
			out, err := child.Output()
			if err != nil {
				t.Fatal(err)
			}
			var anon, file int
			if _, err := fmt.Sscan(string(out), &anon, &file); err != nil || anon == 0 {
				t.Fatalf("the child says %q, %v", out, err)
			}
			committed := c.blocks * footprintBytes >> 20
			t.Logf("%d MB committed, %d MB held, %d MB of mapped files", committed, anon>>10, file>>10)
			if anon>>10 > committed*4/5 {
				t.Errorf("%d MB of memory held after %d MB of blocks", anon>>10, committed)
			}
		})
	}
}
