package ledger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/dgraph-io/badger/v4/pb"
	"github.com/dgraph-io/badger/v4/y"
	"google.golang.org/protobuf/proto"
)

// checkBadgerTables reads the end of every table in the directory. Badger reads them in
// goroutines of its own, and a damaged one ends the process there.
func checkBadgerTables(dir string) error {
	names, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := checkBadgerTable(name); err != nil {
			return fmt.Errorf("table %s: %w", filepath.Base(name), err)
		}
	}
	return nil
}

// checkBadgerTable checks what a table ends with: its index, the index's length, a
// checksum of the index, the checksum's length (badger/table: Table.initIndex).
func checkBadgerTable(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	rest := info.Size()
	tail := func(size int64) ([]byte, error) {
		if size <= 0 || size > rest {
			return nil, errors.New("is damaged")
		}
		rest -= size
		b := make([]byte, size)
		_, err := io.ReadFull(io.NewSectionReader(f, rest, size), b)
		return b, err
	}
	counted := func() ([]byte, error) {
		size, err := tail(4)
		if err != nil {
			return nil, err
		}
		return tail(int64(binary.BigEndian.Uint32(size)))
	}
	sum, err := counted()
	if err != nil {
		return err
	}
	var checksum pb.Checksum
	if err := proto.Unmarshal(sum, &checksum); err != nil {
		return err
	}
	index, err := counted()
	if err != nil {
		return err
	}
	return y.VerifyChecksum(index, &checksum)
}
