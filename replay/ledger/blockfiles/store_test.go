package blockfiles

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/blockreel/blockreel/internal/fabric/blockfile"
	"github.com/blockreel/blockreel/internal/fabric/blocktest"
)

// stored is a block and where it is: the index of these tests.
type stored struct {
	number        uint64
	payload, note []byte
	at            Location
}

func mustOpen(t testing.TB, cfg Config, last Location, found Found) (*Store, int64) {
	t.Helper()
	if found == nil {
		found = func(n uint64, at Location) error { return fmt.Errorf("block %d at %v is unexpected", n, at) }
	}
	s, dropped, err := Open(cfg, last, found)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, dropped
}

// fill appends real blocks, made-up ones and empty ones.
func fill(t testing.TB, s *Store) []stored {
	t.Helper()
	random := rand.NewChaCha8([32]byte{1})
	var all []stored
	put := func(payload []byte) {
		n := uint64(len(all))
		note := fmt.Appendf(nil, "note %d", n)
		at, err := s.Append(n, payload, note)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, stored{n, payload, note, at})
	}
	for _, b := range blocktest.Sample(t) {
		put(b)
		madeUp := make([]byte, len(all)*37)
		random.Read(madeUp)
		put(madeUp)
	}
	put(nil)
	return all
}

func check(t testing.TB, s *Store, all []stored) {
	t.Helper()
	for _, want := range all {
		payload, note, err := s.Read([]byte("before"), want.at)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(payload, append([]byte("before"), want.payload...)) || !bytes.Equal(note, want.note) {
			t.Fatalf("block %d: another payload, or note %q", want.number, note)
		}
	}
}

func TestReadBack(t *testing.T) {
	for _, size := range []int64{0, 1, 20_000} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			cfg := Config{Dir: filepath.Join(t.TempDir(), "chains", "ch1"), fileBytes: size}
			s, _ := mustOpen(t, cfg, Location{}, nil)
			all := fill(t, s)
			check(t, s, all)
			last := all[len(all)-1].at
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s, dropped := mustOpen(t, cfg, last, nil)
			check(t, s, all)
			at, err := s.Append(99, []byte("next"), nil)
			if err != nil || dropped != 0 {
				t.Fatal(err, dropped)
			}
			check(t, s, append(all, stored{99, []byte("next"), nil, at}))
			if size == 1 && int(at.File) != len(all) {
				t.Errorf("files of a byte: block %d is in file %d", len(all), at.File)
			}
		})
	}
}

// TestFilesOfAPeer holds that the files are what a peer's are: our reader of those gives
// the blocks, byte for byte but for the entry of metadata more.
func TestFilesOfAPeer(t *testing.T) {
	cfg := Config{Dir: t.TempDir(), fileBytes: 50_000}
	s, _ := mustOpen(t, cfg, Location{}, nil)
	want := blocktest.Sample(t)
	for i, b := range want {
		if _, err := s.Append(uint64(i), b, []byte("note")); err != nil {
			t.Fatal(err)
		}
	}
	paths, err := filepath.Glob(filepath.Join(cfg.Dir, "blockfile_*"))
	if err != nil || len(paths) < 2 {
		t.Fatalf("%d files, %v", len(paths), err)
	}
	n := 0
	for _, path := range paths {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		r, err := blockfile.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		for ; ; n++ {
			b, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			record, err := blockfile.AppendRecord(nil, b.Raw, 0)
			if err != nil {
				t.Fatal(err)
			}
			plain, err := blockfile.ParseRecord(record)
			if err != nil {
				t.Fatal(err)
			}
			if entry := plain.CutMetadata(); !bytes.Contains(entry, []byte("note")) || !bytes.Equal(plain.AppendBlock(nil), want[n]) {
				t.Fatalf("block %d differs", n)
			}
		}
		if r.Layout() != blockfile.Ledger || r.Partial() != 0 {
			t.Errorf("%s: %v, %d bytes of a partial record", path, r.Layout(), r.Partial())
		}
		f.Close()
	}
	if n != len(want) {
		t.Errorf("%d of %d blocks", n, len(want))
	}
}

