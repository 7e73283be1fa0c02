package ledger

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/dustin/go-humanize"
)

// DiskBytes returns the bytes that are allocated to the files below dir, which differ from their
// sizes: Badger makes files of 2 GB with holes. Until a ledger has been closed and opened again, it
// may have logs whose contents belong into tables.
func DiskBytes(dir string) (total int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			var info fs.FileInfo
			if info, err = e.Info(); err == nil {
				total += allocatedBytes(info)
			}
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil // an engine has removed it
		}
		return err
	})
	return total, err
}

// A space guards an engine that does not survive a full disk: one that maps files with holes, or
// ends the process. Such an engine writes only while the disk has room for the batch, twice, and
// for its own reserve.
type space struct {
	dir string
	// reserve is what the engine may write beside the batch, in bytes.
	reserve int64
	// free returns the free bytes of a directory's disk, if the system reports them.
	free func(dir string) (bytes uint64, ok bool)
}

// check returns an error if a batch could fill the disk.
func (s space) check(bytes int) error {
	need := uint64(s.reserve) + 2*uint64(bytes)
	if free, ok := s.free(s.dir); ok && free < need {
		return fmt.Errorf("disk full in %s: %s free, %s needed to go on safely: free some, or choose another directory",
			s.dir, humanize.Bytes(free), humanize.Bytes(need))
	}
	return nil
}
