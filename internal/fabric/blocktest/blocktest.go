// Package blocktest gives tests real Fabric blocks: a small sample that is part of the
// project, and whole runs where they are at hand. Only tests import it.
package blocktest

import (
	"bufio"
	"bytes"
	_ "embed"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// sample holds blocks 0 to 13 of channel ch1 of a Fabric 2.5 network, as its peer
// gave them: the network's configuration, a chaincode's definition, and transfers some of
// which conflict. Each is a uvarint length and a marshalled common.Block.
//
//go:embed sample.blocks.zst
var sample []byte

// maxBlock bounds a record: Fabric's largest message.
const maxBlock = 100 << 20

// Sample gives the blocks of the sample.
func Sample(t testing.TB) [][]byte {
	t.Helper()
	return read(t, bytes.NewReader(sample))
}

// Run gives the blocks of a whole run in ../shared/data, beside the module's root, and
// skips the test where that is absent: such a test has another form with Sample.
func Run(t testing.TB, folder string) [][]byte {
	t.Helper()
	path := filepath.Join(root(t), "..", "shared", "data", folder, "ch1.blocks.zst")
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		t.Skipf("%s is not here: the blocks of a whole Fabric run, which are no part of the project; other tests have its sample", path)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return read(t, f)
}

func root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if parent := filepath.Dir(dir); parent != dir {
			dir = parent
			continue
		}
		t.Fatal("no go.mod above the test")
	}
}

func read(t testing.TB, r io.Reader) [][]byte {
	t.Helper()
	dec, err := zstd.NewReader(r)
	if err != nil {
		t.Fatal(err)
	}
	defer dec.Close()
	in := bufio.NewReader(dec)
	var blocks [][]byte
	for {
		size, err := binary.ReadUvarint(in)
		if errors.Is(err, io.EOF) {
			return blocks
		}
		if err != nil || size > maxBlock {
			t.Fatalf("record %d: %d bytes, %v", len(blocks), size, err)
		}
		block := make([]byte, size)
		if _, err := io.ReadFull(in, block); err != nil {
			t.Fatalf("record %d: %v", len(blocks), err)
		}
		blocks = append(blocks, block)
	}
}