// recovered opens with an index of the first known blocks and gives the whole index.
func recovered(t testing.TB, cfg Config, all []stored, known int) ([]stored, *Store, int64) {
	t.Helper()
	index := slices.Clone(all[:known])
	var last Location
	if known > 0 {
		last = all[known-1].at
	}
	s, dropped := mustOpen(t, cfg, last, func(n uint64, at Location) error {
		index = append(index, stored{n, all[n].payload, all[n].note, at})
		return nil
	})
	return index, s, dropped
}

// TestCutAnywhere holds that files that end at any byte of the last block, as a crash leaves
// them, open with all blocks before it, whatever of them the index knows, and go on.
func TestCutAnywhere(t *testing.T) {
	for _, fileBytes := range []int64{0, 1} {
		cfg := Config{Dir: t.TempDir(), fileBytes: fileBytes}
		s, _ := mustOpen(t, cfg, Location{}, nil)
		all := fill(t, s)[:7]
		cut := all[6]
		path := s.path(cut.at.File)
		file, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
		removeAfter(t, s, cut.at.File)
		record := file[cut.at.Offset : cut.at.Offset+cut.at.Length]
		for n := 0; n < len(record); n += 1 + n/3 {
			zeros := make([]byte, len(record)-n)
			for name, tail := range map[string][]byte{"cut": nil, "zeros": zeros, "garbage": bytes.Repeat([]byte{0xa5}, 40)} {
				if name == "zeros" && bytes.Equal(record[n:], zeros) {
					continue
				}
				head := slices.Concat(file[:cut.at.Offset], record[:n], tail)
				if err := os.WriteFile(path, head, 0o666); err != nil {
					t.Fatal(err)
				}
				for _, known := range []int{0, 6} {
					index, s, dropped := recovered(t, cfg, all, known)
					if len(index) != 6 || (known == 0 && dropped != int64(n+len(tail))) {
						t.Fatalf("%s at %d: %d blocks, %d bytes dropped", name, n, len(index), dropped)
					}
					check(t, s, index)
					at, err := s.Append(6, cut.payload, cut.note)
					if err != nil || at != cut.at {
						t.Fatalf("%s at %d: again at %v, not %v (%v)", name, n, at, cut.at, err)
					}
					check(t, s, all[:7])
					s.Close()
					if err := os.WriteFile(path, head, 0o666); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
	}
}

func removeAfter(t testing.TB, s *Store, file uint32) {
	t.Helper()
	newest, _, err := s.newest()
	if err != nil {
		t.Fatal(err)
	}
	for n := file + 1; n <= newest; n++ {
		if err := os.Remove(s.path(n)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestEmptyNextFile holds that a crash right after a file was begun is none.
func TestEmptyNextFile(t *testing.T) {
	cfg := Config{Dir: t.TempDir()}
	s, _ := mustOpen(t, cfg, Location{}, nil)
	all := fill(t, s)
	if err := s.begin(1); err != nil {
		t.Fatal(err)
	}
	s.Close()
	index, s, _ := recovered(t, cfg, all, 5)
	check(t, s, index)
	if at, err := s.Append(uint64(len(all)), nil, nil); err != nil || at.File != 1 || at.Offset != 0 {
		t.Errorf("%v, %v", at, err)
	}
}

// TestDamage holds that files which no crash leaves are refused, and nothing is cut off.
func TestDamage(t *testing.T) {
	for name, c := range map[string]struct {
		harm  func(t *testing.T, s *Store, all []stored) Location
		noise string
	}{
		"files are gone": {func(t *testing.T, s *Store, all []stored) Location {
			removeAfter(t, s, 0)
			os.Remove(s.path(0))
			return all[3].at
		}, "missing"},
		"a file in the middle is gone": {func(t *testing.T, s *Store, all []stored) Location {
			os.Remove(s.path(1))
			return Location{}
		}, "blockfile_000001"},
		"cut below the index": {func(t *testing.T, s *Store, all []stored) Location {
			at := all[2].at
			removeAfter(t, s, at.File)
			os.Truncate(s.path(at.File), int64(at.Offset+at.Length-1))
			return at
		}, "truncated"},
		"a bit in a file that is not the last": {func(t *testing.T, s *Store, all []stored) Location {
			flip(t, s, all[0].at)
			return Location{}
		}, "damaged"},
		"a bit before another block": {func(t *testing.T, s *Store, all []stored) Location {
			flip(t, s, all[len(all)-3].at)
			return Location{}
		}, "is damaged: its checksum is wrong"},
		"the index refuses": {func(_ *testing.T, _ *Store, all []stored) Location {
			return all[len(all)-2].at
		}, "refused"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := Config{Dir: t.TempDir(), fileBytes: 60_000}
			s, _ := mustOpen(t, cfg, Location{}, nil)
			all := fill(t, s)
			s.Close()
			last := c.harm(t, s, all)
			before := sizes(t, cfg.Dir)
			_, _, err := Open(cfg, last, func(n uint64, _ Location) error {
				if c.noise == "refused" {
					return errors.New("refused")
				}
				return nil
			})
			if err == nil || !strings.Contains(err.Error(), c.noise) {
				t.Errorf("error %v, want one with %q", err, c.noise)
			}
			if after := sizes(t, cfg.Dir); after != before {
				t.Errorf("files changed: %s, were %s", after, before)
			}
		})
	}
}

func flip(t testing.TB, s *Store, at Location) {
	t.Helper()
	f, err := os.OpenFile(s.path(at.File), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var b [1]byte
	where := int64(at.Offset + at.Length/2)
	f.ReadAt(b[:], where)
	b[0] ^= 1
	if _, err := f.WriteAt(b[:], where); err != nil {
		t.Fatal(err)
	}
}

func sizes(t testing.TB, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&out, "%s:%d ", e.Name(), info.Size())
	}
	return out.String()
}

// TestReadDamage holds that Read gives a block as it was written, or an error.
func TestReadDamage(t *testing.T) {
	cfg := Config{Dir: t.TempDir()}
	s, _ := mustOpen(t, cfg, Location{}, nil)
	all := fill(t, s)
	at := all[4].at
	for name, bad := range map[string]Location{
		"shorter": {at.File, at.Offset, at.Length - 1}, "longer": {at.File, at.Offset, at.Length + 1},
		"within": {at.File, at.Offset + 1, at.Length}, "end": {at.File, at.Offset + 1<<30, 9},
		"huge": {at.File, at.Offset, MaxRecordBytes + 1}, "nothing": {at.File, at.Offset, 0}, "file": {7, 0, 9},
	} {
		if payload, _, err := s.Read([]byte("x"), bad); err == nil || string(payload) != "x" {
			t.Errorf("%s: %d bytes, %v", name, len(payload), err)
		}
	}
	flip(t, s, at)
	if _, _, err := s.Read(nil, at); err == nil || !strings.Contains(err.Error(), "blockfile_000000: block at byte") {
		t.Errorf("a flipped bit: %v", err)
	}
	s.Close()
	if _, _, err := s.Read(nil, all[0].at); !errors.Is(err, errClosed) {
		t.Errorf("closed: %v", err)
	}
	if _, err := s.Append(0, nil, nil); !errors.Is(err, errClosed) {
		t.Errorf("closed: %v", err)
	}
}

// TestFailedWrite holds that a Store whose file cannot be written takes no more.
func TestFailedWrite(t *testing.T) {
	s, _ := mustOpen(t, Config{Dir: t.TempDir()}, Location{}, nil)
	fill(t, s)
	s.file.Close()
	for range 2 {
		if _, err := s.Append(1, []byte("lost"), nil); !errors.Is(err, os.ErrClosed) {
			t.Errorf("%v", err)
		}
	}
	if s.failed == nil {
		t.Error("the Store still takes blocks")
	}
}

func TestLargePayload(t *testing.T) {
	s, _ := mustOpen(t, Config{Dir: t.TempDir(), NoSync: true}, Location{}, nil)
	large := bytes.Repeat([]byte("0123456789abcdef"), blockfile.MaxBlockBytes/16)
	at, err := s.Append(0, large, nil)
	if err != nil {
		t.Fatal(err)
	}
	next, err := s.Append(1, []byte("after"), nil)
	if err != nil || next.File != 1 {
		t.Fatalf("%v, %v", next, err)
	}
	if got, _, err := s.Read(nil, at); err != nil || !bytes.Equal(got, large) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if cap(s.room) > keepRoom {
		t.Errorf("%d bytes are kept", cap(s.room))
	}
	if _, err := s.Append(2, make([]byte, MaxRecordBytes), nil); err == nil {
		t.Error("no error for a payload beyond the limit")
	}
	check(t, s, []stored{{0, large, nil, at}, {1, []byte("after"), nil, next}})
}

func TestConfig(t *testing.T) {
	for _, cfg := range []Config{{}} {
		if _, _, err := Open(cfg, Location{}, nil); err == nil {
			t.Errorf("%+v is taken", cfg)
		}
	}
}

func TestLocation(t *testing.T) {
	a, b := Location{1, 2, 3}, Location{1, 256, 1}
	for _, l := range []Location{{}, a, b} {
		if got, err := ParseLocation(l.Append(nil)); err != nil || got != l {
			t.Errorf("%v became %v (%v)", l, got, err)
		}
	}
	if bytes.Compare(a.Append(nil), b.Append(nil)) >= 0 {
		t.Error("locations are out of order")
	}
	if _, err := ParseLocation([]byte("short")); err == nil {
		t.Error("no error for five bytes")
	}
}

// FuzzRecover: whatever stands in the last file, Open ends, and what it finds can be read.
func FuzzRecover(f *testing.F) {
	var file []byte
	for i, b := range blocktest.Sample(f)[:3] {
		record := appendRecord(nil, uint64(i), b, []byte("n"))
		file = append(binary.AppendUvarint(file, uint64(len(record))), record...)
	}
	record := appendRecord(nil, 3, []byte("made up"), nil)
	file = append(binary.AppendUvarint(file, uint64(len(record))), record...)
	f.Add(file)
	f.Add(file[:len(file)-9])
	f.Add([]byte{0})
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, file []byte) {
		cfg := Config{Dir: filepath.Join(dir, fmt.Sprint(os.Getpid())), NoSync: true}
		os.MkdirAll(cfg.Dir, 0o777)
		if err := os.WriteFile(filepath.Join(cfg.Dir, "blockfile_000000"), file, 0o666); err != nil {
			t.Fatal(err)
		}
		var at []Location
		s, dropped, err := Open(cfg, Location{}, func(_ uint64, l Location) error {
			at = append(at, l)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if s.size+dropped != int64(len(file)) {
			t.Fatalf("%d bytes kept and %d dropped of %d", s.size, dropped, len(file))
		}
		for _, l := range at {
			if _, _, err := s.Read(nil, l); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	blocks := blocktest.Sample(b)
	for _, noSync := range []bool{false, true} {
		b.Run(fmt.Sprintf("sync=%v", !noSync), func(b *testing.B) {
			s, _ := mustOpen(b, Config{Dir: b.TempDir(), NoSync: noSync}, Location{}, nil)
			var n int
			for b.Loop() {
				block := blocks[n%len(blocks)]
				if _, err := s.Append(uint64(n), block, []byte("note")); err != nil {
					b.Fatal(err)
				}
				b.SetBytes(int64(len(block)))
				n++
			}
		})
	}
}
