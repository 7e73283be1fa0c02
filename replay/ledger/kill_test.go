package ledger

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/blockreel/blockreel/replay/block"
	"github.com/blockreel/blockreel/traces/event"
)

// These turn the test binary into the child of TestKill.
const (
	killDir  = "BLOCKREEL_TEST_KILL_DIR"
	killSpec = "BLOCKREEL_TEST_KILL_SPEC"
)

// killBlock is a block of the child. Every third takes long enough for a kill to
// strike within a write; where every key is a request it has fewer of them.
func killBlock(spec string, n event.BlockNum) *block.Block {
	b := &block.Block{Number: n, Transactions: 20, Writes: 60, Bytes: 20_000}
	if n%3 == 2 {
		b.Writes = 2_000
		if strings.HasPrefix(spec, "couchdb") {
			b.Writes = 300
		}
	}
	return b
}

// killStore tells, within a commit, the height that a ledger must have when the
// process is killed from then on: that before the block while nothing of it is
// written, and that after the block as soon as its first half is.
type killStore struct{ store }

func (k killStore) write(ctx context.Context, b *batch) error {
	var height uint64
	entries := 0
	for _, e := range b.all() {
		height, _ = number(e.value) // the last one is a savepoint
		entries++
	}
	fmt.Println(height - 1)
	head, tail := split(b, entries/2)
	if err := k.store.write(ctx, head); err != nil {
		return err
	}
	fmt.Println(height)
	return k.store.write(ctx, tail)
}

// commitUntilKilled commits blocks for ever when this is the child of TestKill.
func commitUntilKilled() {
	dir := os.Getenv(killDir)
	if dir == "" {
		return
	}
	spec := os.Getenv(killSpec)
	l, err := Open(spec, Config{Dir: dir, Channel: "ch1"})
	if err == nil {
		l.store = killStore{l.store}
	}
	ctx := context.Background()
	for err == nil {
		b := killBlock(spec, event.BlockNum(l.Height()))
		if err = l.Validate(ctx, b); err == nil {
			_, err = l.Commit(ctx, b)
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// A process is killed in the middle of a commit, several times on the same
// directory. After each the ledger must be whole, as high as the process said,
// and take further blocks.
func TestKill(t *testing.T) {
	if testing.Short() {
		t.Skip("starts and kills processes")
	}
	each(t, true, func(t *testing.T, spec string) {
		cfg := Config{Dir: t.TempDir(), Channel: "ch1"}
		for lines := 4; lines < 10; lines++ {
			said := runUntilKilled(t, spec, cfg.Dir, lines)
			l, err := Open(spec, cfg)
			if err != nil {
				t.Fatalf("killed at height %d: %v", said, err)
			}
			// Of the block that it was killed in, all may have been written.
			if l.Height() != said && l.Height() != said+1 {
				t.Fatalf("height %d, but the process said %d", l.Height(), said)
			}
			check(t, l)
			commit(t, l, killBlock(spec, event.BlockNum(l.Height())))
			check(t, l)
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// runUntilKilled starts the child, kills it when it has printed the given number
// of lines, and returns the height that it printed last.
func runUntilKilled(t *testing.T, spec, dir string, most int) event.Height {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), killDir+"="+dir, killSpec+"="+spec)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var said uint64
	lines := bufio.NewScanner(out)
	for i := 1; lines.Scan(); i++ {
		if said, err = strconv.ParseUint(lines.Text(), 10, 64); err != nil {
			t.Errorf("the child says %q", lines.Text())
		}
		if i == most {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	err = child.Wait()
	if err == nil || child.ProcessState.Exited() {
		t.Fatalf("the child was not killed: %v", err)
	}
	return event.Height(said)
}
