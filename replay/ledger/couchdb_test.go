package ledger

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
	name, err := os.ReadFile(filepath.Join(cfg.Dir, "couchdb"))
	if err != nil || !strings.HasPrefix(string(name), "my$channel_") {
		t.Fatalf("the database is called %q, %v", name, err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	resp, err := http.Get(address + "/" + strings.TrimSpace(string(name)))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	if resp.StatusCode != http.StatusNotFound {
		t.Errorf("after the drop the server answers %s", resp.Status)
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
	same := ",database=" + strings.TrimSpace(string(name))
	if _, err := Open(spec+",database=other", cfg); err == nil || !strings.Contains(err.Error(), "not \"other\"") {
		t.Errorf("another database than its own: %v", err)
	}
	if _, err := Open(spec+same, Config{Dir: t.TempDir(), Channel: "my.channel"}); err == nil || !strings.Contains(err.Error(), "of another ledger") {
		t.Errorf("the database of another ledger: %v", err)
	}
	l = open(t, spec+same, cfg)
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
