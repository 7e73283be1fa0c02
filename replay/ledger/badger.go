package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/dgraph-io/badger/v4"
	badgeroptions "github.com/dgraph-io/badger/v4/options"
)

// Sizes for several ledgers in one process on a laptop: about 100 MB each.
// Badger's own defaults take several times as much.
const (
	badgerMemTables = 3
	// A block and its header must fit into one value log file.
	badgerValueLog = 2 * MaxBlockBytes
	// Blocks go to the value log, which is append-only as Fabric's block files
	// are; index, state and history to the tree, whose compactions would
	// otherwise copy every block several times.
	badgerValueThreshold = 2 << 10
)

var badgerBackend = Backend{
	Name: "badger",
	Options: []Option{
		{Name: "sync", Kind: Bool, Default: "true", About: "false: the operating system writes when it likes"},
		{Name: "compression", Kind: Choice, Default: "snappy", Values: []string{"none", "snappy", "zstd"}, About: "of index, state and history"},
		{Name: "memtable", Kind: Size, Default: "16MB", Min: 1 << 20, Max: 1 << 30, About: "before a table is flushed"},
		{Name: "cache", Kind: Size, Default: "16MB", Min: 1 << 20, Max: 1 << 30, About: "for blocks of tables, and as much for their indexes"},
	},
	About:    "Badger v4, every block one durable commit",
	Timing:   oneWrite,
	open:     openBadger,
	volatile: func(o options) bool { return !o.bool("sync") },
}

// badgerStore keeps a ledger in Badger v4. With sync on, a write returns when the
// operating system says that it is on the disk; with sync off, a process that
// dies loses nothing, but a machine that does loses the last blocks.
type badgerStore struct {
	db   *badger.DB
	view *badger.Txn // for the reads since the last write; nil when there were none
	key  []byte
}

func openBadger(_ context.Context, cfg Config, o options) (store, error) {
	compression := map[string]badgeroptions.CompressionType{
		"none": badgeroptions.None, "snappy": badgeroptions.Snappy, "zstd": badgeroptions.ZSTD,
	}
	b := badger.DefaultOptions(cfg.Dir).
		WithSyncWrites(o.bool("sync")).
		WithCompression(compression[o.text("compression")]).
		WithMemTableSize(o.size("memtable")).
		WithNumMemtables(badgerMemTables).
		WithBlockCacheSize(o.size("cache")).
		WithIndexCacheSize(o.size("cache")).
		WithValueLogFileSize(badgerValueLog).
		WithValueThreshold(badgerValueThreshold).
		WithNumCompactors(2).
		WithNumGoroutines(1).
		WithDetectConflicts(false). // one writer
		WithMetricsEnabled(false).
		WithChecksumVerificationMode(badgeroptions.OnBlockRead).
		WithLogger(nil)
	if cfg.Logger != nil {
		b = b.WithLogger(badgerLog{cfg.Logger})
	}
	if err := checkBadgerTables(b); err != nil {
		return nil, err
	}
	db, err := badger.Open(b)
	if err != nil {
		return nil, err
	}
	return &badgerStore{db: db}, nil
}

func (s *badgerStore) read(_ context.Context, t table, keys [][]byte, each func(int, []byte)) error {
	s.beginView()
	for i, key := range keys {
		s.key = prefixed(s.key[:0], t, key)
		item, err := s.view.Get(s.key)
		if errors.Is(err, badger.ErrKeyNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		err = item.Value(func(v []byte) error {
			each(i, v)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *badgerStore) scan(_ context.Context, t table, from, to []byte, each func(key, value []byte) bool) error {
	s.beginView()
	o := badger.DefaultIteratorOptions
	o.Prefix = []byte{t.prefix()}
	it := s.view.NewIterator(o)
	defer it.Close()
	if to != nil {
		to = prefixed(nil, t, to)
	}
	for it.Seek(prefixed(nil, t, from)); it.Valid(); it.Next() {
		item := it.Item()
		if to != nil && bytes.Compare(item.Key(), to) >= 0 {
			return nil
		}
		more := false
		err := item.Value(func(v []byte) error {
			more = each(item.Key()[1:], v)
			return nil
		})
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// write puts the batch into one transaction, or, when Badger says that it is too
// big for one, into as many as it takes.
func (s *badgerStore) write(_ context.Context, b *batch) error {
	s.endView()
	txn := s.db.NewTransaction(true)
	defer func() { txn.Discard() }()
	for _, e := range b.all() {
		change := func() error {
			if e.deleted {
				return txn.Delete(e.prefixed)
			}
			return txn.Set(e.prefixed, e.value)
		}
		err := change()
		if errors.Is(err, badger.ErrTxnTooBig) {
			if err = txn.Commit(); err != nil {
				return err
			}
			txn = s.db.NewTransaction(true)
			err = change()
		}
		if err != nil {
			return err
		}
	}
	return txn.Commit()
}

func (s *badgerStore) beginView() {
	if s.view == nil {
		s.view = s.db.NewTransaction(false)
	}
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
