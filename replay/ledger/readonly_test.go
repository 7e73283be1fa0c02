package ledger

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/blockreel/blockreel/traces/event"
)

// A ledger that is opened to be read is left as it was, and takes no blocks.
func TestReadOnly(t *testing.T) {
	each(t, true, func(t *testing.T, spec string) {
		whateverSync(t, spec)
		cfg := Config{Dir: t.TempDir(), Channel: "ch1"}
		if l, err := Open(spec, Config{Dir: cfg.Dir, ReadOnly: true}); err == nil {
			t.Errorf("nothing was opened to be read: %v", l.Close())
		}
		l := open(t, spec, cfg)
		for n := range event.BlockNum(20) {
			commit(t, l, testBlock(n))
		}
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), openDir+"="+cfg.Dir, openSpec+"="+spec, "GORACE=atexit_sleep_ms=0")
		if out, err := child.CombinedOutput(); err != nil || !strings.Contains(string(out), "in use by another process") {
			t.Errorf("a ledger that is open here: %v\n%s", err, out)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		before := contents(t, cfg.Dir)
		cfg.ReadOnly = true
		if l, err := Open(spec, cfg); err != nil {
			t.Fatal(err)
		} else {
			readAll(t, l)
			if err := l.Validate(t.Context(), testBlock(20)); !errors.Is(err, errReadOnly) {
				t.Errorf("a block for a ledger that is only read: %v", err)
			}
			if err := l.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		}
		after := contents(t, cfg.Dir)
		for name, was := range before {
			if is, ok := after[name]; !ok || is != was {
				t.Errorf("%s was changed by reading", name)
			}
		}
		for name := range after {
			if _, ok := before[name]; !ok {
				t.Errorf("%s was made by reading", name)
			}
		}
	})
}

func readAll(t *testing.T, l *Ledger) {
	t.Helper()
	if l.Height() != 20 {
		t.Errorf("height %d, want 20", l.Height())
	}
	if b, err := l.Block(t.Context(), 19); err != nil || b.Bytes != testBlock(19).Bytes {
		t.Errorf("block 19 has %d bytes, %v", b.Bytes, err)
	}
	check(t, l)
}

func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, name := range files(t, dir) {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		all[name] = string(b)
	}
	return all
}

// A directory says whose ledger is in it.
func TestOtherBackend(t *testing.T) {
	each(t, true, func(t *testing.T, spec string) {
		whateverSync(t, spec)
		name, _, _ := strings.Cut(spec, ":")
		cfg := Config{Dir: t.TempDir(), Channel: "ch1"}
		l := open(t, spec, cfg)
		commit(t, l, testBlock(0))
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		for _, b := range List() {
			if !b.IsStore() || b.InMemory || b.Name == name {
				continue
			}
			other, err := Open(b.Name, cfg)
			if err == nil {
				t.Errorf("opened as %s: %v", b.Name, other.Close())
			} else if !strings.Contains(err.Error(), "a ledger of "+name+", not of "+b.Name) {
				t.Errorf("opened as %s: %v", b.Name, err)
			}
		}
	})
}
