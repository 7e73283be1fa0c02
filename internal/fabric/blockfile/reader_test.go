package blockfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/blockreel/blockreel/internal/fabric"
)

// sample returns a file of testdata, unpacked.
func sample(t testing.TB, name string) []byte {
	t.Helper()
	return unzstd(t, filepath.Join("testdata", name))
}

func unzstd(t testing.TB, path string) []byte {
	t.Helper()
	packed, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	dec, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer dec.Close()
	b, err := dec.DecodeAll(packed, nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// all reads a file to its end.
func all(t testing.TB, file []byte) ([][]byte, *Reader) {
	t.Helper()
	r, err := NewReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var blocks [][]byte
	for {
		b, err := r.Next()
		if errors.Is(err, io.EOF) {
			return blocks, r
		}
		if err != nil {
			t.Fatal(err)
		}
		blocks = append(blocks, slices.Clone(b.Raw))
	}
}

// dump puts blocks behind their lengths.
func dump(blocks [][]byte) []byte {
	var out []byte
	for _, b := range blocks {
		out = append(binary.AppendUvarint(out, uint64(len(b))), b...)
	}
	return out
}

func TestLedgerFile(t *testing.T) {
	for _, c := range []struct {
		name    string
		blocks  int
		partial int64
		flags   bool
	}{
		{"peer-blockfile_000000.zst", 22, 3000, true},
		{"orderer-blockfile_000000.zst", 12, 0, false},
	} {
		file := sample(t, c.name)
		blocks, r := all(t, file)
		if len(blocks) != c.blocks || r.Partial() != c.partial || r.Layout() != Ledger {
			t.Errorf("%s: %d blocks, %d bytes of a partial one, layout %v", c.name, len(blocks), r.Partial(), r.Layout())
		}
		var chain fabric.Chain
		for i, raw := range blocks {
			b, err := fabric.ParseBlock(raw)
			if err != nil {
				t.Fatal(err)
			}
			if err := chain.Next(&b); err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			if b.Number != uint64(i) || (b.Flags() != nil) != c.flags {
				t.Errorf("%s: block %d at %d, flags %v", c.name, b.Number, i, b.Flags())
			}
		}
	}
}

// TestLayouts holds that the blocks of a ledger file are the same as those of a dump
// and of single files, packed or not.
func TestLayouts(t *testing.T) {
	file := sample(t, "peer-blockfile_000000.zst")
	want, _ := all(t, file)
	for name, pack := range packers(t) {
		for layout, content := range map[Layout][]byte{Ledger: file, Dump: dump(want)} {
			got, r := all(t, pack(content))
			if r.Layout() != layout || !slices.EqualFunc(got, want, bytes.Equal) {
				t.Errorf("%s, %s: read as %v, %d blocks", layout, name, r.Layout(), len(got))
			}
		}
		for i, b := range want {
			got, r := all(t, pack(b))
			if r.Layout() != Single || len(got) != 1 || !bytes.Equal(got[0], b) {
				t.Errorf("block %d, %s: read as %v, %d blocks", i, name, r.Layout(), len(got))
			}
		}
	}
}

func packers(t testing.TB) map[string]func([]byte) []byte {
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]func([]byte) []byte{
		"plain": func(b []byte) []byte { return b },
		"zstd":  func(b []byte) []byte { return enc.EncodeAll(b, nil) },
		"gzip": func(b []byte) []byte {
			var out bytes.Buffer
			w := gzip.NewWriter(&out)
			w.Write(b)
			w.Close()
			return out.Bytes()
		},
	}
}

// TestCutAnywhere holds that a file that is cut short at any byte gives its whole
// records and tells of the rest.
func TestCutAnywhere(t *testing.T) {
	file := sample(t, "orderer-blockfile_000000.zst")
	want, _ := all(t, file)
	for _, content := range [][]byte{file, dump(want)} {
		ends := recordEnds(content)
		for cut := 0; cut < len(content); cut += 1 + cut/200 {
			whole, rest := 0, int64(cut)
			for _, end := range ends {
				if end <= cut {
					whole, rest = whole+1, int64(cut-end)
				}
			}
			got, r := all(t, content[:cut])
			if len(got) != whole || r.Partial() != rest {
				t.Fatalf("cut at %d: %d blocks and %d bytes, want %d and %d", cut, len(got), r.Partial(), whole, rest)
			}
		}
	}
	cut := packers(t)["zstd"](file)
	_, err := readAll(cut[:len(cut)/2])
	var corrupt *CorruptError
	if !errors.As(err, &corrupt) || !strings.Contains(err.Error(), "damaged or cut short") {
		t.Errorf("half a zstd file: %v", err)
	}
}

func recordEnds(file []byte) (ends []int) {
	for at := 0; at < len(file); {
		length, n := binary.Uvarint(file[at:])
		if at += n + int(length); at <= len(file) {
			ends = append(ends, at)
		}
	}
	return ends
}

func readAll(file []byte) (int, error) {
	r, err := NewReader(bytes.NewReader(file))
	if err != nil {
		return 0, err
	}
	defer r.Close()
	for n := 0; ; n++ {
		if _, err := r.Next(); errors.Is(err, io.EOF) {
			return n, nil
		} else if err != nil {
			return n, err
		}
	}
}

func TestNoBlocks(t *testing.T) {
	for _, file := range []string{"hello, world", "{\"data\":{}}", "PK\x03\x04", strings.Repeat("\x00", 200), "[2026-11-22] INFO"} {
		if _, err := NewReader(strings.NewReader(file)); !errors.Is(err, ErrUnknown) {
			t.Errorf("%.20q: %v", file, err)
		}
	}
	if n, err := readAll(nil); n != 0 || err != nil {
		t.Errorf("an empty file: %d, %v", n, err)
	}
}

// TestCorrupt holds that damage is an error that tells where, and that a promised
// length takes no memory.
func TestCorrupt(t *testing.T) {
	file := sample(t, "orderer-blockfile_000000.zst")
	ends := recordEnds(file)
	zeros := append(slices.Clone(file[:ends[2]]), make([]byte, 64)...)
	huge := append(slices.Clone(file[:ends[2]]), binary.AppendUvarint(nil, MaxBlockBytes+1)...)
	inner := slices.Clone(file)
	inner[ends[2]+3+1+33+33+1] = 0xff // length of a transaction of block 3
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"zeros":  {zeros, "no length"},
		"huge":   {huge, "limit"},
		"inner":  {inner, "record of"},
		"joined": {slices.Concat(firstBlock(t, file), firstBlock(t, file)), "field 1 twice"},
	} {
		_, err := readAll(c.file)
		var corrupt *CorruptError
		if !errors.As(err, &corrupt) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		} else if name != "joined" && (corrupt.Offset != int64(ends[2]) || corrupt.After != 3) {
			t.Errorf("%s: at %d behind %d blocks, want %d and 3", name, corrupt.Offset, corrupt.After, ends[2])
		}
	}
	promise := append(slices.Clone(file[:ends[2]]), binary.AppendUvarint(nil, MaxBlockBytes)...)
	r, err := NewReader(bytes.NewReader(promise))
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = r.Next()
	}
	if !errors.Is(err, io.EOF) || cap(r.record) > 1<<20 {
		t.Errorf("a promise of %d bytes took %d (%v)", MaxBlockBytes, cap(r.record), err)
	}
}

