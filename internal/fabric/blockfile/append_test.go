package blockfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/blockreel/blockreel/internal/fabric/blocktest"
)

// TestAppendRecord holds that records made of a ledger file's blocks are that file's.
func TestAppendRecord(t *testing.T) {
	for _, name := range []string{"peer-blockfile_000000.zst", "orderer-blockfile_000000.zst"} {
		file := sample(t, name)
		blocks, r := all(t, file)
		var again []byte
		for i, block := range blocks {
			record, err := AppendRecord(nil, block, 0)
			if err != nil {
				t.Fatalf("%s: block %d: %v", name, i, err)
			}
			again = AppendEntry(again, record)
		}
		if whole := file[:int64(len(file))-r.Partial()]; !bytes.Equal(again, whole) {
			t.Errorf("%s: %d bytes of records, not the %d of the file", name, len(again), len(whole))
		}
	}
}

// TestMoreMetadata holds that an entry more of metadata can be taken away again.
func TestMoreMetadata(t *testing.T) {
	for i, block := range blocktest.Sample(t) {
		for _, note := range [][]byte{nil, []byte("note"), bytes.Repeat([]byte{7}, 300)} {
			record, err := AppendRecord([]byte("before"), block, 1)
			if err != nil {
				t.Fatal(err)
			}
			record = AppendEntry(record, note)[len("before"):]
			r, err := ParseRecord(record)
			if err != nil {
				t.Fatal(err)
			}
			if with := r.AppendBlock(nil); len(with) <= len(block)+len(note) {
				t.Errorf("block %d: the entry is not in its metadata", i)
			}
			if got := r.CutMetadata(); !bytes.Equal(got, note) || !bytes.Equal(r.AppendBlock(nil), block) {
				t.Errorf("block %d: entry %q, want %q, or another block", i, got, note)
			}
		}
	}
}

func TestCutMetadataOfNone(t *testing.T) {
	r := Record{Number: 1}
	if got := r.CutMetadata(); got != nil {
		t.Errorf("%q", got)
	}
	if _, ok := r.SoleTransaction(); ok {
		t.Error("a transaction of a block without any")
	}
}

// TestForm holds that AppendRecord refuses what a record would not give back.
func TestForm(t *testing.T) {
	block := blocktest.Sample(t)[3]
	header, rest := splitField(t, block)
	data, metadata := splitField(t, rest)
	padded := slices.Concat([]byte{block[0], block[1] | 0x80, 0}, block[2:])
	for name, b := range map[string][]byte{
		"empty":            nil,
		"random":           []byte("made up for a trace"),
		"no metadata":      block[:len(block)-len(metadata)],
		"order":            slices.Concat(header, metadata, data),
		"unknown field":    append(slices.Clone(block), protowire.AppendVarint(protowire.AppendTag(nil, 9, protowire.VarintType), 1)...),
		"long number":      padded,
		"number zero":      slices.Concat([]byte{0x0a, 2, 8, 0}, data, metadata),
		"short hash":       slices.Concat([]byte{0x0a, 3, 0x1a, 1, 7}, data, metadata),
		"cut":              block[:len(block)-1],
		"field in data":    slices.Concat(header, []byte{0x12, 2, 0x12, 0}, metadata),
		"field in header":  slices.Concat([]byte{0x0a, 2, 0x20, 1}, data, metadata),
		"length of length": slices.Concat(header, binary.AppendUvarint([]byte{0x12}, 1<<60), metadata),
	} {
		if got, err := AppendRecord([]byte("x"), b, 0); !errors.Is(err, ErrForm) || string(got) != "x" {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
}

// splitField gives the first field and what follows.
func splitField(t testing.TB, b []byte) (field, rest []byte) {
	_, _, n := protowire.ConsumeField(b)
	if n < 0 {
		t.Fatal(protowire.ParseError(n))
	}
	return b[:n], b[n:]
}

// FuzzRecord: whatever has a record comes back byte for byte.
func FuzzRecord(f *testing.F) {
	for _, block := range blocktest.Sample(f)[:4] {
		f.Add(block)
	}
	f.Add([]byte{0x0a, 2, 8, 1, 0x12, 0, 0x1a, 2, 0x0a, 0})
	f.Fuzz(func(t *testing.T, block []byte) {
		record, err := AppendRecord(nil, block, 0)
		if err != nil {
			return
		}
		r, err := ParseRecord(record)
		if err != nil {
			t.Fatal(err)
		}
		if again := r.AppendBlock(nil); !bytes.Equal(again, block) {
			t.Fatalf("%x became %x", block, again)
		}
	})
}
