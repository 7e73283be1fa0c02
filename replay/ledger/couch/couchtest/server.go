// Package couchtest has servers for tests: a small one that is as strict as CouchDB about revisions
// and fields, and PouchDB's, if it is installed (make couchdb).
package couchtest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Start starts a Server and returns its address.
func Start(t testing.TB) string {
	t.Helper()
	s := httptest.NewServer(&Server{})
	t.Cleanup(s.Close)
	return s.URL
}

// Server is an http.Handler that answers as CouchDB 3 does, from memory.
type Server struct {
	// Welcome answers a greeting. Nil: as CouchDB 3.
	Welcome map[string]any
	// Sizeless: it does not report the size of a database.
	Sizeless bool

	mu  sync.Mutex
	dbs map[string]*database
}

type database struct {
	docs map[string]*document
	// ids of the documents in order, without fresh ones.
	ids   []string
	fresh []string
}

type document struct {
	generation int
	deleted    bool
	// fields without those that begin with an underscore.
	fields      map[string]json.RawMessage
	attachments map[string]attachment
}

type attachment struct {
	ContentType string `json:"content_type"`
	Data        []byte `json:"data"`
}

// failure is CouchDB's answer when it refuses.
type failure struct {
	code          int
	Error, Reason string
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dbs == nil {
		s.dbs = make(map[string]*database)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	code, answer := http.StatusOK, any(nil)
	name, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	db := s.dbs[name]
	switch {
	case name == "":
		if answer = s.Welcome; s.Welcome == nil {
			answer = map[string]any{"couchdb": "Welcome", "version": "3.3.3", "vendor": map[string]string{"name": "The Apache Software Foundation"}}
		}
	case rest == "" && r.Method == http.MethodPut && db == nil:
		s.dbs[name] = &database{docs: make(map[string]*document)}
		code, answer = http.StatusCreated, map[string]bool{"ok": true}
	case rest == "" && r.Method == http.MethodPut:
		answer = failure{http.StatusPreconditionFailed, "file_exists", "The database could not be created, the file already exists."}
	case db == nil:
		answer = failure{http.StatusNotFound, "not_found", "Database does not exist."}
	case rest == "" && r.Method == http.MethodDelete:
		delete(s.dbs, name)
		answer = map[string]bool{"ok": true}
	case rest == "" && r.Method == http.MethodGet && s.Sizeless:
		answer = map[string]any{"db_name": name, "doc_count": db.count()}
	case rest == "" && r.Method == http.MethodGet:
		answer = map[string]any{"db_name": name, "doc_count": db.count(), "sizes": map[string]int{"file": 4096 + 100*len(db.docs)}}
	case rest == "_all_docs" && r.Method == http.MethodPost:
		answer = db.byKeys(body, r.URL.Query())
	case rest == "_all_docs" && r.Method == http.MethodGet:
		answer = db.page(r.URL.Query())
	case rest == "_bulk_docs" && r.Method == http.MethodPost:
		code, answer = http.StatusCreated, db.bulk(body)
	case rest != "" && rest[0] != '_' && r.Method == http.MethodGet:
		answer = db.get(rest)
	case rest != "" && rest[0] != '_' && r.Method == http.MethodPut:
		code = http.StatusCreated
		_, answer = db.store(rest, body)
	default:
		answer = failure{http.StatusMethodNotAllowed, "method_not_allowed", r.Method + " " + r.URL.Path}
	}
	if f, ok := answer.(failure); ok {
		code, answer = f.code, map[string]string{"error": f.Error, "reason": f.Reason}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(answer) // a client that went away needs no answer
}

func rev(id string, d *document) string { return fmt.Sprintf("%d-%032x", d.generation, len(id)) }

// json returns the document, with the data of its attachments if whole.
func (d *document) json(id string, whole bool) map[string]any {
	object := map[string]any{"_id": id, "_rev": rev(id, d)}
	for name, value := range d.fields {
		object[name] = value
	}
	if len(d.attachments) > 0 {
		shown := make(map[string]any)
		for name, a := range d.attachments {
			if shown[name] = a; !whole {
				shown[name] = map[string]any{"content_type": a.ContentType, "stub": true}
			}
		}
		object["_attachments"] = shown
	}
	return object
}

func (db *database) byKeys(body []byte, q url.Values) any {
	var asked struct{ Keys []string }
	if err := json.Unmarshal(body, &asked); err != nil || asked.Keys == nil {
		return failure{http.StatusBadRequest, "bad_request", "`keys` member must be an array."}
	}
	rows := []any{}
	for _, id := range asked.Keys {
		d := db.docs[id]
		switch {
		case d == nil:
			rows = append(rows, map[string]any{"key": id, "error": "not_found"})
		case d.deleted:
			rows = append(rows, map[string]any{"id": id, "key": id, "value": map[string]any{"rev": rev(id, d), "deleted": true}, "doc": nil})
		default:
			rows = append(rows, db.row(id, d, q))
		}
	}
	return map[string]any{"total_rows": len(db.docs), "offset": nil, "rows": rows}
}

func (db *database) row(id string, d *document, q url.Values) map[string]any {
	row := map[string]any{"id": id, "key": id, "value": map[string]any{"rev": rev(id, d)}}
	if q.Get("include_docs") == "true" {
		row["doc"] = d.json(id, q.Get("attachments") == "true")
	}
	return row
}

func (db *database) page(q url.Values) any {
	var start, end string
	limit, err := strconv.Atoi(q.Get("limit"))
	if json.Unmarshal([]byte(q.Get("startkey")), &start) != nil || json.Unmarshal([]byte(q.Get("endkey")), &end) != nil || err != nil {
		return failure{http.StatusBadRequest, "query_parse_error", "startkey, endkey and limit are expected"}
	}
	if start > end {
		return failure{http.StatusBadRequest, "query_parse_error", "No rows can match your key range"}
	}
	if len(db.fresh) > 0 {
		db.ids = append(db.ids, db.fresh...)
		db.fresh = nil
		slices.Sort(db.ids)
	}
	rows := []any{}
	for i, _ := slices.BinarySearch(db.ids, start); i < len(db.ids) && len(rows) < limit; i++ {
		id := db.ids[i]
		if id > end || id == end && q.Get("inclusive_end") == "false" {
			break
		}
		if d := db.docs[id]; !d.deleted {
			rows = append(rows, db.row(id, d, q))
		}
	}
	return map[string]any{"total_rows": len(db.docs), "offset": 0, "rows": rows}
}

func (db *database) bulk(body []byte) any {
	var sent struct{ Docs []json.RawMessage }
	if err := json.Unmarshal(body, &sent); err != nil {
		return failure{http.StatusBadRequest, "bad_request", "invalid UTF-8 JSON"}
	}
	results := []any{}
	for _, raw := range sent.Docs {
		id, answer := db.store("", raw)
		if f, ok := answer.(failure); ok {
			if f.code == http.StatusBadRequest {
				return f
			}
			answer = map[string]string{"id": id, "error": f.Error, "reason": f.Reason}
		}
		results = append(results, answer)
	}
	return results
}

// count returns the number of documents that are not deleted.
func (db *database) count() (n int) {
	for _, d := range db.docs {
		if !d.deleted {
			n++
		}
	}
	return n
}

func (db *database) get(id string) any {
	d := db.docs[id]
	if d == nil || d.deleted {
		return failure{http.StatusNotFound, "not_found", "missing"}
	}
	return d.json(id, false)
}

// store takes a document if its revision is the newest.
func (db *database) store(id string, raw json.RawMessage) (string, any) {
	d, id, of, err := parse(id, raw)
	if err != nil {
		return id, failure{http.StatusBadRequest, "doc_validation", err.Error()}
	}
	old := db.docs[id]
	switch {
	case old == nil:
		if of != "" {
			return id, failure{http.StatusConflict, "conflict", "Document update conflict."}
		}
		db.fresh = append(db.fresh, id)
	case of != rev(id, old) && (of != "" || !old.deleted):
		return id, failure{http.StatusConflict, "conflict", "Document update conflict."}
	default:
		d.generation = old.generation
	}
	d.generation++
	db.docs[id] = d
	return id, map[string]any{"ok": true, "id": id, "rev": rev(id, d)}
}

func parse(id string, raw json.RawMessage) (d *document, _, of string, err error) {
	d = &document{}
	known := map[string]any{"_id": &id, "_rev": &of, "_deleted": &d.deleted, "_attachments": &d.attachments}
	err = json.Unmarshal(raw, &d.fields)
	for name, value := range d.fields {
		into, ok := known[name]
		switch {
		case err != nil:
		case ok:
			err = json.Unmarshal(value, into)
			delete(d.fields, name)
		case strings.HasPrefix(name, "_"):
			err = fmt.Errorf("bad special document member: %s", name)
		}
	}
	if err == nil && (id == "" || strings.HasPrefix(id, "_")) {
		err = fmt.Errorf("only reserved document ids may start with underscore: %q", id)
	}
	return d, id, of, err
}
