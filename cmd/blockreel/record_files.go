package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/blockreel/blockreel/internal/outfile"
	"github.com/blockreel/blockreel/recorder/merge"
)

// recordFiles lets run record into output, by way of a second file if there are
// payloads; blocks is nil if there are none. The files are there from the start, so that
// a kill leaves what was recorded.
func recordFiles(output string, payloads bool, run func(times, blocks io.Writer) error) error {
	second := output + ".payloads"
	if _, err := os.Lstat(second); err == nil {
		return fmt.Errorf("%s is left of a recording that was killed: join it with \"blockreel merge %s %s -o FILE\", or remove it", second, output, second)
	}
	times, err := os.OpenFile(output, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	defer times.Close()
	if !payloads {
		return errors.Join(run(times, nil), times.Close())
	}
	// Payloads are somebody's ledger: nobody else reads them.
	blocks, err := os.OpenFile(second, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer blocks.Close()
	ran := run(times, blocks)
	for _, f := range []*os.File{times, blocks} {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return errors.Join(ran, err)
		}
	}
	if err := errors.Join(times.Chmod(0o600), outfile.WritePrivate(output, func(w io.Writer) error {
		return merge.Files(w, times, blocks)
	})); err != nil {
		return errors.Join(ran, fmt.Errorf("the payloads stay in %s: %w", blocks.Name(), err))
	}
	return errors.Join(ran, os.Remove(blocks.Name()))
}
