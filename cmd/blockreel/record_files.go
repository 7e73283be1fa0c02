package main

import (
	"errors"
	"io"
	"io/fs"
	"os"
)

// recordedFile is the trace that a recording is written to. It is there from the start, so
// that a kill leaves what was recorded. A file that was there before stays until something
// is recorded.
type recordedFile struct {
	*os.File
	private bool
	made    bool // there was no file before
}

// createFile makes the file before there is anything to record, so that nothing is recorded
// that cannot be written. Payloads are somebody's ledger: a private file is for its owner
// alone.
func createFile(output string, private bool) (*recordedFile, error) {
	_, err := os.Stat(output)
	f := &recordedFile{private: private, made: errors.Is(err, fs.ErrNotExist)}
	mode := fs.FileMode(0o644)
	if private {
		mode = 0o600
	}
	f.File, err = os.OpenFile(output, os.O_RDWR|os.O_CREATE, mode)
	return f, err
}

// discard leaves everything as it was: nothing has been recorded.
func (f *recordedFile) discard() {
	f.Close()
	if f.made {
		os.Remove(f.Name())
	}
}

// record lets run record to the file.
func (f *recordedFile) record(run func(io.Writer) error) error {
	defer f.Close()
	info, err := f.Stat()
	if err == nil && info.Mode().IsRegular() {
		err = f.Truncate(0)
		if f.private {
			err = errors.Join(err, f.Chmod(0o600))
		}
	}
	if err != nil {
		return err
	}
	return errors.Join(run(f), f.Close())
}
