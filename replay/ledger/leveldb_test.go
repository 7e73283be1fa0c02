package ledger

import (
	"os"
	"path/filepath"
	"testing"

	kvrwsetpb "github.com/blockreel/blockreel/internal/fabric/proto/kvrwset"
	"github.com/blockreel/blockreel/replay/block"
	"github.com/blockreel/blockreel/traces/event"
)

// A crash leaves block files that are ahead of the databases, and in them a part of a block:
// the blocks lead, and with them the verdicts of before.
func TestBlockFilesLead(t *testing.T) {
	databases := []string{indexTable.String(), stateTable.String(), historyTable.String()}
	for name, behind := range map[string][]string{
		"all of them": databases, "index": databases[:1], "state": databases[1:2], "history": databases[2:],
	} {
		for _, lost := range []bool{false, true} {
			for _, torn := range []int64{0, 1, 500} {
				cfg := Config{Dir: t.TempDir(), Channel: "ch1"}
				l := open(t, "leveldb:sync=false", cfg)
				c := &chain{t: t}
				commit(t, l, c.genesis())
				commit(t, l, c.block(put("a", "1"), put("b", "1")))
				if err := l.Close(); err != nil {
					t.Fatal(err)
				}
				old := t.TempDir()
				if err := os.CopyFS(old, os.DirFS(cfg.Dir)); err != nil {
					t.Fatal(err)
				}
				l = open(t, "leveldb:sync=false", cfg)
				for n := range uint64(3) {
					commit(t, l, readWriteTwice(c, n+1))
				}
				if err := l.Close(); err != nil {
					t.Fatal(err)
				}
				for _, db := range behind {
					if err := os.RemoveAll(filepath.Join(cfg.Dir, db)); err != nil {
						t.Fatal(err)
					}
					if lost {
						continue
					}
					if err := os.CopyFS(filepath.Join(cfg.Dir, db), os.DirFS(filepath.Join(old, db))); err != nil {
						t.Fatal(err)
					}
				}
				want := event.Height(5)
				if torn > 0 && name == "all of them" {
					cutFile(t, filepath.Join(cfg.Dir, blockTable.String(), "blockfile_000000"), torn)
					want--
				}
				l = open(t, "leveldb:sync=false", cfg)
				if l.Height() != want {
					t.Fatalf("%s, lost %v, torn %d: height %d, want %d", name, lost, torn, l.Height(), want)
				}
				check(t, l)
				for n := event.BlockNum(2); n < event.BlockNum(want); n++ {
					wantCodes(t, l, n, 0, 11)
				}
				if err := l.Close(); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// readWriteTwice makes a block of two transactions that have read what block n wrote of a key
// and write it: the second one conflicts.
func readWriteTwice(c *chain, n uint64) *block.Block {
	one := func() tx {
		return tx{set: &kvrwsetpb.KVRWSet{
			Reads:  []*kvrwsetpb.KVRead{reads("a", n, 0)},
			Writes: []*kvrwsetpb.KVWrite{puts("a", "again")},
		}}
	}
	return c.block(one(), one())
}

func cutFile(t *testing.T, path string, bytes int64) {
	t.Helper()
	info, err := os.Stat(path)
	if err == nil {
		err = os.Truncate(path, info.Size()-bytes)
	}
	if err != nil {
		t.Fatal(err)
	}
}
