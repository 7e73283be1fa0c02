package replay

import (
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/blockreel/blockreel/analysis"
)

// storage is what a ledger's run has cost the disk; what could not be measured is not
// known.
type storage struct {
	disk, written analysis.Optional[int64]
	// missing says why written is not known.
	missing string
}

// mostKept is how many blocks a run into a real ledger may have for what it tells of them to be kept on
// the heap, a hundred bytes or so each. That of more lies on the disk, and would count as written.
const mostKept = 1 << 18

// meter measures what is written below a directory.
type meter struct {
	before int64
	known  bool
}

// newMeter makes a meter for a run of so many blocks.
func newMeter(dir string, blocks int) meter {
	before, ok := written()
	return meter{before, ok && counts(dir) && blocks <= mostKept}
}

// written is what was written since the meter was made; not known where that is not
// counted.
func (m meter) written() analysis.Optional[int64] {
	now, ok := written()
	if !ok || !m.known || now <= m.before {
		return analysis.Optional[int64]{}
	}
	return analysis.Known(now - m.before)
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
