package ledger

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/blockreel/blockreel/internal/outfile"
	"github.com/blockreel/blockreel/replay/ledger/couch"
)

// Environment variables of a Fabric peer.
const (
	couchUser     = "CORE_LEDGER_STATE_COUCHDBCONFIG_USERNAME"
	couchPassword = "CORE_LEDGER_STATE_COUCHDBCONFIG_PASSWORD"
)

var couchDBBackend = Backend{
	Name: "couchdb",
	Options: slices.Concat([]Option{
		{Name: "url", Kind: URL, Default: couch.DefaultURL, About: "of the server; user and password: " + couchUser + " and …_PASSWORD in the environment"},
		{Name: "database", Kind: Text, About: "for the state; default: the channel's name and a random number"},
		{Name: "drop", Kind: Bool, Default: "false", About: "true: delete the database when the ledger is closed; it is restored from the blocks when the ledger is opened again"},
		{Name: "timeout", Kind: Duration, Default: couch.DefaultTimeout.String(), About: "of a request"},
		{Name: "retries", Kind: Count, Default: fmt.Sprint(couch.DefaultRetries), Min: 1, Max: 100, About: "of a request, each after a longer wait"},
		{Name: "batch", Kind: Count, Default: fmt.Sprint(couch.DefaultBatchDocs), Min: 1, Max: 100_000, About: "documents a request"},
		{Name: "revisions", Kind: Count, Default: fmt.Sprint(couch.DefaultRevisions), Min: 1, Max: 100_000_000, About: "kept in memory, of about 150 bytes each"},
	}, levelDBOptions),
	About: "state in CouchDB, over HTTP; the rest as leveldb",
	Durability: "blocks, index and history are on the disk when a commit returns, and the state when the server has answered " +
		"(CouchDB 3 syncs first); a state that is behind is brought up to the blocks when the ledger is opened",
	Timing:   writeEach,
	marker:   "couchdb",
	open:     openCouchDB,
	volatile: func(o options) bool { return !o.bool("sync") },
}

// couchDBStore is a levelDBStore whose state is in CouchDB. The version field of a document has a
// key's version and metadata.
type couchDBStore struct {
	*levelDBStore
	db *couch.DB
	// drop: close deletes the database, if the ledger was opened.
	drop, whole bool
	docs        []couch.Document
}

func openCouchDB(ctx context.Context, cfg Config, o options) (_ store, err error) {
	rest, err := openLevelDB(cfg, o)
	if err != nil {
		return nil, err
	}
	s := &couchDBStore{levelDBStore: rest, drop: o.bool("drop") && !cfg.ReadOnly}
	if err := s.connect(ctx, cfg, o); err != nil {
		return nil, errors.Join(err, rest.close())
	}
	return s, nil
}

func (s *couchDBStore) opened() { s.whole = true }

// connect opens the database that the ledger's directory names.
func (s *couchDBStore) connect(ctx context.Context, cfg Config, o options) error {
	home, err := s.home(cfg, o.text("database"))
	if err != nil {
		return err
	}
	s.db, err = couch.Open(ctx, couch.Config{
		URL: o.text("url"), Database: home.database, Ledger: home.ledger, Existing: cfg.ReadOnly,
		User: os.Getenv(couchUser), Password: os.Getenv(couchPassword),
		Timeout: o.duration("timeout"), Retries: o.count("retries"),
		BatchDocs: o.count("batch"), Revisions: o.count("revisions"),
	})
	switch {
	case errors.Is(err, couch.ErrGone):
		return fmt.Errorf("the database %q with its state does not exist; open the ledger for writing to restore it from the blocks", home.database)
	case errors.Is(err, couch.ErrOther):
		return fmt.Errorf("the database %q belongs to another ledger; choose another name with database=, or delete it", home.database)
	}
	return err
}

// couchDBHome is where a ledger's state is, from the file couchdb in its directory. Both names are
// random, so that no ledger takes another's state for its own.
type couchDBHome struct{ database, ledger string }

