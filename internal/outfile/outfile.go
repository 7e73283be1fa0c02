// Package outfile writes the files that a command was asked for: whole or not at all. Its other
// file, dir.go, makes directories that are there after a crash.
package outfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Write lets write fill the file at path. It writes to a temporary file beside it and
// renames that: after an error there is no file, or still the one that was there
// before. A symbolic link keeps standing and what it points to is replaced; a device
// or a pipe is written to as it is. The error names path.
func Write(path string, write func(io.Writer) error) error {
	return named(path, 0o644, write)
}

// WritePrivate is Write for what nobody but the owner shall read.
func WritePrivate(path string, write func(io.Writer) error) error {
	return named(path, 0o600, write)
}

func named(path string, mode fs.FileMode, write func(io.Writer) error) error {
	if err := replace(path, mode, write); err != nil {
		var of *fs.PathError
		if errors.As(err, &of) {
			err = of.Err // it names the temporary file
		}
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

func replace(path string, mode fs.FileMode, write func(io.Writer) error) (err error) {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
		info, err := os.Stat(path)
		switch {
		case err != nil:
			return err
		case info.IsDir():
			return errors.New("it is a directory")
		case !info.Mode().IsRegular():
			return inPlace(path, write)
		}
		mode = info.Mode().Perm()
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.tmp")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if err := write(f); err != nil {
		return err
	}
	if err := f.Chmod(mode); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func inPlace(path string, write func(io.Writer) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}
