package ledger

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	bolterrors "go.etcd.io/bbolt/errors"
)

var (
	errInUse    = errors.New("it is in use by another process")
	errReadOnly = errors.New("the ledger is read-only")
	// errUnfinished: a commit must be completed, which a reader cannot do.
	errUnfinished = errors.New("its last commit was interrupted: it cannot be opened read-only; open a copy for writing")
)

// Holds returns the name of the backend whose ledger is in a directory; empty if there is none.
func Holds(dir string) string {
	name := ""
	for _, b := range backends {
		if b.marker == "" {
			continue
		}
		if found, _ := fs.Glob(os.DirFS(dir), b.marker); len(found) > 0 && name != couchDBBackend.Name {
			name = b.Name // couchdb has leveldb's files too
		}
	}
	return name
}

// expect refuses a directory with another backend's ledger.
func expect(b Backend, cfg Config) error {
	found := Holds(cfg.Dir)
	switch {
	case found == "" || found == b.Name:
		return nil
	case b.Name == couchDBBackend.Name && found == levelDBBackend.Name && !cfg.Existing:
		return nil // perhaps made, and broken off before it was couchdb's: home looks
	}
	return otherBackend(found, b.Name)
}

func otherBackend(found, wanted string) error {
	return fmt.Errorf("the directory has a ledger of %s, not of %s", found, wanted)
}

// plain replaces the engines' errors for a locked directory.
func plain(err error) error {
	if errors.Is(err, syscall.EAGAIN) || errors.Is(err, bolterrors.ErrTimeout) {
		return errInUse
	}
	return err
}