// home reads where the state is. A ledger that has nothing yet may choose another database. The
// file is on the disk before the database is made, which would be orphaned by a crash otherwise.
func (s *couchDBStore) home(cfg Config, wanted string) (h couchDBHome, err error) {
	begun, err := s.begun()
	if err != nil {
		return h, err
	}
	path := filepath.Join(cfg.Dir, "couchdb")
	raw, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return h, err
	}
	there := err == nil
	words := strings.Fields(string(raw))
	if len(words) == 2 {
		h = couchDBHome{words[0], words[1]}
	}
	switch {
	case begun && !there:
		return h, otherBackend("leveldb", "couchdb")
	case begun && len(words) != 2:
		return h, fmt.Errorf("%s is damaged: it does not say where the state is", path)
	case begun && wanted != "" && wanted != h.database:
		return h, fmt.Errorf("its state is in the database %q, not %q", h.database, wanted)
	case begun || len(words) == 2 && (wanted == "" || wanted == h.database):
		return h, nil
	case cfg.ReadOnly:
		return h, errors.New("there is no ledger")
	}
	h = couchDBHome{wanted, drawn(16)}
	if wanted == "" {
		h.database = couch.DatabaseName(cfg.Channel) + "_" + drawn(4)
	}
	err = outfile.Write(path, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%s\n%s\n", h.database, h.ledger)
		return err
	})
	if err == nil {
		err = outfile.SyncDir(cfg.Dir)
	}
	return h, err
}

// begun reports whether the index, which is written first, has entries.
func (s *levelDBStore) begun() (bool, error) {
	it := s.dbs[indexTable].NewIterator(nil, nil)
	defer it.Release()
	return it.First(), it.Error()
}

func drawn(bytes int) string {
	b := make([]byte, bytes)
	rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

func (s *couchDBStore) read(ctx context.Context, t table, keys [][]byte, each func(int, []byte)) error {
	if t != stateTable {
		return s.levelDBStore.read(ctx, t, keys, each)
	}
	if len(keys) == 1 && bytes.Equal(keys[0], savepointKey) {
		height, ok, err := s.db.Savepoint(ctx)
		if ok {
			each(0, appendNumber(nil, height))
		}
		return err
	}
	return s.db.Read(ctx, keys, func(i int, d couch.Document) { each(i, append(d.Version, d.Value...)) })
}

func (s *couchDBStore) readVersions(ctx context.Context, keys [][]byte, each func(int, []byte)) error {
	return s.db.ReadVersions(ctx, keys, func(i int, d couch.Document) { each(i, d.Version) })
}

func (s *couchDBStore) scan(ctx context.Context, t table, from, to []byte, each func(key, value []byte) bool) error {
	if t != stateTable {
		return s.levelDBStore.scan(ctx, t, from, to, each)
	}
	return s.db.Scan(ctx, from, to, func(d couch.Document) bool { return each(d.Key, append(d.Version, d.Value...)) })
}

func (s *couchDBStore) write(ctx context.Context, b *batch) error {
	if err := s.writeBlocks(b); err != nil {
		return err
	}
	if err := s.writeTable(indexTable, b); err != nil {
		return err
	}
	if err := s.writeState(ctx, b); err != nil {
		return fmt.Errorf("%s: %w", stateTable, err)
	}
	return s.writeTable(historyTable, b)
}

// writeState writes the documents, and then the savepoint.
func (s *couchDBStore) writeState(ctx context.Context, b *batch) error {
	s.docs = s.docs[:0]
	var height uint64
	saved := false
	for e := range b.entries(stateTable) {
		if bytes.Equal(e.key, savepointKey) {
			height, saved = number(e.value)
			continue
		}
		d := couch.Document{Key: e.key, Version: e.value, Deleted: e.deleted}
		if state, ok := decodeState(e.value); ok {
			d.Version, d.Value = e.value[:len(e.value)-len(state.value)], state.value
		}
		s.docs = append(s.docs, d)
	}
	if err := s.db.Write(ctx, s.docs); err != nil {
		return err
	}
	if saved {
		if err := s.db.SetSavepoint(ctx, height); err != nil {
			return err
		}
	}
	b.wrote(stateTable)
	return nil
}

func (s *couchDBStore) server(ctx context.Context) (Server, error) {
	is := s.db.Server()
	size, err := s.db.Size(ctx)
	return Server{is.Name, is.Other, size}, err
}

func (s *couchDBStore) close() error {
	var err error
	if s.drop && s.whole {
		err = s.db.Drop(context.Background())
	}
	s.db.Close()
	return errors.Join(err, s.levelDBStore.close())
}
