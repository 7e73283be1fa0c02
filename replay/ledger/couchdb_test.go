package ledger

import (
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	kvrwsetpb "github.com/blockreel/blockreel/internal/fabric/proto/kvrwset"
	"github.com/blockreel/blockreel/replay/ledger/couch/couchtest"
	"github.com/blockreel/blockreel/traces/event"
)

// A ledger's state is in its own database; dropped, it is made again of the blocks.
func TestCouchDBDatabase(t *testing.T) {
	address := couchtest.Start(t)
	spec := "couchdb:url=" + address
	cfg := Config{Dir: t.TempDir(), Channel: "my.channel"}
	l := open(t, spec+",drop=true", cfg)
	for n := range event.BlockNum(12) {
		commit(t, l, testBlock(n))
	}
	name := databaseOf(t, cfg.Dir)
	if !strings.HasPrefix(name, "my$channel_") {
		t.Fatalf("the database is called %q", name)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if isThere(t, address+"/"+name) {
		t.Error("the database is there after the drop")
	}
	if _, err := Open(spec, Config{Dir: cfg.Dir, ReadOnly: true}); err == nil || !strings.Contains(err.Error(), "does not exist") || isThere(t, address+"/"+name) {
		t.Errorf("dropped, and opened to be read only: %v", err)
	}
	l = open(t, spec, cfg)
	if l.Height() != 12 {
		t.Errorf("height %d, want 12", l.Height())
	}
	check(t, l)
	commit(t, l, testBlock(12))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	same := ",database=" + name
	if _, err := Open(spec+",database=other", cfg); err == nil || !strings.Contains(err.Error(), "not \"other\"") {
		t.Errorf("another database than its own: %v", err)
	}
	if _, err := Open(spec+same, Config{Dir: t.TempDir(), Channel: "my.channel"}); err == nil || !strings.Contains(err.Error(), "belongs to another ledger") {
		t.Errorf("the database of another ledger: %v", err)
	}
	l = open(t, spec+same, cfg)
	check(t, l)
}

// databaseOf is the name of the database of a ledger in a directory.
func databaseOf(t *testing.T, dir string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, "couchdb"))
	if err != nil {
		t.Fatal(err)
	}
	name, _, _ := strings.Cut(string(raw), "\n")
	return name
}

func isThere(t *testing.T, address string) bool {
	t.Helper()
	resp, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	return resp.StatusCode == http.StatusOK
}

// A ledger that was not opened, for whatever reason, keeps its database.
func TestCouchDBDropsWhatWasOpened(t *testing.T) {
	address := couchtest.Start(t)
	spec := "couchdb:url=" + address
	cfg := Config{Dir: t.TempDir(), Channel: "ch1"}
	l := open(t, spec, cfg)
	commit(t, l, testBlock(0))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	database := address + "/" + databaseOf(t, cfg.Dir)
	if _, err := Open(spec+",drop=true", Config{Dir: cfg.Dir, Channel: "ch2"}); err == nil || !strings.Contains(err.Error(), `"ch1", not "ch2"`) {
		t.Errorf("another channel: %v", err)
	}
	if !isThere(t, database) {
		t.Error("a mistyped channel has cost the state")
	}
	l = open(t, spec+",drop=true", cfg)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if isThere(t, database) {
		t.Error("an opened ledger was closed and not dropped")
	}
}

// A ledger that is broken off while it is made can be made by the next try, with the database's
// name that was asked for.
func TestCouchDBBegunTwice(t *testing.T) {
	inner := &couchtest.Server{}
	requests, last := 0, 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if requests++; requests > last {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		inner.ServeHTTP(w, r)
	}))
	defer s.Close()
	for done, tries := false, 0; !done; tries++ {
		cfg := Config{Dir: t.TempDir(), Channel: "ch1"}
		spec := fmt.Sprintf("couchdb:url=%s,database=x%d", s.URL, tries)
		requests, last = 0, tries
		l, err := Open(spec, cfg)
		if done = err == nil; done {
			if tries < 5 {
				t.Errorf("opened with %d requests: this tests nothing", tries)
			}
		} else if !strings.Contains(err.Error(), "403") {
			t.Fatal(err)
		} else {
			last = math.MaxInt
			l = open(t, spec, cfg)
		}
		last = math.MaxInt
		commit(t, l, testBlock(0))
		check(t, l)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		// Nor is the name binding while nothing has been written.
		if tries > 4 {
			continue
		}
		cfg.Dir = t.TempDir()
		requests, last = 0, tries
		if _, err := Open(spec+"y", cfg); err == nil {
			t.Fatal("a server that refuses was no error")
		}
		last = math.MaxInt
		l = open(t, spec+"z", cfg)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A leveldb ledger does not become a couchdb one; unless there is nothing in it, as when a
// couchdb ledger was broken off before it was one.
func TestCouchDBOverLevelDB(t *testing.T) {
	spec := "couchdb:url=" + couchtest.Start(t)
	cfg := Config{Dir: t.TempDir(), Channel: "ch1"}
	k, err := parse("leveldb")
	if err != nil {
		t.Fatal(err)
	}
	rest, err := openLevelDB(cfg, k.options)
	if err != nil {
		t.Fatal(err)
	}
	if err := rest.close(); err != nil {
		t.Fatal(err)
	}
	l := open(t, spec, cfg)
	commit(t, l, testBlock(0))
	check(t, l)

	cfg.Dir = t.TempDir()
	l = open(t, "leveldb", cfg) // not even a block
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(spec, cfg); err == nil || !strings.Contains(err.Error(), "a ledger of leveldb, not of couchdb") {
		t.Errorf("leveldb opened as couchdb: %v", err)
	}
	l = open(t, "leveldb", cfg)
	check(t, l)
}

// Versions are loaded without values, whatever these are: a block that reads and overwrites
// large ones asks for none of them.
func TestCouchDBVersions(t *testing.T) {
	inner := &couchtest.Server{}
	attached := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("attachments") == "true" && r.Method == http.MethodPost {
			attached++
		}
		inner.ServeHTTP(w, r)
	}))
	defer s.Close()
	l := open(t, "couchdb:url="+s.URL, Config{Dir: t.TempDir(), Channel: "ch1"})
	c := &chain{t: t}
	commit(t, l, c.genesis())
	commit(t, l, c.block(put("a", "text"), put("b", `{"json":1}`)))
	commit(t, l, c.block(
		tx{set: &kvrwsetpb.KVRWSet{Reads: []*kvrwsetpb.KVRead{reads("a", 1, 0), reads("b", 1, 1), reads("c")}, Writes: []*kvrwsetpb.KVWrite{puts("a", "new")}}},
		tx{set: &kvrwsetpb.KVRWSet{Reads: []*kvrwsetpb.KVRead{reads("b", 1, 0)}}},
	))
	wantCodes(t, l, 2, 0, 11)
	if attached > 0 {
		t.Errorf("%d requests for values", attached)
	}
	// With metadata the value is written anew, and so must be read.
	commit(t, l, c.block(tx{set: &kvrwsetpb.KVRWSet{MetadataWrites: []*kvrwsetpb.KVMetadataWrite{{
		Key: "a", Entries: []*kvrwsetpb.KVMetadataEntry{{Name: "VALIDATION_PARAMETER", Value: []byte("policy")}},
	}}}}))
	wantCodes(t, l, 3, 0)
	if v, err := l.State(t.Context(), "basic", "a"); err != nil || string(v.Value) != "new" || len(v.Metadata) == 0 {
		t.Errorf("with metadata, the value is %q, %v", v.Value, err)
	}
	if attached == 0 {
		t.Error("nobody asked for the value")
	}
	check(t, l)
}

