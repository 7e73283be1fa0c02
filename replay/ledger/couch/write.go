package couch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
)

// batchBytes is the size of a request, unless one document is larger.
const batchBytes = 16 << 20

type change struct {
	doc *Document
	id  string
	rev string
	// height of the savepoint, whose doc is empty.
	height uint64
}

// Write stores documents and deletes the Deleted ones. After an error, some may be written. The
// last document of a key counts.
func (db *DB) Write(ctx context.Context, docs []Document) error {
	var batch []change
	size := 0
	inBatch := make(map[string]bool, min(len(docs), db.cfg.BatchDocs))
	flush := func() error {
		err := db.writeBatch(ctx, batch)
		batch, size = batch[:0], 0
		clear(inBatch)
		return err
	}
	for i := range docs {
		c := change{doc: &docs[i], id: documentID(docs[i].Key)}
		full := len(batch) == db.cfg.BatchDocs || size+len(c.doc.Value) > batchBytes
		if len(batch) > 0 && (full || inBatch[c.id]) {
			if err := flush(); err != nil {
				return err
			}
		}
		batch, size = append(batch, c), size+len(c.doc.Value)
		inBatch[c.id] = true
	}
	if len(batch) == 0 {
		return nil
	}
	return flush()
}

// writeBatch writes documents in one request. It repeats those whose revision was not the newest,
// as Fabric does: the answer to an earlier request may have been lost.
func (db *DB) writeBatch(ctx context.Context, batch []change) error {
	for try := 0; len(batch) > 0; try++ {
		if try > db.cfg.Retries+1 {
			return fmt.Errorf("document %q: conflicts again and again: does another program write to the database?", batch[0].id)
		}
		if err := db.loadRevisions(ctx, batch); err != nil {
			return err
		}
		batch = slices.DeleteFunc(batch, func(c change) bool { return c.doc.Deleted && c.rev == "" })
		if len(batch) == 0 {
			return nil
		}
		var err error
		if batch, err = db.bulk(ctx, batch); err != nil {
			return err
		}
	}
	return nil
}

// loadRevisions sets the changes' revisions, and asks the server for unknown ones.
func (db *DB) loadRevisions(ctx context.Context, batch []change) error {
	var unknown []string
	var at []int
	for i := range batch {
		rev, known := db.revisions.get(batch[i].id)
		batch[i].rev = rev
		if !known {
			unknown, at = append(unknown, batch[i].id), append(at, i)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	return db.byID(ctx, unknown, onlyRevisions, func(i int, r *row) error {
		rev := r.Value.Rev
		if r.absent() {
			rev = ""
		} else if rev == "" {
			return fmt.Errorf("the row of document %q is without its revision", r.ID)
		}
		batch[at[i]].rev = rev
		db.revisions.put(r.ID, rev)
		return nil
	})
}

// bulk sends the changes, caches their revisions, and returns those that conflict.
func (db *DB) bulk(ctx context.Context, batch []change) (conflicts []change, err error) {
	b := append(db.room[:0], `{"docs":[`...)
	for i := range batch {
		if i > 0 {
			b = append(b, ',')
		}
		b = batch[i].append(b)
		// The newest revision is unknown until the answer is here.
		db.revisions.forget(batch[i].id)
	}
	b = append(b, `]}`...)
	if db.room = b; cap(b) > batchBytes {
		db.room = nil
	}
	var results []struct{ ID, Rev, Error, Reason string }
	r := request{method: http.MethodPost, path: db.path("/_bulk_docs"), body: b, what: "writing documents"}
	if err := db.call(ctx, r, &results); err != nil {
		return nil, err
	}
	if len(results) != len(batch) {
		return nil, fmt.Errorf("%s answers for %d of %d documents", db.server, len(results), len(batch))
	}
	for i, r := range results {
		c := batch[i]
		switch {
		case r.ID != c.id:
			return nil, fmt.Errorf("%s answers for document %q, not for %q", db.server, r.ID, c.id)
		case r.Error == "conflict":
			conflicts = append(conflicts, c)
		case r.Error != "":
			return nil, fmt.Errorf("document %q: %s: %s", c.id, r.Error, r.Reason)
		case c.doc.Deleted:
			db.revisions.put(c.id, "")
		default:
			db.revisions.put(c.id, r.Rev)
		}
	}
	return conflicts, nil
}

// savepoint is the document with the height up to which the state is complete.
type savepoint struct {
	ID     string `json:"_id"`
	Rev    string `json:"_rev,omitempty"`
	Height uint64 `json:"height"`
}

func (c *change) append(dst []byte) []byte {
	if c.id != savepointID {
		return appendDocument(dst, c.doc, c.id, c.rev)
	}
	text, err := json.Marshal(savepoint{c.id, c.rev, c.height})
	if err != nil {
		panic(err) // two strings and a number have a form in JSON
	}
	return append(dst, text...)
}

// Savepoint returns the height of the last SetSavepoint, if there was one.
func (db *DB) Savepoint(ctx context.Context) (height uint64, ok bool, err error) {
	var s savepoint
	r := request{method: http.MethodGet, path: db.path("/" + savepointID), what: "reading the savepoint"}
	err = db.call(ctx, r, &s)
	var status *StatusError
	if errors.As(err, &status) && status.Code == http.StatusNotFound && (status.Reason == "missing" || status.Reason == "deleted") {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	db.revisions.put(savepointID, s.Rev)
	return s.Height, true, nil
}

// SetSavepoint stores that the state is complete up to a height.
func (db *DB) SetSavepoint(ctx context.Context, height uint64) error {
	return db.writeBatch(ctx, []change{{doc: &Document{}, id: savepointID, height: height}})
}
