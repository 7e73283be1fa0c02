package ledger

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/opt"
	"github.com/syndtr/goleveldb/leveldb/util"

	"github.com/blockreel/blockreel/replay/ledger/blockfiles"
)

// levelDBOptions are those of backends with goleveldb. The defaults are Fabric's and goleveldb's.
var levelDBOptions = []Option{
	{Name: "sync", Kind: Bool, Default: "true", About: "false: commits do not wait for the disk"},
	{Name: "cache", Kind: Size, Default: "8MB", Min: 64 << 10, Max: 1 << 30, About: "of each database, for blocks of tables"},
	{Name: "memtable", Kind: Size, Default: "4MB", Min: 64 << 10, Max: 1 << 30, About: "of each database: size at which a table is flushed"},
}

var levelDBBackend = Backend{
	Name:       "leveldb",
	Options:    levelDBOptions,
	About:      "as a Fabric peer: blocks in append-only files, goleveldb databases for index, state and history",
	Durability: whenSynced,
	Timing:     writeEach,
	marker:     "index/CURRENT",
	open:       func(_ context.Context, cfg Config, o options) (store, error) { return openLevelDB(cfg, o) },
	volatile:   func(o options) bool { return !o.bool("sync") },
}

// levelDBStore stores blocks in a peer's files and the other tables in goleveldb databases, as
// Fabric's blkstorage, stateleveldb and history do. It writes them in Fabric's order, each durable
// before the next: block, index, state, history. The index also has the places of the blocks:
//
//	n number (8)    location (12)
//
// The head of a block's record is the note of the block in the files.
type levelDBStore struct {
	blocks   *blockfiles.Store
	dbs      [tables]*leveldb.DB // none of the block table
	durable  opt.WriteOptions
	readOnly bool
	batch    leveldb.Batch
	key      []byte
	room     []byte
}

const blockKey = 'n'

func appendBlockKey(dst, number []byte) []byte { return append(append(dst, blockKey), number...) }

func openLevelDB(cfg Config, o options) (_ *levelDBStore, err error) {
	s := &levelDBStore{readOnly: cfg.ReadOnly, durable: opt.WriteOptions{Sync: o.bool("sync")}}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	for _, t := range []table{indexTable, stateTable, historyTable} {
		s.dbs[t], err = leveldb.OpenFile(filepath.Join(cfg.Dir, t.String()), &opt.Options{
			BlockCacheCapacity: int(o.size("cache")),
			WriteBuffer:        int(o.size("memtable")),
			ReadOnly:           cfg.ReadOnly,
		})
		if err != nil {
			return s, fmt.Errorf("%s: %w", t, err)
		}
	}
	last, err := s.lastBlock()
	if err != nil {
		return s, err
	}
	s.blocks, _, err = blockfiles.Open(blockfiles.Config{
		Dir: filepath.Join(cfg.Dir, blockTable.String()), NoSync: !o.bool("sync"), ReadOnly: cfg.ReadOnly,
	}, last, s.found)
	return s, err
}

func (s *levelDBStore) lastBlock() (blockfiles.Location, error) {
	it := s.dbs[indexTable].NewIterator(util.BytesPrefix([]byte{blockKey}), nil)
	defer it.Release()
	if !it.Last() {
		return blockfiles.Location{}, it.Error()
	}
	return blockfiles.ParseLocation(it.Value())
}

// found adds a block of the files to the index. The ledger then brings it up to the block.
func (s *levelDBStore) found(n uint64, at blockfiles.Location) error {
	if s.readOnly {
		return errUnfinished
	}
	key := appendBlockKey(nil, binary.BigEndian.AppendUint64(nil, n))
	return s.dbs[indexTable].Put(key, at.Append(nil), &s.durable)
}

func (s *levelDBStore) read(_ context.Context, t table, keys [][]byte, each func(int, []byte)) error {
	for i, key := range keys {
		var value []byte
		var err error
		if t == blockTable {
			value, err = s.readBlock(key)
		} else {
			value, err = s.dbs[t].Get(key, nil)
		}
		if errors.Is(err, leveldb.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		each(i, value)
	}
	return nil
}

// readBlock returns a block's record.
func (s *levelDBStore) readBlock(number []byte) ([]byte, error) {
	value, err := s.dbs[indexTable].Get(appendBlockKey(nil, number), nil)
	if err != nil {
		return nil, err
	}
	at, err := blockfiles.ParseLocation(value)
	if err != nil {
		return nil, err
	}
	payload, note, err := s.blocks.Read(s.room[:0], at)
	if err != nil {
		return nil, err
	}
	s.room = payload[:0]
	if cap(s.room) > keepBatch {
		s.room = nil
	}
	return append(bytes.Clone(note), payload...), nil
}

func (s *levelDBStore) scan(_ context.Context, t table, from, to []byte, each func(key, value []byte) bool) error {
	it := s.dbs[t].NewIterator(&util.Range{Start: from, Limit: to}, nil)
	defer it.Release()
	for it.Next() {
		if !each(it.Key(), it.Value()) {
			return nil
		}
	}
	return it.Error()
}

func (s *levelDBStore) write(_ context.Context, b *batch) error {
	if err := s.writeBlocks(b); err != nil {
		return err
	}
	for _, t := range []table{indexTable, stateTable, historyTable} {
		if err := s.writeTable(t, b); err != nil {
			return err
		}
	}
	return nil
}

// writeBlocks appends blocks to the files and leaves their places in s.batch, for the index.
func (s *levelDBStore) writeBlocks(b *batch) error {
	s.batch.Reset()
	for e := range b.entries(blockTable) {
		n, ok := number(e.key)
		r, err := decodeRecord(0, e.value)
		if err != nil || !ok {
			return fmt.Errorf("block with key %x: it is no record", e.key)
		}
		note := e.value[:len(e.value)-len(r.block.Payload)]
		at, err := s.blocks.Append(n, r.block.Payload, note)
		if err != nil {
			return err
		}
		s.key = appendBlockKey(s.key[:0], e.key)
		s.batch.Put(s.key, at.Append(nil))
	}
	b.wrote(blockTable)
	return nil
}

// writeTable writes s.batch with the changes of a table.
func (s *levelDBStore) writeTable(t table, b *batch) error {
	for e := range b.entries(t) {
		if e.deleted {
			s.batch.Delete(e.key)
		} else {
			s.batch.Put(e.key, e.value)
		}
	}
	if s.batch.Len() > 0 {
		if err := s.dbs[t].Write(&s.batch, &s.durable); err != nil {
			return fmt.Errorf("%s: %w", t, err)
		}
	}
	s.batch.Reset()
	b.wrote(t)
	return nil
}

func (s *levelDBStore) close() error {
	var errs []error
	for _, db := range s.dbs {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	if s.blocks != nil {
		errs = append(errs, s.blocks.Close())
	}
	return errors.Join(errs...)
}
