package attach

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/blockreel/blockreel/internal/fabric/blockfile"
	"github.com/blockreel/blockreel/recorder/fabriclog"
	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// shared returns a real run beside the module, and skips without it.
func shared(t testing.TB, run string) string {
	t.Helper()
	dir := filepath.Join("..", "..", "..", "shared", "data", run)
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("the real run %s is not here", run)
	}
	return dir
}

func logs(t testing.TB, dir string) *traces.Trace {
	t.Helper()
	source := func(name string) []fabriclog.Source {
		path := filepath.Join(dir, name)
		return []fabriclog.Source{{Path: path, Open: func() (io.ReadCloser, error) { return os.Open(path) }}}
	}
	tr, _, err := fabriclog.Read(t.Context(), fabriclog.Config{Orderers: source("orderer.log.gz"), Peers: source("peer.log.gz")})
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// TestRealRuns attaches blocks to logs of the same runs, from ledger files of peer and
// orderer and from dumps of both, and holds the payloads against a dump's bytes.
func TestRealRuns(t *testing.T) {
	for _, c := range []struct {
		run, file       string
		blocks, invalid int64
		same            bool // the file is the peer's copy, as the dump is
	}{
		{"fabric-2.5-mvcc-blockfiles", "peer-blockfile_000000.zst", 200, 1781, true},
		{"fabric-2.5-mvcc-blockfiles", "orderer-blockfile_000000.zst", 200, 0, false},
		{"fabric-2.5-mvcc-debug", "ch1.blocks.zst", 300, -1, true},
		{"fabric-2.5-burst-n20-info", "ch1.blocks.zst", 2400, 0, true},
	} {
		dir := shared(t, c.run)
		r := attached(t, logs(t, dir), Config{Files: []Source{File(filepath.Join(dir, c.file))}})
		got := r.report.Channels[0]
		// Copies with flags are a peer's: they have commit hashes too.
		if got.Hashed != got.Validated || got.Foreign() != "" || r.Timelines[0].Observed(event.CommitHash) != r.Timelines[0].Len() ||
			int64(r.Timelines[0].Observed(event.InvalidTransactions)) != got.Validated {
			t.Errorf("%s: %d hashes agree, %q", c.run, got.Hashed, got.Foreign())
		}
		if got.Blocks != c.blocks || got.Without != 0 || got.Unreadable != 0 || got.Late != 0 || c.invalid >= 0 && got.Invalid != c.invalid || got.Writes < got.Transactions {
			t.Errorf("%s: %+v", c.run, got)
		}
		if !c.same {
			continue
		}
		in, err := os.Open(filepath.Join(dir, "ch1.blocks.zst"))
		if err != nil {
			t.Fatal(err)
		}
		dump, err := blockfile.NewReader(in)
		if err != nil {
			t.Fatal(err)
		}
		n := int64(0)
		for {
			b, err := dump.Next()
			if err != nil {
				break
			}
			if p, ok := r.payloads[event.BlockNum(b.Number)]; ok {
				if n++; !bytes.Equal(p, b.Raw) {
					t.Fatalf("%s: payload of block %d differs", c.run, b.Number)
				}
			}
		}
		dump.Close()
		in.Close()
		if n != c.blocks+got.Earlier {
			t.Errorf("%s: %d payloads compared", c.run, n)
		}
		t.Logf("%s: %+v", c.run, got)
	}
}

// TestForeignRuns: blocks of one run do not go with the logs of another, although
// numbers and counts agree. An orderer's copies, which have no commit hash, do, and the
// trace says so.
func TestForeignRuns(t *testing.T) {
	const blockfiles, debug, burst = "fabric-2.5-mvcc-blockfiles", "fabric-2.5-mvcc-debug", "fabric-2.5-burst-n20-info"
	for _, c := range [][3]string{{blockfiles, debug, "ch1.blocks.zst"}, {debug, blockfiles, "peer-blockfile_000000.zst"}, {burst, debug, "ch1.blocks.zst"}} {
		var block *BlockError
		_, err := write(t, logs(t, shared(t, c[0])), Config{Files: []Source{File(filepath.Join(shared(t, c[1]), c[2]))}})
		if !errors.Is(err, ErrContradiction) || !errors.As(err, &block) || block.Block != 4 || !strings.Contains(err.Error(), "commit hash") {
			t.Errorf("%v: %v", c, err)
		}
	}
	r := attached(t, logs(t, shared(t, blockfiles)), Config{Files: []Source{File(filepath.Join(shared(t, burst), "ch1.blocks.zst"))}})
	if c := r.report.Channels[0]; c.Hashed != 0 || !c.Told || !strings.Contains(r.notes(traces.NoteFact), uncompared) {
		t.Errorf("an orderer's copies: %+v, %s", c, r.notes(traces.NoteFact))
	}
}

// BenchmarkWrite attaches 80 MB of real blocks of 33 kB, from memory.
func BenchmarkWrite(b *testing.B) {
	dir := shared(b, "fabric-2.5-burst-n20-info")
	tr := logs(b, dir)
	in, err := os.Open(filepath.Join(dir, "ch1.blocks.zst"))
	if err != nil {
		b.Fatal(err)
	}
	defer in.Close()
	dump, err := blockfile.NewReader(in)
	if err != nil {
		b.Fatal(err)
	}
	var blocks [][]byte
	size := int64(0)
	for {
		block, err := dump.Next()
		if err != nil {
			break
		}
		blocks, size = append(blocks, bytes.Clone(block.Raw)), size+int64(len(block.Raw))
	}
	for name, cfg := range map[string]Config{"full": {}, "sizes": {SizesOnly: true}} {
		cfg.Files = []Source{content("f", blocks...)}
		b.Run(name, func(b *testing.B) {
			b.SetBytes(size)
			for b.Loop() {
				t := *tr
				t.Timelines = []*traces.Timeline{tr.Timelines[0]}
				if _, err := Write(b.Context(), io.Discard, &t, cfg); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(blocks)), "ns/block")
		})
	}
}
