package replay

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/blockreel/blockreel/analysis"
)

// storage is what a ledger's run has cost the disk; what could not be measured is not
// known.
type storage struct {
	disk, written analysis.Optional[int64]
}

// written returns how many bytes this process has caused to be written to storage so
// far: Linux counts pages as they become dirty, whether by a write or through a mapping,
// and takes back those that are gone before they reach the device.
func written() (int64, bool) {
	stat, err := os.ReadFile("/proc/self/io")
	if err != nil {
		return 0, false
	}
	var counts [2]int64
	for i, name := range []string{"\nwrite_bytes: ", "\ncancelled_write_bytes: "} {
		_, rest, ok := bytes.Cut(stat, []byte(name))
		line, _, _ := bytes.Cut(rest, []byte("\n"))
		if counts[i], err = strconv.ParseInt(string(line), 10, 64); !ok || err != nil {
			return 0, false
		}
	}
	return counts[0] - counts[1], true
}

// writtenSince returns what was written since the counter stood at before, when the
// counter is to be believed: one that has counted less than stands on the disk does
// not see this file system (tmpfs, say).
func writtenSince(before int64, known bool, disk analysis.Optional[int64]) analysis.Optional[int64] {
	now, ok := written()
	stored, measured := disk.Get()
	if !known || !ok || !measured || now-before < stored {
		return analysis.Optional[int64]{}
	}
	return analysis.Known(now - before)
}

// diskUsage returns the space that the files under dir take on the disk; not known where
// there are none, as of a ledger that stores nothing.
func diskUsage(dir string) (analysis.Optional[int64], error) {
	var total int64
	files := 0
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		files++
		total += allocated(info)
		return nil
	})
	if err != nil || files == 0 {
		return analysis.Optional[int64]{}, err
	}
	return analysis.Known(total), nil
}
