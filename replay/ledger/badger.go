package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/dgraph-io/badger/v4"
)

// Sizes for several ledgers in one process on a laptop: about 100 MB each.
// Badger's own defaults take several times as much.
const (
	badgerMemTable   = 16 << 20
	badgerMemTables  = 3
	badgerBlockCache = 16 << 20
	badgerIndexCache = 16 << 20
	// A block and its header must fit into one value log file.
	badgerValueLog = 2 * MaxBlockBytes
	// Blocks go to the value log, which is append-only as Fabric's block files
	// are; index, state and history to the tree, whose compactions would
	// otherwise copy every block several times.
	badgerValueThreshold = 2 << 10
)

// badgerStore keeps a ledger in Badger v4. With sync on, a write returns when the
// operating system says that it is on the disk; with sync off, a process that
// dies loses nothing, but a machine that does loses the last blocks.
type badgerStore struct {
	db   *badger.DB
	view *badger.Txn // for the reads since the last write; nil when there were none
}

func openBadger(dir string, sync bool, log *slog.Logger) (*badgerStore, error) {
	if dir == "" {
		return nil, errors.New("a badger ledger needs a directory")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("badger ledger: %w", err)
	}
	o := badger.DefaultOptions(dir).
		WithSyncWrites(sync).
		WithMemTableSize(badgerMemTable).
		WithNumMemtables(badgerMemTables).
		WithBlockCacheSize(badgerBlockCache).
		WithIndexCacheSize(badgerIndexCache).
		WithValueLogFileSize(badgerValueLog).
		WithValueThreshold(badgerValueThreshold).
		WithNumCompactors(2).
		WithNumGoroutines(1).
		WithDetectConflicts(false). // one writer
		WithMetricsEnabled(false).
		WithLogger(nil)
	if log != nil {
		o = o.WithLogger(badgerLog{log})
	}
	db, err := badger.Open(o)
	if err != nil {
		return nil, fmt.Errorf("badger ledger in %s: %w", dir, err)
	}
	return &badgerStore{db: db}, nil
}

func (s *badgerStore) get(dst, key []byte) ([]byte, bool, error) {
	if s.view == nil {
		s.view = s.db.NewTransaction(false)
	}
	item, err := s.view.Get(key)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return dst, false, nil
	}
	if err != nil {
		return dst, false, err
	}
	err = item.Value(func(v []byte) error {
		dst = append(dst, v...)
		return nil
	})
	return dst, err == nil, err
}

// write puts the batch into one transaction, or, when Badger says that it is too
// big for one, into as many as it takes.
func (s *badgerStore) write(b *batch) error {
	s.endView()
	txn := s.db.NewTransaction(true)
	defer func() { txn.Discard() }()
	for i := range b.len() {
		key, value := b.entry(i)
		err := txn.Set(key, value)
		if errors.Is(err, badger.ErrTxnTooBig) {
			if err = txn.Commit(); err != nil {
				return err
			}
			txn = s.db.NewTransaction(true)
			err = txn.Set(key, value)
		}
		if err != nil {
			return err
		}
	}
	return txn.Commit()
}

func (s *badgerStore) endView() {
	if s.view != nil {
		s.view.Discard()
		s.view = nil
	}
}

func (s *badgerStore) close() error {
	s.endView()
	return s.db.Close()
}

// badgerLog hands Badger's messages on to a structured log.
type badgerLog struct{ log *slog.Logger }

func (l badgerLog) Errorf(format string, args ...any)   { l.say(slog.LevelError, format, args) }
func (l badgerLog) Warningf(format string, args ...any) { l.say(slog.LevelWarn, format, args) }
func (l badgerLog) Infof(format string, args ...any)    { l.say(slog.LevelInfo, format, args) }
func (l badgerLog) Debugf(format string, args ...any)   { l.say(slog.LevelDebug, format, args) }

func (l badgerLog) say(level slog.Level, format string, args []any) {
	if ctx := context.Background(); l.log.Enabled(ctx, level) {
		l.log.Log(ctx, level, "badger: "+strings.TrimSpace(fmt.Sprintf(format, args...)))
	}
}
