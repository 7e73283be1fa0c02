package couch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
)

// batchBytes is how much one request writes, unless one document is larger.
const batchBytes = 16 << 20

// change is a document on its way.
type change struct {
	doc *Document
	id  string
	rev string
}

// Write stores documents and deletes those that are Deleted. When it returns, all are
// there; after an error, some may be. Of a key that occurs more than once, the last one
// counts.
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

// writeBatch writes documents in one request. Those that conflict, since a revision was not
// the newest, are written again with the newest, as Fabric does; this happens when
// a request was repeated whose answer had been lost.
func (db *DB) writeBatch(ctx context.Context, batch []change) error {
	for try := 0; len(batch) > 0; try++ {
		if try > db.cfg.Retries+1 {
			return fmt.Errorf("document %q: conflicts again and again: does another program write to the database?", batch[0].id)
		}
		if err := db.loadRevisions(ctx, batch); err != nil {
			return err
		}
		// What is not there need not be deleted.
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

// loadRevisions sets the changes' revisions and asks the server for those not known.
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

// bulk sends the changes, keeps their revisions, and gives back those that conflict.
func (db *DB) bulk(ctx context.Context, batch []change) (conflicts []change, err error) {
	b := append(db.room[:0], `{"docs":[`...)
	for i := range batch {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendDocument(b, batch[i].doc, batch[i].id, batch[i].rev)
		// Until the answer is here, nobody knows the newest revision.
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

// savepoint is the document that says how far the state is complete.
type savepoint struct {
	ID     string `json:"_id"`
	Rev    string `json:"_rev,omitempty"`
	Height uint64 `json:"height"`
}

// Savepoint gives the height of the last SetSavepoint; ok is false before the first one.
func (db *DB) Savepoint(ctx context.Context) (height uint64, ok bool, err error) {
	s, ok, err := db.savepoint(ctx)
	return s.Height, ok, err
}

func (db *DB) savepoint(ctx context.Context) (s savepoint, ok bool, err error) {
	r := request{method: http.MethodGet, path: db.path("/" + url.PathEscape(savepointID)), what: "reading the savepoint"}
	err = db.call(ctx, r, &s)
	var status *StatusError
	if errors.As(err, &status) && status.Code == http.StatusNotFound && (status.Reason == "missing" || status.Reason == "deleted") {
		return s, false, nil
	}
	if err != nil {
		return s, false, err
	}
	db.revisions.put(savepointID, s.Rev)
	return s, true, nil
}

// SetSavepoint says that the state is complete up to a height. Everything that was
// written before it is there when it is.
func (db *DB) SetSavepoint(ctx context.Context, height uint64) error {
	for try := 0; ; try++ {
		rev, known := db.revisions.get(savepointID)
		if !known {
			s, _, err := db.savepoint(ctx)
			if err != nil {
				return err
			}
			rev = s.Rev
		}
		body, err := json.Marshal(savepoint{savepointID, rev, height})
		if err != nil {
			return err
		}
		db.revisions.forget(savepointID)
		var result struct{ Rev string }
		r := request{method: http.MethodPut, path: db.path("/" + savepointID), body: body, what: "writing the savepoint"}
		err = db.call(ctx, r, &result)
		var status *StatusError
		switch {
		case err == nil:
			db.revisions.put(savepointID, result.Rev)
			return nil
		case !errors.As(err, &status) || status.Code != http.StatusConflict || try > db.cfg.Retries:
			return err
		}
	}
}
