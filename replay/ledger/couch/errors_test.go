package couch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/blockreel/blockreel/replay/ledger/couch/couchtest"
)

const secret = "xyzzy"

// noSecret fails when a password is in an error.
func noSecret(t testing.TB, err error) {
	t.Helper()
	if err == nil {
		t.Error("no error")
	} else if strings.Contains(err.Error(), secret) {
		t.Errorf("the password is in %q", err)
	}
}

func TestAway(t *testing.T) {
	s := httptest.NewServer(&couchtest.Server{})
	address := strings.Replace(s.URL, "http://", "http://admin:"+secret+"@", 1)
	s.Close()
	_, err := Open(t.Context(), Config{URL: address, Database: "ch1", Backoff: time.Millisecond})
	noSecret(t, err)
	var away *AwayError
	if !errors.As(err, &away) || away.Server != s.URL {
		t.Errorf("%v", err)
	}
	for _, want := range []string{s.URL, "tried 4 times", "connection refused", "pouchdb-server", "url="} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %q", want, err)
		}
	}
}

func TestGoesAway(t *testing.T) {
	s := httptest.NewServer(&couchtest.Server{})
	db := mustOpen(t, Config{URL: s.URL, Retries: -1})
	s.Close()
	for what, err := range map[string]error{
		"writing": db.Write(t.Context(), []Document{{Key: []byte("k")}}),
		"reading": db.Read(t.Context(), [][]byte{[]byte("k")}, nil),
		"scan":    db.Scan(t.Context(), nil, nil, nil),
		"set":     db.SetSavepoint(t.Context(), 1),
		"drop":    db.Drop(t.Context()),
	} {
		var away *AwayError
		if !errors.As(err, &away) || strings.Contains(err.Error(), "tried") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestTimeout(t *testing.T) {
	release := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	defer s.Close()
	defer close(release)
	cfg := Config{URL: s.URL, Database: "ch1", Timeout: 10 * time.Millisecond, Retries: 1, Backoff: time.Millisecond}
	_, err := Open(t.Context(), cfg)
	if err == nil || !strings.Contains(err.Error(), "no answer within 10ms") || !strings.Contains(err.Error(), "tried 2 times") {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cfg.Timeout = time.Hour
	done := make(chan error)
	go func() {
		_, err := Open(ctx, cfg)
		done <- err
	}()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// TestCancelledWait holds that nobody waits for a retry that nobody wants.
func TestCancelledWait(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		cancel()
	}))
	defer s.Close()
	_, err := Open(ctx, Config{URL: s.URL, Database: "ch1", Backoff: time.Hour})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestAuthentication(t *testing.T) {
	inner := &couchtest.Server{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		if user != "admin" || password != secret {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"error":"unauthorized","reason":"Name or password is incorrect."}`)
			return
		}
		inner.ServeHTTP(w, r)
	}))
	defer s.Close()
	in := strings.Replace(s.URL, "http://", "http://admin:"+secret+"@", 1)
	for _, cfg := range []Config{{URL: in}, {URL: s.URL + "/", User: "admin", Password: secret}} {
		mustOpen(t, cfg)
	}
	var status *StatusError
	for _, cfg := range []Config{{URL: s.URL}, {URL: s.URL, User: "admin", Password: secret + "!"}} {
		cfg.Database = "ch1"
		_, err := Open(t.Context(), cfg)
		noSecret(t, err)
		if !errors.As(err, &status) || status.Code != http.StatusUnauthorized || !strings.Contains(err.Error(), "user:password@host") {
			t.Errorf("%v", err)
		}
	}
}

// TestAnswers holds that answers which CouchDB does not give are errors that say so.
func TestAnswers(t *testing.T) {
	inner := &couchtest.Server{}
	var answer atomic.Pointer[string]
	var code atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if text := answer.Load(); text != nil {
			w.WriteHeader(int(code.Load()))
			fmt.Fprint(w, *text)
			return
		}
		inner.ServeHTTP(w, r)
	}))
	defer s.Close()
	readOne := func(db *DB) error {
		return db.Read(t.Context(), [][]byte{[]byte("k")}, func(int, Document) {})
	}
	writeOne := func(db *DB) error { return db.Write(t.Context(), []Document{{Key: []byte("k")}}) }
	scan := func(db *DB) error { return db.Scan(t.Context(), nil, nil, func(Document) bool { return true }) }
	for _, c := range []struct {
		use  func(*DB) error
		code int
		text string
		want string
	}{
		{readOne, 200, "<html>", "cannot be read"},
		{readOne, 200, "[]", "cannot be read"},
		{readOne, 200, `{"total_rows":1}`, "answers for 0 of 1 documents"},
		{readOne, 200, `{"rows":1}`, "cannot be read"},
		{readOne, 200, `{"rows":[{"id":":other","key":":other"}]}`, `row 0 is that of ":other"`},
		{readOne, 200, `{"rows":[{"key":":k","error":"not_found"},{"key":":k","error":"not_found"}]}`, "row 1 of 1"},
		{readOne, 200, `{"rows":[{"key":":k","error":"forbidden"}]}`, "forbidden"},
		{readOne, 200, `{"rows":[{"key":":k","doc":{"_id":":k","a":1}}]}`, "another program"},
		{readOne, 200, `{"rows":[{"key":":k","doc":{"_id":":k","~version":"","_attachments":{"valueBytes":{"stub":true}}}}]}`, "without data"},
		{readOne, 200, `{"rows":[{"key":":k","doc":{"_id":"k"}}]}`, "does not belong to a ledger"},
		{readOne, 200, `{"rows":[{"key":":k","doc":{"_id":":k","~version":"?"}}]}`, "illegal base64"},
		{readOne, 200, `{"rows":[]}`, "answers for 0 of 1 documents"},
		{readOne, 200, `{"rows":[{"key":":k"}]}`, "without it"},
		{readOne, 404, `{"error":"not_found","reason":"Database does not exist."}`, "Database does not exist."},
		{readOne, 500, `oops`, "500 Internal Server Error"},
		{readOne, 302, ``, "302 Found"},
		{writeOne, 200, `{"rows":[{"key":":other"}]}`, `row 0 is that of ":other"`},
		{writeOne, 200, `{"rows":[]}`, "answers for 0 of 1 documents"},
		{writeOne, 200, `{"rows":[{"key":":k","value":{}}]}`, "without its revision"},
		{scan, 200, `{"rows":[{"id":":k","key":":k"}]}`, "without it"},
		{scan, 200, `{"rows":[{"id":":k","key":":k","doc":{"_id":":k"}}]}`, "another program"},
		{scan, 200, `{"rows":[`, "cannot be read: unexpected end"},
	} {
		db := mustOpen(t, Config{URL: s.URL, Retries: 1})
		answer.Store(&c.text)
		code.Store(int64(c.code))
		if err := c.use(db); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%d %s: error %v, want one with %q", c.code, c.text, err, c.want)
		}
		answer.Store(nil)
	}
}

// bulkServer answers _bulk_docs with a text and everything else well.
func bulkServer(t testing.TB, code int, text string) *DB {
	inner := &couchtest.Server{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/_bulk_docs") {
			w.WriteHeader(code)
			fmt.Fprint(w, text)
			return
		}
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return mustOpen(t, Config{URL: s.URL})
}

func TestRefusedWrites(t *testing.T) {
	for _, c := range []struct {
		code int
		text string
		want string
	}{
		{201, `[]`, "answers for 0 of 1"},
		{201, `[{"id":":x","rev":"1-a"}]`, `document ":x", not for ":k"`},
		{201, `[{"id":":k","error":"conflict","reason":"Document update conflict."}]`, "another program"},
		{201, `[{"id":":k","error":"forbidden","reason":"read only"}]`, "forbidden: read only"},
		{400, `{"error":"bad_request","reason":"invalid UTF-8 JSON"}`, "400 Bad Request (bad_request: invalid UTF-8 JSON)"},
		{413, ``, "413 Request Entity Too Large"},
	} {
		db := bulkServer(t, c.code, c.text)
		err := db.Write(t.Context(), []Document{{Key: []byte("k"), Value: []byte("v")}})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%d %s: error %v, want one with %q", c.code, c.text, err, c.want)
		}
	}
}

func TestNoCouchDB(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"hello":1}`) }))
	defer s.Close()
	_, err := Open(t.Context(), Config{URL: s.URL, Database: "ch1"})
	if err == nil || !strings.Contains(err.Error(), "check the address") {
		t.Errorf("%v", err)
	}
}

func TestConfig(t *testing.T) {
	for _, cfg := range []Config{
		{Database: "Ch1"}, {Database: ""}, {Database: "a/b"}, {Database: "ch1", URL: "ftp://admin:" + secret + "@host"},
		{Database: "ch1", URL: "http://admin:" + secret + "@ho st"}, {Database: "ch1", URL: "127.0.0.1:5984"},
		{Database: "ch1", Timeout: -1}, {Database: "ch1", Retries: -2}, {Database: "ch1", BatchDocs: -1}, {Database: "ch1", Revisions: -1},
	} {
		_, err := Open(t.Context(), cfg)
		noSecret(t, err)
	}
	for channel, want := range map[string]string{"ch1": "ch1", "my.channel": "my$channel", "7up": "ch7up", "": "ch", "Übel/x": "ch_bel_x"} {
		if got := DatabaseName(channel); got != want || !databaseName.MatchString(got) {
			t.Errorf("channel %q has the database %q, want %q", channel, got, want)
		}
	}
}

func TestRevisionsAreBounded(t *testing.T) {
	r := newRevisions(100)
	for i := range 10_000 {
		r.put(fmt.Sprint(i), "rev")
		r.get("0")
	}
	if n := len(r.young) + len(r.old); n > 100 {
		t.Errorf("%d revisions are kept", n)
	}
	if rev, known := r.get("0"); rev != "rev" || !known {
		t.Error("the one in use is forgotten")
	}
	if _, known := r.get("1"); known {
		t.Error("one that nobody used is kept")
	}
	r.forget("0")
	if _, known := r.get("0"); known {
		t.Error("a forgotten one is known")
	}
}

// FuzzDocument: any key and value come back from a document; a JSON value as the same
// JSON.
func FuzzDocument(f *testing.F) {
	for value := range values {
		f.Add([]byte("ns\x00key"), []byte{0, 1}, []byte(value))
	}
	f.Fuzz(func(t *testing.T, key, version, value []byte) {
		d := Document{Key: key, Version: version, Value: value}
		raw := appendDocument(nil, &d, documentID(key), "1-a")
		got, rev, err := parseDocument(raw, true)
		if err != nil {
			t.Fatalf("%q: %v", raw, err)
		}
		if string(got.Key) != string(key) || string(got.Version) != string(version) || rev != "1-a" {
			t.Fatalf("%q, %q, %q from %q", got.Key, got.Version, rev, raw)
		}
		if isDocument(value) {
			if !sameJSON(t, got.Value, value) {
				t.Fatalf("%q became %q", value, got.Value)
			}
		} else if string(got.Value) != string(value) {
			t.Fatalf("%q became %q", value, got.Value)
		}
	})
}
