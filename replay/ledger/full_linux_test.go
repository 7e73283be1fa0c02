package ledger

import (
	"fmt"
	"math"
	"strings"
	"syscall"
	"testing"

	"github.com/blockreel/blockreel/traces/event"
)

// A disk that is full is an error of the commit, and the ledger can be closed and opened.
func TestFullDisk(t *testing.T) {
	for _, spec := range []string{
		"badger:memtable=1MB,valuelog=1MB", "leveldb", "pebble:memtable=1MB", "bbolt",
	} {
		t.Run(spec, func(t *testing.T) {
			cfg := Config{Dir: smallDisk(t, 24), Channel: "ch1"}
			l := open(t, spec, cfg)
			fill(t, l)
			if err := l.Close(); err != nil && !isFull(err) {
				t.Errorf("close: %v", err)
			}
		})
	}
}

// Pebble that runs into the end of the disk without the guard can be closed all the same.
func TestPebbleFatal(t *testing.T) {
	l := open(t, "pebble:memtable=16MB", Config{Dir: smallDisk(t, 80), Channel: "ch1"})
	l.store.(*pebbleStore).space.free = func(string) (uint64, bool) { return math.MaxUint64, true }
	fill(t, l)
	if err := l.Close(); err != nil && !isFull(err) {
		t.Errorf("close: %v", err)
	}
}

// fill commits blocks until the disk is full.
func fill(t *testing.T, l *Ledger) {
	t.Helper()
	for n := event.BlockNum(0); n < 100_000; n++ {
		b := testBlock(n)
		b.Bytes += 64 << 10
		if err := l.Validate(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		_, err := l.Commit(t.Context(), b)
		if err == nil {
			continue
		}
		if !isFull(err) {
			t.Fatalf("block %d: %v", n, err)
		}
		t.Logf("block %d: %v", n, err)
		return
	}
	t.Fatal("the disk is never full")
}

func isFull(err error) bool {
	return strings.Contains(err.Error(), "disk full in ") || strings.Contains(err.Error(), "no space left on device")
}

// smallDisk mounts a file system in memory of so many MB.
func smallDisk(t *testing.T, mb int) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, fmt.Sprintf("size=%dm", mb)); err != nil {
		t.Skipf("cannot mount a small disk, which needs root: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// A disk that cannot be written to at all is good enough for reading.
func TestReadOnlyDisk(t *testing.T) {
	for _, spec := range []string{"badger", "leveldb", "pebble", "bbolt"} {
		t.Run(spec, func(t *testing.T) {
			cfg := Config{Dir: smallDisk(t, 256), Channel: "ch1"}
			l := open(t, spec, cfg)
			for n := range event.BlockNum(20) {
				commit(t, l, testBlock(n))
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			if err := syscall.Mount("none", cfg.Dir, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
				t.Fatal(err)
			}
			cfg.ReadOnly = true
			l = open(t, spec, cfg)
			readAll(t, l)
			if err := l.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
	}
}
