package ledger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/pb"
	badgertable "github.com/dgraph-io/badger/v4/table"
	"github.com/dgraph-io/badger/v4/y"
	"google.golang.org/protobuf/proto"
)

// checkBadgerTables checks the end of every table in the manifest. Badger reads tables in
// goroutines, where a damaged one ends the process. It removes other tables, which a crash left.
func checkBadgerTables(o badger.Options) error {
	f, err := os.Open(filepath.Join(o.Dir, badger.ManifestFilename))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	manifest, _, err := badger.ReplayManifestFile(f, o.ExternalMagicVersion, o)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("manifest: %w", err)
	}
	for _, id := range slices.Sorted(maps.Keys(manifest.Tables)) {
		name := badgertable.NewFilename(id, o.Dir)
		if err := checkBadgerTable(name); err != nil {
			return fmt.Errorf("table %s: %w", filepath.Base(name), err)
		}
	}
	return nil
}

// checkBadgerTable checks the end of a table: its index, the index's length, a checksum of the
// index, the checksum's length (badger/table: Table.initIndex).
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
