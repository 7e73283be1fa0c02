package ledger

import (
	"os"
	"path/filepath"
	"testing"
)

// Pages are let go of after every block, while tables are flushed and compacted: the process
// does not have them any more, and the ledger is whole.
func TestPagesLetGo(t *testing.T) {
	blocks := 400
	if testing.Short() {
		blocks = 50
	}
	for _, spec := range []string{"badger:sync=false,memtable=1MB,valuelog=1MB", "bbolt:sync=false"} {
		t.Run(spec, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "a ledger's (deleted)")
			link := filepath.Join(t.TempDir(), "link")
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(dir, link); err != nil {
				t.Fatal(err)
			}
			l := open(t, spec, Config{Dir: link, Channel: "ch1"})
			p := pagesOf(t, l)
			p.most = 1 << 40 // not by itself
			b := testBlock(0)
			b.Bytes = 100_000
			before := p.resident()
			for range blocks {
				commit(t, l, b)
				b.Number++
			}
			check(t, l) // reads them all
			grown := p.resident() - before
			p.letGo()
			left := p.resident() - before
			if most := blocks * b.Bytes; grown < most/2 || left > grown/2 {
				t.Errorf("%d bytes of files in memory after %d of blocks, %d when they were let go of", grown, most, left)
			}
			for range blocks {
				commit(t, l, b)
				b.Number++
				p.letGo()
			}
			check(t, l)
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			check(t, open(t, spec, Config{Dir: dir, ReadOnly: true}))
		})
	}
}

func pagesOf(t *testing.T, l *Ledger) *pages {
	t.Helper()
	switch s := l.store.(type) {
	case *badgerStore:
		return s.pages
	case *bboltStore:
		return s.pages
	}
	t.Fatalf("%s maps no files", l.Name())
	return nil
}

// Who reads a directory together with another does not let go of pages: the other's mappings
// may go away meanwhile.
func TestPagesOfTwo(t *testing.T) {
	dir := t.TempDir()
	if err := open(t, BadgerNoSync, Config{Dir: dir, Channel: "ch1"}).Close(); err != nil {
		t.Fatal(err)
	}
	a := open(t, Badger, Config{Dir: dir, ReadOnly: true})
	b := open(t, Badger, Config{Dir: dir, ReadOnly: true})
	asked := 0
	p := pagesOf(t, a)
	p.hold = func(func(func(string) bool)) { asked++ }
	p.letGo()
	if asked != 0 {
		t.Error("pages were let go of while another store had the directory's files mapped")
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	p.letGo()
	if asked != 1 {
		t.Error("pages were not let go of when the other store was closed")
	}
}

func TestMapping(t *testing.T) {
	p := &pages{dir: "/tmp/a b"}
	for line, want := range map[string]string{
		"7f00-8000 rw-s 00000000 fd:00 12   /tmp/a b/000001.vlog\n":           "000001.vlog",
		"7f00-8000 r--s 00000000 fd:00 12 /tmp/a b/c d.sst":                   "c d.sst",
		"7f00-8000 rw-s 00000000 fd:00 12   /tmp/a b/000001.vlog (deleted)\n": "000001.vlog (deleted)",
		"7f00-8000 rw-p 00000000 fd:00 12   /tmp/a b/000001.vlog\n":           "",
		"7f00-8000 rw-s 00000000 fd:00 12   /tmp/a b/c/000001.vlog\n":         "",
		"7f00-8000 rw-s 00000000 fd:00 12   /tmp/a/000001.vlog\n":             "",
		"8000-8000 rw-s 00000000 fd:00 12   /tmp/a b/000001.vlog\n":           "",
		"7f00-xyz rw-s 00000000 fd:00 12   /tmp/a b/000001.vlog\n":            "",
		"7f00-8000 rw-p 00000000 00:00 0 \n":                                  "",
		"7f00-8000 rw-p 00000000 00:00 0    [heap]\n":                         "",
		"\n": "",
	} {
		from, to, name := p.mapping([]byte(line))
		if name != want || name != "" && (from != 0x7f00 || to != 0x8000) {
			t.Errorf("%q is %q from %x to %x", line, name, from, to)
		}
	}
}
