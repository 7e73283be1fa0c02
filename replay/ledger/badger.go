package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/dgraph-io/badger/v4"
	badgeroptions "github.com/dgraph-io/badger/v4/options"
)

const (
	badgerMemTables = 3
	// badgerReserve is how many memtables of room on the disk Badger needs beside a value log: for
	// flushes and compactions.
	badgerReserve = badgerMemTables + 7
	// A value must fit into a value log file. Longer ones are stored in pieces, with keys of their
	// own and this mark.
	badgerPieces      = 1
	badgerPiecePrefix = 'p'
	// Values of this size or more go to the value log, which is append-only. Compactions of the
	// tree would copy each block several times.
	badgerValueThreshold = 2 << 10
)

var badgerBackend = Backend{
	Name: "badger",
	Options: []Option{
		{Name: "sync", Kind: Bool, Default: "true", About: "false: commits do not wait for the disk"},
		{Name: "compression", Kind: Choice, Default: "snappy", Values: []string{"none", "snappy", "zstd"}, About: "of index, state and history"},
		{Name: "memtable", Kind: Size, Default: "8MB", Min: 1 << 20, Max: 1 << 30, About: "size at which a table is flushed"},
		{Name: "valuelog", Kind: Size, Default: "16MB", Min: 1 << 20, Max: 1 << 30, About: "size of the files with blocks; with larger ones the device writes several times as much"},
		{Name: "cache", Kind: Size, Default: "4MB", Min: 1 << 20, Max: 1 << 30, About: "for blocks of tables; another one of this size for their indexes"},
	},
	About:      "Badger v4, every block one commit",
	Durability: whenSynced,
	Timing:     oneWrite,
	Limits:     "keys of at most 64000 bytes; replaced or deleted values of 2 kB or more stay on the disk",
	marker:     "MANIFEST",
	maxKey:     64_000, // Badger's: 65000
	open:       openBadger,
	volatile:   func(o options) bool { return !o.bool("sync") },
}

// badgerStore stores a ledger in Badger v4, with sizes for several ledgers on a laptop. Badger
// syncs its files as mapped memory: the kernel writes large pages, and more of them for larger
// files.
//
// The value log is never collected, which would read and write blocks again during a measurement.
// Replaced and deleted values stay on the disk.
//
// With sync=false a process that dies loses nothing, but a machine that does loses the last blocks.
type badgerStore struct {
	db    *badger.DB
	space space       // a mapped file on a full disk ends the process
	most  int         // bytes of a value in one piece
	view  *badger.Txn // for the reads since the last write; nil when there were none
	key   []byte
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
		WithValueLogFileSize(o.size("valuelog")).
		WithValueThreshold(badgerValueThreshold).
		WithNumCompactors(2).
		WithNumGoroutines(1).
		WithDetectConflicts(false). // one writer
		WithMetricsEnabled(false).
		WithChecksumVerificationMode(badgeroptions.OnBlockRead).
		WithLogger(nil)
	// Tables of all levels have one size: Badger keeps the memory that it builds them in.
	b.TableSizeMultiplier = 1
	s := &badgerStore{
		space: space{cfg.Dir, o.size("valuelog") + badgerReserve*o.size("memtable"), freeBytes},
		most:  int(o.size("valuelog") / 2),
	}
	if cfg.ReadOnly {
		b = b.WithReadOnly(true)
	} else if err := s.space.check(0); err != nil {
		return nil, err
	}
	if err := checkBadgerTables(b); err != nil {
		return nil, err
	}
	var err error
	switch s.db, err = badger.Open(b); {
	case errors.Is(err, badger.ErrTruncateNeeded):
		return nil, errUnfinished
	case err != nil && strings.Contains(err.Error(), "Another process is using this Badger database"):
		return nil, errInUse // Badger hides the cause
	case err != nil:
		return nil, err
	}
	return s, nil
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
		if err = s.value(item, func(v []byte) { each(i, v) }); err != nil {
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
		err := s.value(item, func(v []byte) { more = each(item.Key()[1:], v) })
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// value calls use with an item's value, joined from its pieces.
func (s *badgerStore) value(item *badger.Item, use func([]byte)) error {
	if item.UserMeta() != badgerPieces {
		return item.Value(func(v []byte) error {
			use(v)
			return nil
		})
	}
	var pieces uint64
	err := item.Value(func(v []byte) error {
		var ok bool
		if pieces, ok = number(v); !ok {
			return errors.New("the number of a value's pieces is damaged")
		}
		return nil
	})
	var whole []byte
	for i := uint64(0); i < pieces && err == nil; i++ {
		var piece *badger.Item
		if piece, err = s.view.Get(pieceKey(item.Key(), i)); err == nil {
			err = piece.Value(func(v []byte) error {
				whole = append(whole, v...)
				return nil
			})
		}
	}
	if err != nil {
		return fmt.Errorf("a value in pieces: %w", err)
	}
	use(whole)
	return nil
}

func pieceKey(key []byte, i uint64) []byte {
	return appendNumber(append([]byte{badgerPiecePrefix}, key...), i)
}

// changes returns the entries for an entry of a batch. Pieces come before their value.
func (s *badgerStore) changes(e entry) []*badger.Entry {
	if len(e.value) <= s.most {
		return []*badger.Entry{badger.NewEntry(e.prefixed, e.value)}
	}
	var all []*badger.Entry
	for piece := range slices.Chunk(e.value, s.most) {
		all = append(all, badger.NewEntry(pieceKey(e.prefixed, uint64(len(all))), piece))
	}
	return append(all, badger.NewEntry(e.prefixed, appendNumber(nil, uint64(len(all)))).WithMeta(badgerPieces))
}

// write writes the batch in as few transactions as Badger permits.
func (s *badgerStore) write(_ context.Context, b *batch) error {
	if err := s.space.check(len(b.data)); err != nil {
		return err
	}
	s.endView()
	txn := s.db.NewTransaction(true)
	defer func() { txn.Discard() }()
	try := func(change func() error) error {
		err := change()
		if errors.Is(err, badger.ErrTxnTooBig) {
			if err = txn.Commit(); err != nil {
				return err
			}
			txn = s.db.NewTransaction(true)
			err = change()
		}
		return err
	}
	for _, e := range b.all() {
		if e.deleted {
			if err := try(func() error { return txn.Delete(e.prefixed) }); err != nil {
				return err
			}
			continue
		}
		for _, change := range s.changes(e) {
			if err := try(func() error { return txn.SetEntry(change) }); err != nil {
				return err
			}
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