func firstBlock(t testing.TB, file []byte) []byte {
	blocks, _ := all(t, file)
	return blocks[0]
}

// TestRealLedgers holds that blocks from ledger files are, byte for byte, those that
// the peer's Deliver service has sent.
func TestRealLedgers(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "..", "shared", "data", "fabric-2.5-mvcc-blockfiles")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("the real run fabric-2.5-mvcc-blockfiles is not here")
	}
	peer, _ := all(t, unzstd(t, filepath.Join(dir, "peer-blockfile_000000.zst")))
	orderer, _ := all(t, unzstd(t, filepath.Join(dir, "orderer-blockfile_000000.zst")))
	sent, _ := all(t, unzstd(t, filepath.Join(dir, "ch1.blocks.zst")))
	if len(sent) == 0 || len(peer) < len(sent) || len(orderer) < len(sent) {
		t.Fatalf("%d blocks sent, %d in the peer's ledger, %d in the orderer's", len(sent), len(peer), len(orderer))
	}
	for i := range sent {
		if !bytes.Equal(peer[i], sent[i]) {
			t.Fatalf("block %d from the peer's ledger differs from what the peer sent", i)
		}
		a, errA := fabric.ParseBlock(peer[i])
		b, errB := fabric.ParseBlock(orderer[i])
		if errA != nil || errB != nil || a.HeaderHash() != b.HeaderHash() || a.SumData() != b.SumData() {
			t.Fatalf("block %d differs between peer and orderer (%v, %v)", i, errA, errB)
		}
	}
	t.Logf("%d blocks", len(sent))
}

// FuzzBlockFile: whatever a file holds, a Reader ends with io.EOF or an error, its
// blocks parse, and as a dump they read the same.
func FuzzBlockFile(f *testing.F) {
	file := sample(f, "orderer-blockfile_000000.zst")
	ends := recordEnds(file)
	f.Add(file[:ends[0]])
	f.Add(file[ends[1] : ends[2]+20])
	f.Add(firstBlock(f, file))
	f.Add(dump([][]byte{firstBlock(f, file)}))
	f.Add([]byte("\x80"))
	f.Add(slices.Concat([]byte{77, 7, 32}, make([]byte, 32), []byte{32}, make([]byte, 32), []byte{1, 1, 'x', 5, 0, 0, 1, 0, 0, 0}))
	for _, pack := range packers(f) {
		f.Add(pack(file[:ends[1]]))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		r, err := NewReader(bytes.NewReader(file))
		if err != nil {
			return
		}
		defer r.Close()
		var blocks [][]byte
		total := 0
		for err == nil && total < 4<<20 {
			var b *fabric.Block
			if b, err = r.Next(); err == nil {
				blocks, total = append(blocks, slices.Clone(b.Raw)), total+len(b.Raw)
				b.Writes()
				b.ChannelID()
			}
		}
		if err != nil && r.zip == nil && r.Layout() != Single {
			var corrupt *CorruptError
			if !errors.Is(err, io.EOF) && !errors.As(err, &corrupt) {
				t.Fatalf("error %v", err)
			}
			if errors.Is(err, io.EOF) && r.offset+r.partial != int64(len(file)) {
				t.Fatalf("%d bytes read and %d partial of %d", r.offset, r.partial, len(file))
			}
		}
		again := dump(blocks)
		if len(blocks) == 0 || len(blocks[0]) < minHeader {
			return
		}
		if l, err := detect(again[:min(len(again), headBytes)]); err != nil || l != Dump {
			return // its first header is none that Fabric writes
		}
		n, err := readAll(again)
		if n != len(blocks) || err != nil {
			t.Fatalf("%d of %d blocks read again: %v", n, len(blocks), err)
		}
	})
}

func BenchmarkLedgerFile(b *testing.B) {
	file := sample(b, "peer-blockfile_000000.zst")
	b.SetBytes(int64(len(file)))
	for b.Loop() {
		if n, err := readAll(file); n != 22 || err != nil {
			b.Fatal(fmt.Errorf("%d blocks: %w", n, err))
		}
	}
}
