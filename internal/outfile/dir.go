package outfile

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
)

// MakeDir makes a directory with those above it, and returns when they are on the disk.
func MakeDir(path string) error {
	var above []string // of each that is missing the one in which it will be
	for path := filepath.Clean(path); ; path = filepath.Dir(path) {
		if _, err := os.Stat(path); err == nil || path == filepath.Dir(path) {
			break
		}
		above = append(above, filepath.Dir(path))
	}
	if err := os.MkdirAll(path, 0o755); err != nil {
		return err
	}
	for _, dir := range above {
		if err := SyncDir(dir); err != nil {
			return err
		}
	}
	return nil
}

// SyncDir returns when a directory's names are on the disk: those of files made, renamed or
// removed there. Windows sees to that by itself.
func SyncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
