package couch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
)

// row is a row of an answer of _all_docs.
type row struct {
	ID    string
	Key   json.RawMessage
	Error string
	Value struct {
		Rev     string
		Deleted bool
	}
	Doc json.RawMessage
}

type answer struct{ Rows []row }

// content is the part of a document that is asked for.
type content int

const (
	onlyRevisions content = iota
	// withVersions leaves out attachments, as Fabric does for committed versions.
	withVersions
	withValues
)

// Read calls each with the documents that exist; i is the place of the key.
func (db *DB) Read(ctx context.Context, keys [][]byte, each func(i int, d Document)) error {
	return db.read(ctx, keys, withValues, each)
}

// ReadVersions is Read without the values: Value is nil.
func (db *DB) ReadVersions(ctx context.Context, keys [][]byte, each func(i int, d Document)) error {
	return db.read(ctx, keys, withVersions, each)
}

func (db *DB) read(ctx context.Context, keys [][]byte, what content, each func(i int, d Document)) error {
	for from, page := 0, db.cfg.BatchDocs; from < len(keys); {
		part := keys[from:min(from+page, len(keys))]
		docs, err := db.readPart(ctx, part, what)
		if errors.Is(err, errLong) && len(part) > 1 {
			page = len(part) / 2
			continue
		}
		if err != nil {
			return err
		}
		for i, d := range docs {
			if d != nil {
				each(from+i, *d)
			}
		}
		from += len(part)
	}
	return nil
}

// readPart returns the documents of keys in one request, nil for missing ones.
func (db *DB) readPart(ctx context.Context, keys [][]byte, what content) ([]*Document, error) {
	ids := make([]string, len(keys))
	for i, key := range keys {
		ids[i] = documentID(key)
	}
	docs := make([]*Document, len(keys))
	err := db.byID(ctx, ids, what, func(i int, r *row) (err error) {
		docs[i], err = db.document(r, what)
		return err
	})
	return docs, err
}

// document returns a row's document and caches its revision; nil if there is none.
func (db *DB) document(r *row, what content) (*Document, error) {
	if len(r.Doc) == 0 || string(r.Doc) == "null" {
		if !r.absent() {
			return nil, fmt.Errorf("the row of document %q is without it", r.ID)
		}
		db.revisions.put(r.ID, "")
		return nil, nil
	}
	d, rev, err := parseDocument(r.Doc, what == withValues)
	if err != nil {
		return nil, err
	}
	db.revisions.put(r.ID, rev)
	return &d, nil
}

func (r *row) absent() bool { return r.Error == "not_found" || r.Value.Deleted }

// byID asks for documents, and calls each with a row for each id.
func (db *DB) byID(ctx context.Context, ids []string, what content, each func(i int, r *row) error) error {
	body, err := json.Marshal(map[string][]string{"keys": ids})
	if err != nil {
		return err
	}
	r := request{method: http.MethodPost, path: db.path("/_all_docs"), body: body, what: "reading revisions", most: db.pageBytes}
	if len(ids) == 1 {
		r.most = maxResponse
	}
	if what != onlyRevisions {
		r.what, r.query = "reading documents", url.Values{"include_docs": {"true"}}
	}
	if what == withValues {
		r.query.Set("attachments", "true")
	}
	var answer answer
	if err := db.call(ctx, r, &answer); err != nil {
		return err
	}
	for i := range answer.Rows {
		row := &answer.Rows[i]
		if i == len(ids) || row.Error != "" && row.Error != "not_found" {
			return fmt.Errorf("%s: row %d of %d: %s", r.what, i, len(ids), row.Error)
		}
		var key string
		if err := json.Unmarshal(row.Key, &key); err != nil || key != ids[i] {
			return fmt.Errorf("%s: row %d is that of %q, not of %q", r.what, i, key, ids[i])
		}
		row.ID = ids[i]
		if err := each(i, row); err != nil {
			return fmt.Errorf("%s: %w", r.what, err)
		}
	}
	// A missing row does not mean a missing document.
	if n := len(answer.Rows); n < len(ids) {
		return fmt.Errorf("%s: %s answers for %d of %d documents", r.what, db.server, n, len(ids))
	}
	return nil
}

// Scan calls each with the documents of from ≤ key < to in order, until it returns false. A nil to
// is the end.
func (db *DB) Scan(ctx context.Context, from, to []byte, each func(Document) bool) error {
	start, end := documentID(from), afterIDs
	if to != nil {
		end = documentID(to)
	}
	limit := db.cfg.BatchDocs
	for {
		page, err := db.page(ctx, start, end, limit)
		if errors.Is(err, errLong) && limit > 1 {
			limit /= 2
			continue
		}
		if err != nil {
			return err
		}
		for _, d := range page {
			if !each(d) {
				return nil
			}
		}
		if len(page) < limit {
			return nil
		}
		// The next possible key has a zero byte more.
		start = documentID(page[len(page)-1].Key) + "\x00"
	}
}

// page returns the first documents of start ≤ id < end.
func (db *DB) page(ctx context.Context, start, end string, limit int) (docs []Document, err error) {
	if start >= end {
		return nil, nil // which CouchDB calls a bad request
	}
	r := request{
		method: http.MethodGet, path: db.path("/_all_docs"), what: "reading a range",
		query: url.Values{
			"startkey": {string(appendText(nil, start))}, "endkey": {string(appendText(nil, end))},
			"inclusive_end": {"false"}, "include_docs": {"true"}, "attachments": {"true"},
			"limit": {strconv.Itoa(limit)},
		},
		most: db.pageBytes,
	}
	if limit == 1 {
		r.most = maxResponse
	}
	var answer answer
	if err := db.call(ctx, r, &answer); err != nil {
		return nil, err
	}
	for i := range answer.Rows {
		d, err := db.document(&answer.Rows[i], withValues)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.what, err)
		}
		if d != nil {
			docs = append(docs, *d)
		}
	}
	return docs, nil
}
