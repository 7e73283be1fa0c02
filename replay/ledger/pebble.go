package ledger

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
)

var pebbleBackend = Backend{
	Name: "pebble",
	Options: []Option{
		{Name: "sync", Kind: Bool, Default: "true", About: "false: commits do not wait for the disk"},
		{Name: "compression", Kind: Choice, Default: "snappy", Values: []string{"none", "snappy", "zstd"}, About: "of tables"},
		{Name: "memtable", Kind: Size, Default: "16MB", Min: 1 << 20, Max: 1 << 30, About: "size at which a table is flushed"},
		{Name: "cache", Kind: Size, Default: "32MB", Min: 1 << 20, Max: 4 << 30, About: "for blocks of tables"},
	},
	About:      "Pebble v2, every block one batch",
	Durability: whenSynced,
	Timing:     oneWrite,
	marker:     "marker.manifest.*",
	open:       openPebble,
	volatile:   func(o options) bool { return !o.bool("sync") },
}

// pebbleBlobSize is the size from which a value is stored apart from its key, so that compactions
// do not copy blocks.
const pebbleBlobSize = 2 << 10

// pebbleStore stores a ledger in Pebble. A write is one batch: one write to the log with one sync.
type pebbleStore struct {
	db    *pebble.DB
	space space // a manifest that cannot be written ends the process
	// background has the first error of a flush or a compaction, which Pebble repeats.
	background atomic.Pointer[error]
}

// pebbleReserve is how many memtables of room on the disk Pebble needs for flushes.
const pebbleReserve = pebbleMemTables

const pebbleMemTables = 4

func openPebble(_ context.Context, cfg Config, o options) (store, error) {
	compression := map[string]*sstable.CompressionProfile{
		"none": sstable.NoCompression, "snappy": sstable.SnappyCompression, "zstd": sstable.ZstdCompression,
	}[o.text("compression")]
	var fs vfs.FS = pebbleFS{vfs.Default, !o.bool("sync")}
	s := &pebbleStore{space: space{cfg.Dir, pebbleReserve * o.size("memtable"), freeBytes}}
	if cfg.ReadOnly {
		fs = readFS{fs}
	} else if err := s.space.check(0); err != nil {
		return nil, err
	}
	p := &pebble.Options{
		FS:                          fs,
		ReadOnly:                    cfg.ReadOnly,
		ErrorIfNotExists:            cfg.ReadOnly,
		FormatMajorVersion:          pebble.FormatValueSeparation,
		MemTableSize:                uint64(o.size("memtable")),
		MemTableStopWritesThreshold: pebbleMemTables,
		CacheSize:                   o.size("cache"),
		Logger:                      pebbleLog{},
		EventListener: &pebble.EventListener{
			BackgroundError: func(err error) { s.background.CompareAndSwap(nil, &err) },
		},
	}
	for i := range p.Levels {
		p.Levels[i].Compression = func() *sstable.CompressionProfile { return compression }
	}
	p.Experimental.ValueSeparationPolicy = func() pebble.ValueSeparationPolicy {
		return pebble.ValueSeparationPolicy{
			Enabled: true, MinimumSize: pebbleBlobSize, MaxBlobReferenceDepth: 10,
			RewriteMinimumAge: time.Minute, TargetGarbageRatio: 0.5,
		}
	}
	var err error
	if s.db, err = pebble.Open(cfg.Dir, p); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *pebbleStore) read(_ context.Context, t table, keys [][]byte, each func(int, []byte)) error {
	var room []byte
	for i, key := range keys {
		room = prefixed(room[:0], t, key)
		value, done, err := s.db.Get(room)
		if errors.Is(err, pebble.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		each(i, value)
		if err := done.Close(); err != nil {
			return err
		}
	}
	return nil
}

func (s *pebbleStore) scan(_ context.Context, t table, from, to []byte, each func(key, value []byte) bool) (err error) {
	upper := []byte{t.prefix() + 1}
	if to != nil {
		upper = prefixed(nil, t, to)
	}
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: prefixed(nil, t, from), UpperBound: upper})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for ok := it.First(); ok; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		if !each(it.Key()[1:], value) {
			return nil
		}
	}
	return it.Error()
}

func (s *pebbleStore) write(_ context.Context, b *batch) (err error) {
	if err := s.background.Load(); err != nil {
		return *err
	}
	if err := s.space.check(len(b.data)); err != nil {
		return err
	}
	// Pebble calls Fatalf, in this goroutine, if it cannot write its log.
	defer func() {
		switch fatal := recover().(type) {
		case nil:
		case pebbleError:
			err = fatal
		default:
			panic(fatal)
		}
	}()
	p := s.db.NewBatchWithSize(len(b.data) + len(b.data)/8)
	defer p.Close() // has nothing to say that Commit has not said
	for _, e := range b.all() {
		var err error
		if e.deleted {
			err = p.Delete(e.prefixed, nil)
		} else {
			err = p.Set(e.prefixed, e.value, nil)
		}
		if err != nil {
			return err
		}
	}
	// With sync=false too, or the batch may stay in Pebble's own memory: pebbleFS leaves out the
	// sync.
	return p.Commit(pebble.Sync)
}

func (s *pebbleStore) close() error { return s.db.Close() }

// pebbleFS does not preallocate logs, which take some 100 MB for a ledger of any length. If
// unsynced, it leaves out every sync.
type pebbleFS struct {
	vfs.FS
	unsynced bool
}

func (fs pebbleFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return fs.file(fs.FS.Create(name, c))
}

func (fs pebbleFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	return fs.file(fs.FS.OpenReadWrite(name, c, o...))
}

func (fs pebbleFS) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return fs.file(fs.FS.ReuseForWrite(from, to, c))
}

func (fs pebbleFS) OpenDir(name string) (vfs.File, error) { return fs.file(fs.FS.OpenDir(name)) }

func (fs pebbleFS) file(f vfs.File, err error) (vfs.File, error) {
	switch {
	case err != nil:
		return nil, err
	case fs.unsynced:
		return unsyncedFile{pebbleFile{f}}, nil
	}
	return pebbleFile{f}, nil
}

type pebbleFile struct{ vfs.File }

func (pebbleFile) Preallocate(int64, int64) error { return nil }

type unsyncedFile struct{ vfs.File }

func (unsyncedFile) Sync() error                { return nil }
func (unsyncedFile) SyncData() error            { return nil }
func (unsyncedFile) SyncTo(int64) (bool, error) { return true, nil }

// readFS does without a lock in a directory that cannot be written.
type readFS struct{ vfs.FS }

func (fs readFS) Lock(name string) (io.Closer, error) {
	lock, err := fs.FS.Lock(name)
	if path := (*os.PathError)(nil); errors.As(err, &path) {
		return io.NopCloser(nil), nil
	}
	return lock, err
}

// pebbleLog drops Pebble's messages and turns fatal ones into panics.
type pebbleLog struct{}

func (pebbleLog) Infof(string, ...any)  {}
func (pebbleLog) Errorf(string, ...any) {}

// Fatalf must not return.
func (pebbleLog) Fatalf(format string, args ...any) {
	panic(pebbleError{fmt.Errorf(format, args...)})
}

// pebbleError is an error after which Pebble can only be closed.
type pebbleError struct{ error }

func (f pebbleError) Unwrap() error { return f.error }
