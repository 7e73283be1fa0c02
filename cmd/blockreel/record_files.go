package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/blockreel/blockreel/internal/outfile"
	"github.com/blockreel/blockreel/recorder/merge"
)

// recordedFiles are what a recording is written to: the trace, by way of a second file if
// there are payloads. The files are there from the start, so that a kill leaves what was
// recorded; what stood in the trace's place stays until something is recorded.
type recordedFiles struct {
	times  *os.File
	blocks *os.File // nil: no payloads
	made   bool     // there was no file at the trace's place
}

// payloadsSuffix is what the name of the second file ends in.
const payloadsSuffix = ".payloads"

// createFiles makes the files before there is anything to record: what cannot be written
// need not be recorded.
func createFiles(output string, payloads bool) (*recordedFiles, error) {
	second := output + payloadsSuffix
	if _, err := os.Lstat(second); err == nil {
		return nil, fmt.Errorf("%s is left of a recording that was killed: join it with \"blockreel merge %s %s -o FILE\", or remove it", second, output, second)
	}
	f := &recordedFiles{}
	_, err := os.Stat(output)
	f.made = errors.Is(err, fs.ErrNotExist)
	if f.times, err = os.OpenFile(output, os.O_RDWR|os.O_CREATE, 0o644); err != nil {
		return nil, err
	}
	if !payloads {
		return f, nil
	}
	// Payloads are somebody's ledger: nobody else reads them.
	if f.blocks, err = os.OpenFile(second, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600); err != nil {
		f.discard()
		return nil, err
	}
	return f, nil
}

// discard leaves everything as it was: nothing has been recorded.
func (f *recordedFiles) discard() {
	f.times.Close()
	if f.made {
		os.Remove(f.times.Name())
	}
	if f.blocks != nil {
		f.blocks.Close()
		os.Remove(f.blocks.Name())
	}
}

// record lets run record; blocks is nil if there are no payloads.
func (f *recordedFiles) record(run func(times, blocks io.Writer) error) error {
	defer f.times.Close()
	if info, err := f.times.Stat(); err != nil {
		return err
	} else if info.Mode().IsRegular() {
		if err := f.times.Truncate(0); err != nil {
			return err
		}
	}
	if f.blocks == nil {
		return errors.Join(run(f.times, nil), f.times.Close())
	}
	defer f.blocks.Close()
	ran := run(f.times, f.blocks)
	for _, file := range []*os.File{f.times, f.blocks} {
		if _, err := file.Seek(0, io.SeekStart); err != nil {
			return errors.Join(ran, err)
		}
	}
	if err := errors.Join(f.times.Chmod(0o600), outfile.WritePrivate(f.times.Name(), func(w io.Writer) error {
		return merge.Files(w, f.times, f.blocks)
	})); err != nil {
		return errors.Join(ran, fmt.Errorf("the payloads stay in %s: %w", f.blocks.Name(), err))
	}
	return errors.Join(ran, os.Remove(f.blocks.Name()))
}
