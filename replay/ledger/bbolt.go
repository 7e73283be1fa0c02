package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	bolt "go.etcd.io/bbolt"
)

var bboltBackend = Backend{
	Name: "bbolt",
	Options: []Option{
		{Name: "sync", Kind: Bool, Default: "true", About: "false: commits do not wait for the disk"},
		{Name: "fill", Kind: Count, Default: "50", Min: 10, Max: 100, About: "percent of a page of index, state or history that a split leaves filled"},
	},
	About:      "bbolt, a B+ tree in one file, every block one transaction",
	Durability: whenSynced,
	Timing:     oneWrite,
	Limits:     "keys of at most 32000 bytes; the file does not shrink; free space in it is used again",
	marker:     bboltFile,
	maxKey:     32_000, // bolt.MaxKeySize: 32768
	open:       openBbolt,
	volatile:   func(o options) bool { return !o.bool("sync") },
}

// bboltStore stores a ledger in bbolt, a bucket for each table, a transaction for each batch. bbolt
// has no cache but the operating system's.
type bboltStore struct {
	db   *bolt.DB
	fill [tables]float64
}

const bboltFile = "ledger.db"

func openBbolt(_ context.Context, cfg Config, o options) (store, error) {
	path := filepath.Join(cfg.Dir, bboltFile)
	// bbolt would begin a new ledger in an empty file.
	info, err := os.Stat(path)
	if err == nil && info.Size() == 0 {
		return nil, fmt.Errorf("%s is empty: it is damaged", path)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	s := &bboltStore{}
	for t := range s.fill {
		s.fill[t] = float64(o.count("fill")) / 100
	}
	s.fill[blockTable] = 1 // appended to only
	err = guardPages(func() error {
		s.db, err = bolt.Open(path, 0o644, &bolt.Options{
			// Long enough for a process that is just closing it.
			Timeout:      200 * time.Millisecond,
			NoSync:       !o.bool("sync"),
			NoGrowSync:   !o.bool("sync"),
			FreelistType: bolt.FreelistMapType,
			ReadOnly:     cfg.ReadOnly,
		})
		if err != nil || cfg.ReadOnly {
			return err
		}
		return s.db.Update(func(tx *bolt.Tx) error {
			for t := range table(tables) {
				if _, err := tx.CreateBucketIfNotExists([]byte(t.String())); err != nil {
					return err
				}
			}
			return nil
		})
	})
	if err != nil && s.db != nil {
		err = errors.Join(err, s.close())
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// guardPages returns an error for a damaged page: bbolt panics, or reads beyond the end of the
// file.
func guardPages(use func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("bbolt: a page is damaged: %v", r)
		}
	}()
	return use()
}

func (s *bboltStore) view(t table, use func(*bolt.Bucket) error) error {
	return guardPages(func() error {
		return s.db.View(func(tx *bolt.Tx) error {
			bucket := tx.Bucket([]byte(t.String()))
			if bucket == nil {
				return fmt.Errorf("bbolt: the bucket of %s is gone", t)
			}
			return use(bucket)
		})
	})
}

func (s *bboltStore) read(_ context.Context, t table, keys [][]byte, each func(int, []byte)) error {
	return s.view(t, func(bucket *bolt.Bucket) error {
		for i, key := range keys {
			if value := bucket.Get(key); value != nil {
				each(i, value)
			}
		}
		return nil
	})
}

func (s *bboltStore) scan(_ context.Context, t table, from, to []byte, each func(key, value []byte) bool) error {
	return s.view(t, func(bucket *bolt.Bucket) error {
		c := bucket.Cursor()
		for k, v := c.Seek(from); k != nil && (to == nil || bytes.Compare(k, to) < 0); k, v = c.Next() {
			if !each(k, v) {
				break
			}
		}
		return nil
	})
}

func (s *bboltStore) write(_ context.Context, b *batch) error {
	return guardPages(func() error {
		return s.db.Update(func(tx *bolt.Tx) error {
			for t := range table(tables) {
				bucket := tx.Bucket([]byte(t.String()))
				bucket.FillPercent = s.fill[t]
				for e := range b.entries(t) {
					var err error
					if e.deleted {
						err = bucket.Delete(e.key)
					} else {
						err = bucket.Put(e.key, e.value)
					}
					if err != nil {
						return err
					}
				}
			}
			return nil
		})
	})
}

func (s *bboltStore) close() error { return s.db.Close() }