// The password is neither in what is printed of a ledger nor in an error.
func TestCouchDBPassword(t *testing.T) {
	const secret = "xyzzy"
	inner := &couchtest.Server{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "admin" || password != secret {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		inner.ServeHTTP(w, r)
	}))
	defer s.Close()
	cfg := Config{Dir: t.TempDir(), Channel: "ch1"}
	in := strings.Replace(s.URL, "http://", "http://admin:"+secret+"@", 1)
	if _, err := Open("couchdb:url="+in, cfg); err == nil || strings.Contains(err.Error(), secret) || !strings.Contains(err.Error(), "environment") {
		t.Errorf("a password in the address: %v", err)
	}
	if _, err := Open("couchdb:url="+s.URL, cfg); err == nil || !strings.Contains(err.Error(), "401 Unauthorized") {
		t.Errorf("no password: %v", err)
	}
	t.Setenv(couchUser, "admin")
	t.Setenv(couchPassword, secret)
	l := open(t, "couchdb:url="+s.URL, cfg)
	commit(t, l, testBlock(0))
	s.CloseClientConnections()
	s.Close()
	if err := l.Validate(t.Context(), testBlock(1)); err != nil {
		t.Fatal(err)
	}
	_, err := l.Commit(t.Context(), testBlock(1))
	if err == nil || !strings.Contains(err.Error(), s.URL) || !strings.Contains(err.Error(), "pouchdb-server") || strings.Contains(err.Error(), secret) {
		t.Errorf("a server that went away: %v", err)
	}
	if strings.Contains(l.Name(), secret) {
		t.Errorf("the ledger's name is %q", l.Name())
	}
}

// A server is named as it names itself; one that does not tell the size of the state leaves that
// of the ledger unknown.
func TestCouchDBServerIsTold(t *testing.T) {
	type fields = map[string]any
	for _, tc := range []struct {
		welcome fields
		name    string
		other   bool
	}{
		{nil, "CouchDB 3.3.3 of The Apache Software Foundation", false},
		{fields{"couchdb": "Welcome", "version": "3.1.1"}, "CouchDB 3.1.1", false},
		{fields{"express-pouchdb": "Welcome!", "version": "4.2.0", "vendor": fields{"name": "PouchDB authors", "version": "4.2.0"}}, "express-pouchdb 4.2.0 of PouchDB authors", true},
		{fields{"couchdb": "Welcome", "version": "3.3.3", "vendor": fields{"name": "IBM\nCloudant", "version": "8158"}}, "CouchDB 3.3.3 of IBM?Cloudant 8158", true},
		{fields{"couchdb": "Welcome", "version": 3, "vendor": "none"}, "CouchDB", false},
	} {
		s := httptest.NewServer(&couchtest.Server{Welcome: tc.welcome, Sizeless: tc.other})
		l := open(t, "couchdb:url="+s.URL, Config{Dir: t.TempDir(), Channel: "ch1"})
		commit(t, l, testBlock(0))
		if s, err := l.Server(t.Context()); err != nil || s.Name != tc.name || s.Other != tc.other || (s.Bytes > 0) == tc.other {
			t.Errorf("%v: %+v, %v", tc.welcome, s, err)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		s.Close()
	}
	if s, err := open(t, Memory, Config{Channel: "ch1"}).Server(t.Context()); err != nil || s != (Server{}) {
		t.Errorf("a ledger in memory has a server, %+v, %v", s, err)
	}
}
