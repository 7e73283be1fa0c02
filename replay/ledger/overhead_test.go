package ledger

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/dgraph-io/badger/v4"
	"github.com/syndtr/goleveldb/leveldb"
	bolt "go.etcd.io/bbolt"

	"github.com/blockreel/blockreel/internal/fabric/blocktest"
)

// An engine is a storage engine's own interface, and nothing of ours but the options that
// it was opened with: it writes what a ledger has written.
type engine interface {
	write(writes []entry) error
}

// engineOf is nil for a store that has no engine.
func engineOf(b *testing.B, s store, dir string) engine {
	switch s := s.(type) {
	case *badgerStore:
		return bareBadger{s.db}
	case *pebbleStore:
		return barePebble{s.db}
	case *bboltStore:
		return bareBolt{s.db}
	case *levelDBStore:
		file, err := os.Create(filepath.Join(dir, "bare"))
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { file.Close() })
		return &bareLevelDB{store: s, file: file}
	}
	return nil
}

type bareBadger struct{ db *badger.DB }

func (e bareBadger) write(writes []entry) error {
	txn := e.db.NewTransaction(true)
	defer txn.Discard()
	for _, w := range writes {
		err := txn.Set(w.prefixed, w.value)
		if w.deleted {
			err = txn.Delete(w.prefixed)
		}
		if err != nil {
			return err
		}
	}
	return txn.Commit()
}

type barePebble struct{ db *pebble.DB }

func (e barePebble) write(writes []entry) error {
	batch := e.db.NewBatch()
	defer batch.Close()
	for _, w := range writes {
		err := batch.Set(w.prefixed, w.value, nil)
		if w.deleted {
			err = batch.Delete(w.prefixed, nil)
		}
		if err != nil {
			return err
		}
	}
	return batch.Commit(pebble.Sync)
}

type bareBolt struct{ db *bolt.DB }

func (e bareBolt) write(writes []entry) error {
	return e.db.Update(func(tx *bolt.Tx) error {
		for _, w := range writes {
			bucket := tx.Bucket([]byte(tableOf(w).String()))
			err := bucket.Put(w.key, w.value)
			if w.deleted {
				err = bucket.Delete(w.key)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// bareLevelDB appends blocks to a file, as Fabric's blkstorage does, and has a database for
// each of the other tables.
type bareLevelDB struct {
	store *levelDBStore
	file  *os.File
}

func (e *bareLevelDB) write(writes []entry) error {
	var batches [tables]leveldb.Batch
	for _, w := range writes {
		t := tableOf(w)
		switch {
		case t == blockTable:
			if _, err := e.file.Write(w.value); err != nil {
				return err
			}
			if !e.store.durable.Sync {
				break
			}
			if err := e.file.Sync(); err != nil {
				return err
			}
		case w.deleted:
			batches[t].Delete(w.key)
		default:
			batches[t].Put(w.key, w.value)
		}
	}
	for _, t := range []table{indexTable, stateTable, historyTable} {
		if err := e.store.dbs[t].Write(&batches[t], &e.store.durable); err != nil {
			return err
		}
	}
	return nil
}

func tableOf(w entry) table {
	for t := range table(tables) {
		if t.prefix() == w.prefixed[0] {
			return t
		}
	}
	panic("a key of no table")
}

// tee writes each batch into the ledger's own store, and gives it to a bare engine of the
// same kind, which nobody reads. The one that goes first changes from block to block.
type tee struct {
	store
	bare      engine
	own, only time.Duration
	turn      int
	writes    []entry
}

func (t *tee) write(ctx context.Context, b *batch) error {
	t.writes = t.writes[:0]
	for _, e := range b.all() {
		t.writes = append(t.writes, e)
	}
	both := []func() error{
		func() error { return timed(&t.own, func() error { return t.store.write(ctx, b) }) },
		func() error { return timed(&t.only, func() error { return t.bare.write(t.writes) }) },
	}
	t.turn++
	if err := both[t.turn%2](); err != nil {
		return err
	}
	return both[1-t.turn%2]()
}

func timed(into *time.Duration, do func() error) error {
	start := time.Now()
	err := do()
	*into += time.Since(start)
	return err
}

// BenchmarkOverhead commits the blocks of a real run. It reports what a commit takes more than
// the bare engine with the same writes – reads for MVCC, preparing entries, commit hashes, our
// own way to the engine – in parts of the engine's time and of the block's, validation
// included.
func BenchmarkOverhead(b *testing.B) {
	blocks := realBlocks(b, blocktest.Run(b, "fabric-2.5-burst-n20-info"))
	for _, s := range subjects {
		if s.server != nil || s.spec == "memory" {
			continue
		}
		b.Run(s.spec, func(b *testing.B) {
			k, err := parse(s.spec)
			if err != nil {
				b.Fatal(err)
			}
			var commits, validations, only time.Duration
			committed := 0
			for b.Loop() {
				l := open(b, s.spec, Config{Dir: b.TempDir(), Channel: "ch1"})
				dir := b.TempDir()
				second, err := k.backend.open(b.Context(), Config{Dir: dir, Channel: "ch1"}, k.options)
				if err != nil {
					b.Fatal(err)
				}
				both := &tee{store: l.store, bare: engineOf(b, second, dir)}
				l.store = both
				for i := range blocks[:min(len(blocks), 600)] {
					start := time.Now()
					if err := l.Validate(b.Context(), &blocks[i]); err != nil {
						b.Fatal(err)
					}
					middle := time.Now()
					if _, err := l.Commit(b.Context(), &blocks[i]); err != nil {
						b.Fatal(err)
					}
					commits += time.Since(middle)
					validations += middle.Sub(start)
					committed++
				}
				only, commits = only+both.only, commits-both.only
				l.Close()
				second.close()
			}
			per := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / float64(committed) }
			b.ReportMetric(per(commits), "ns/commit")
			b.ReportMetric(per(validations), "ns/validation")
			b.ReportMetric(per(only), "ns/bare-write")
			b.ReportMetric(100*(float64(commits)/float64(only)-1), "%over-bare")
			b.ReportMetric(100*float64(commits-only)/float64(commits+validations), "%of-block")
			b.ReportMetric(1e9/per(commits+validations), "blocks/s")
			b.ReportMetric(0, "ns/op")
		})
	}
}
