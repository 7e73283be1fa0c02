package ledger

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	kvrwsetpb "github.com/blockreel/blockreel/internal/fabric/proto/kvrwset"
	"github.com/blockreel/blockreel/traces/event"
)

// Keys come back in the order of their bytes, whatever is in them, with what was deleted
// left out.
func TestScan(t *testing.T) {
	each(t, false, func(t *testing.T, spec string) {
		whateverSync(t, spec)
		keys := 100_000
		if testing.Short() || strings.HasSuffix(t.Name(), ":pouchdb") {
			keys = 5_000 // a few of CouchDB's pages; of more, PouchDB takes minutes
		}
		l := open(t, spec, Config{Dir: t.TempDir(), Channel: "ch1"})
		random := rand.New(rand.NewPCG(1, 2))
		want := map[string]string{}
		var b batch
		fill := func(n int, remove bool) {
			b.reset()
			for range n {
				key := appendStateKey(nil, "ns"+string(rune('a'+random.IntN(3))), scanKey(random))
				value := fmt.Appendf(nil, "%d", random.Uint64())
				stored := (&stateValue{version: version{1, 2}, value: value}).append(nil)
				if remove && random.IntN(2) == 0 {
					b.delete(stateTable, key)
					delete(want, string(key))
					continue
				}
				b.put(stateTable, key, stored)
				want[string(key)] = string(stored)
			}
			if err := l.store.write(t.Context(), &b); err != nil {
				t.Fatal(err)
			}
		}
		for range 10 {
			fill(keys/10, false)
		}
		fill(500, true)
		scanned := func(from, to []byte, most int) (got []string) {
			err := l.store.scan(t.Context(), stateTable, from, to, func(k, v []byte) bool {
				if want[string(k)] != string(v) {
					t.Fatalf("key %q has the value %q, want %q", k, v, want[string(k)])
				}
				got = append(got, string(k))
				return len(got) < most
			})
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		sorted := make([]string, 0, len(want))
		for k := range want {
			sorted = append(sorted, k)
		}
		slices.Sort(sorted)
		all := func(from, to string) []string {
			i, _ := slices.BinarySearch(sorted, from)
			j, _ := slices.BinarySearch(sorted, to)
			return sorted[i:max(i, j)]
		}
		for _, c := range [][2]string{
			{"nsa\x00", "nsa\x01"}, {"nsb\x00", "nsb\x01"}, {"nsa\x00k5", "nsc\x00k5"}, {"nsb\x00k", "nsb\x00k"}, {"nsx\x00", "nsy\x00"},
		} {
			whole := all(c[0], c[1])
			if got := scanned([]byte(c[0]), []byte(c[1]), 1<<30); !slices.Equal(got, whole) {
				t.Errorf("from %q to %q: %d keys, want %d in order", c[0], c[1], len(got), len(whole))
			}
			if got := scanned([]byte(c[0]), []byte(c[1]), 3); len(whole) > 3 && !slices.Equal(got, whole[:3]) {
				t.Errorf("the first three from %q are %q, want %q", c[0], got, whole[:3])
			}
		}
		if got := scanned([]byte("nsa"), nil, 1<<30); len(got) != len(sorted) {
			t.Errorf("%d keys in all, want %d", len(got), len(sorted))
		}
	})
}

// Many keys on the way of every block: validated, committed, read again by their versions.
func TestManyKeys(t *testing.T) {
	each(t, false, func(t *testing.T, spec string) {
		whateverSync(t, spec)
		const transactions, writes = 10, 1000
		blocks := 10
		if testing.Short() || strings.HasSuffix(t.Name(), ":pouchdb") {
			blocks = 1
		}
		l := open(t, spec, Config{Dir: t.TempDir(), Channel: "ch1"})
		c := &chain{t: t}
		commit(t, l, c.genesis())
		key := func(n, i, k int) string { return fmt.Sprintf("%d-%d-%d", k, i, n) }
		for n := 1; n <= blocks; n++ {
			var all []tx
			for i := range transactions {
				x := tx{set: &kvrwsetpb.KVRWSet{}}
				for k := range writes {
					x.set.Writes = append(x.set.Writes, puts(key(n, i, k), "value"))
				}
				all = append(all, x)
			}
			commit(t, l, c.block(all...))
		}
		good, bad := tx{set: &kvrwsetpb.KVRWSet{}}, tx{set: &kvrwsetpb.KVRWSet{}}
		for n := 1; n <= blocks; n++ {
			for i := range transactions {
				for k := i; k < writes; k += 50 {
					good.set.Reads = append(good.set.Reads, reads(key(n, i, k), uint64(n), uint64(i)))
				}
			}
		}
		bad.set.Reads = append(append(bad.set.Reads, good.set.Reads...), reads(key(blocks, 0, 0), uint64(blocks), 1))
		commit(t, l, c.block(good, bad))
		wantCodes(t, l, event.BlockNum(blocks+1), 0, 11)
		if !strings.HasPrefix(spec, "couchdb") { // where each key is a request
			check(t, l)
		}
	})
}

// scanKey is like a chaincode's key, sometimes a composite one, and often another one's
// prefix.
func scanKey(random *rand.Rand) string {
	switch random.IntN(4) {
	case 0:
		return fmt.Sprintf("\x00color~name\x00%d\x00%d\x00", random.IntN(9), random.IntN(5000))
	case 1:
		return "é" + strings.Repeat("\U0010ffff", random.IntN(3)) + fmt.Sprint(random.IntN(1000))
	}
	return fmt.Sprintf("k%d", random.IntN(1_000_000))
}

// Whatever is in the directory, Open answers, and what it opens can be asked. A ledger that
// syncs has all of its blocks then, or says that it is damaged.
func TestHostileDirectories(t *testing.T) {
	each(t, true, func(t *testing.T, spec string) {
		if testing.Short() && strings.HasSuffix(t.Name(), ":pouchdb") {
			t.Skip("takes many processes, and damages the same files as couchdb")
		}
		whateverSync(t, spec)
		cfg := Config{Dir: filepath.Join(t.TempDir(), "a"), Channel: "ch1"}
		if err := os.WriteFile(cfg.Dir, []byte("a file"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(spec, cfg); err == nil {
			t.Error("a file was opened for a directory")
		}
		cfg.Dir = t.TempDir()
		l := open(t, spec, cfg)
		for n := range event.BlockNum(20) {
			commit(t, l, testBlock(n))
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		for name, damage := range map[string]func([]byte) []byte{
			"cut":     func(b []byte) []byte { return b[:len(b)/2] },
			"emptied": func([]byte) []byte { return nil },
			"zeroed":  func(b []byte) []byte { clear(b[len(b)/3:]); return b },
			"garbled": func(b []byte) []byte {
				random := rand.New(rand.NewPCG(3, 4))
				for i := range b {
					if random.IntN(50) == 0 {
						b[i] ^= byte(1 + random.IntN(255))
					}
				}
				return b
			},
		} {
			for _, file := range files(t, cfg.Dir) {
				dir := t.TempDir()
				if err := os.CopyFS(dir, os.DirFS(cfg.Dir)); err != nil {
					t.Fatal(err)
				}
				path := filepath.Join(dir, file)
				whole, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, damage(whole), 0o600); err != nil {
					t.Fatal(err)
				}
				// In a process of its own: an engine that fails to open may leave goroutines.
				child := exec.Command(os.Args[0])
				child.Env = append(os.Environ(), openDir+"="+dir, openSpec+"="+spec,
					"GORACE=atexit_sleep_ms=0") // the race detector's second at the end of every process
				if Durable(spec) {
					child.Env = append(child.Env, openHeight+"="+fmt.Sprint(l.Height()))
				}
				if out, err := child.CombinedOutput(); err != nil {
					t.Errorf("%s %s: %v\n%s", file, name, err, out[:min(len(out), 3000)])
				}
			}
		}
	})
}

// These turn the test binary into the child of TestHostileDirectories.
const (
	openDir  = "BLOCKREEL_TEST_OPEN_DIR"
	openSpec = "BLOCKREEL_TEST_OPEN_SPEC"
	// openHeight is the height that the ledger must have if it opens; empty: any.
	openHeight = "BLOCKREEL_TEST_OPEN_HEIGHT"
)

// openDamaged opens a damaged ledger, asks it, and ends the process, when this is the child
// of TestHostileDirectories. An error will do; but what was on the disk must not be gone
// without one.
func openDamaged() {
	dir := os.Getenv(openDir)
	if dir == "" {
		return
	}
	l, err := Open(os.Getenv(openSpec), Config{Dir: dir, Channel: "ch1"})
	if err == nil {
		err = errors.Join(l.Check(context.Background()), l.Close())
		if want := os.Getenv(openHeight); err == nil && want != "" && fmt.Sprint(l.Height()) != want {
			fmt.Printf("blocks are lost, and nobody says so: height %d, want %s\n", l.Height(), want)
			os.Exit(1)
		}
	}
	fmt.Println(err)
	os.Exit(0)
}

func files(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			name, _ := filepath.Rel(dir, path)
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}
