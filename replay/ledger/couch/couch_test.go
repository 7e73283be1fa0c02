package couch

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/blockreel/blockreel/replay/ledger/couch/couchtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// servers runs a test against our server and against PouchDB's.
func servers(t *testing.T, test func(t *testing.T, address string)) {
	t.Run("own", func(t *testing.T) { test(t, couchtest.Start(t)) })
	t.Run("pouchdb", func(t *testing.T) { test(t, couchtest.StartPouchDB(t)) })
}

func mustOpen(t testing.TB, cfg Config) *DB {
	t.Helper()
	if cfg.Database == "" {
		cfg.Database = "ch1"
	}
	if cfg.Backoff == 0 {
		cfg.Backoff = time.Millisecond
	}
	db, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return db
}

func write(t testing.TB, db *DB, docs ...Document) {
	t.Helper()
	if err := db.Write(t.Context(), docs); err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, db *DB, keys ...string) map[string]Document {
	t.Helper()
	var raw [][]byte
	for _, k := range keys {
		raw = append(raw, []byte(k))
	}
	got := make(map[string]Document)
	err := db.Read(t.Context(), raw, func(i int, d Document) {
		if string(d.Key) != keys[i] {
			t.Errorf("document %q for key %q", d.Key, keys[i])
		}
		got[keys[i]] = d
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// values are kinds of what chaincodes store, and whether they are documents' own fields.
var values = map[string]bool{
	"":                                 false,
	"\v{}":                             false,
	"text":                             false,
	"\x00\xff\xfe binary":              false,
	`{"owner":"Ann","size":5}`:         true,
	`{"b":1,"a":{"z":[1,2],"y":null}}`: true,
	`{}`:                               true,
	`[1,2]`:                            false,
	`17`:                               false,
	`null`:                             false,
	`{"a":1} x`:                        false,
	`{"_id":"mine"}`:                   false,
	`{"_rev":"1-2"}`:                   false,
	`{"~version":"x"}`:                 false,
	`{"a":1,"a":2}`:                    false,
	`{"a":"\ud800"}`:                   false,
	"{\"a\":\"\xff\"}":                 false,
	`{"key":"é\u0000<&>"}`:             true,
	`{"_attachments":{}}`:              false,

	// What a server keeps of a number is at most a double.
	`{"a":0.1,"b":-1.50e-3,"c":1E+2,"d":0,"e":9007199254740991,"f":0.000}`: true,
	`{"a":1e400}`:                   false,
	`{"a":[{"b":-1e400}]}`:          false,
	`{"a":1e-400}`:                  false,
	`{"a":12345678901234567890}`:    false,
	`{"a":9007199254740993}`:        false,
	`{"a":0.1234567890123456789}`:   false,
	`{"a":-0}`:                      false,
	`{"a":{"b":1,"c":[],"b":2}}`:    false,
	`{"a":{"b":1},"c":[{"b":"b"}]}`: true,
}

func TestValues(t *testing.T) {
	servers(t, func(t *testing.T, address string) {
		db := mustOpen(t, Config{URL: address})
		var docs []Document
		var keys []string
		for value := range values {
			key := "ns\x00" + value
			keys = append(keys, key)
			docs = append(docs, Document{Key: []byte(key), Version: []byte("v\x00" + value), Value: []byte(value)})
		}
		write(t, db, docs...)
		got := read(t, db, append(keys, "ns\x00missing", "")...)
		if len(got) != len(keys) {
			t.Errorf("%d documents for %d keys", len(got), len(keys))
		}
		for value, fields := range values {
			d := got["ns\x00"+value]
			same := bytes.Equal(d.Value, []byte(value)) || fields && sameJSON(t, d.Value, []byte(value))
			if !same || string(d.Version) != "v\x00"+value {
				t.Errorf("%q comes back as %q with version %q", value, d.Value, d.Version)
			}
			if isDocument([]byte(value)) != fields {
				t.Errorf("%q: is a document %v", value, !fields)
			}
		}
	})
}

func sameJSON(t testing.TB, a, b []byte) bool {
	t.Helper()
	var x, y any
	if err := errors.Join(json.Unmarshal(a, &x), json.Unmarshal(b, &y)); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(x) == fmt.Sprint(y)
}

// TestFields holds that others find a JSON value's fields where Fabric has them.
func TestFields(t *testing.T) {
	servers(t, func(t *testing.T, address string) {
		db := mustOpen(t, Config{URL: address})
		write(t, db, Document{Key: []byte("k"), Version: []byte{1, 2}, Value: []byte(` { "owner" : "Ann" } `)},
			Document{Key: []byte("b"), Value: []byte("bytes")})
		for id, want := range map[string]string{":k": `"owner":"Ann"`, ":b": `"valueBytes"`} {
			resp, err := http.Get(address + "/ch1/" + url.PathEscape(id))
			if err != nil {
				t.Fatal(err)
			}
			var doc bytes.Buffer
			doc.ReadFrom(resp.Body)
			resp.Body.Close()
			if !strings.Contains(doc.String(), want) || !strings.Contains(doc.String(), `"~version"`) {
				t.Errorf("document %s is %s", id, &doc)
			}
		}
		http.DefaultClient.CloseIdleConnections()
	})
}

// TestChanges writes, overwrites and deletes at random, with a cache of revisions that is
// too small, one that holds all, and a client that knows none; and compares with a map.
func TestChanges(t *testing.T) {
	servers(t, func(t *testing.T, address string) {
		for _, cached := range []int{2, 1000} {
			random := rand.New(rand.NewPCG(1, uint64(cached)))
			cfg := Config{URL: address, Database: fmt.Sprintf("changes%d", cached), Revisions: cached, BatchDocs: 7}
			db := mustOpen(t, cfg)
			want := make(map[string]string)
			for round := range 30 {
				if round%10 == 9 {
					db = mustOpen(t, cfg)
				}
				var docs []Document
				for range random.IntN(25) {
					key := fmt.Sprintf("ns\x00k%d\xf0", random.IntN(40))
					value := fmt.Sprintf("%d", random.Uint64())
					d := Document{Key: []byte(key), Value: []byte(value), Deleted: random.IntN(3) == 0}
					if docs = append(docs, d); d.Deleted {
						delete(want, key)
					} else {
						want[key] = value
					}
				}
				write(t, db, docs...)
			}
			sorted := slices.Sorted(keysOf(want))
			var got []string
			err := db.Scan(t.Context(), nil, nil, func(d Document) bool {
				if string(d.Value) != want[string(d.Key)] {
					t.Errorf("%q has %q, want %q", d.Key, d.Value, want[string(d.Key)])
				}
				got = append(got, string(d.Key))
				return true
			})
			if err != nil || !slices.Equal(got, sorted) {
				t.Fatalf("keys %q, %v, want %q", got, err, sorted)
			}
			if found := read(t, db, sorted...); len(found) != len(sorted) {
				t.Errorf("%d of %d keys are found", len(found), len(sorted))
			}
		}
	})
}

func keysOf(m map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// TestOrder holds that a scan is in the order of the keys' bytes, whatever these are.
func TestOrder(t *testing.T) {
	servers(t, func(t *testing.T, address string) {
		db := mustOpen(t, Config{URL: address, BatchDocs: 16})
		var keys []string
		var docs []Document
		random := rand.New(rand.NewPCG(5, 6))
		for b := range 256 {
			keys = append(keys, string([]byte{byte(b)}), string([]byte{'k', byte(b)}))
		}
		for range 200 {
			key := make([]byte, random.IntN(5))
			for i := range key {
				key[i] = []byte{0, 1, '_', 'a', 0x7f, 0x80, 0xc3, 0xff}[random.IntN(8)]
			}
			keys = append(keys, string(key))
		}
		slices.Sort(keys)
		keys = slices.Compact(keys)
		for _, k := range keys {
			docs = append(docs, Document{Key: []byte(k), Value: []byte(k)})
		}
		random.Shuffle(len(docs), func(i, j int) { docs[i], docs[j] = docs[j], docs[i] })
		write(t, db, docs...)
		if err := db.SetSavepoint(t.Context(), 1); err != nil { // must not be among them
			t.Fatal(err)
		}
		scan := func(from, to []byte, most int) (got []string) {
			err := db.Scan(t.Context(), from, to, func(d Document) bool {
				got = append(got, string(d.Key))
				return len(got) < most
			})
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		if got := scan(nil, nil, 1<<30); !slices.Equal(got, keys) {
			t.Errorf("%d keys in another order than %d", len(got), len(keys))
		}
		for _, r := range [][2]string{{"k", "l"}, {"\x80", "\xff"}, {"a", "a"}, {"z", "a"}, {"k\x00", "k\xff"}, {"_", "`"}} {
			i, _ := slices.BinarySearch(keys, r[0])
			j, _ := slices.BinarySearch(keys, r[1])
			want := keys[i:max(i, j)]
			if got := scan([]byte(r[0]), []byte(r[1]), 1<<30); !slices.Equal(got, want) {
				t.Errorf("from %q to %q: %q, want %q", r[0], r[1], got, want)
			}
			if got := scan([]byte(r[0]), []byte(r[1]), 2); len(want) > 2 && !slices.Equal(got, want[:2]) {
				t.Errorf("the first two from %q: %q", r[0], got)
			}
		}
	})
}

// TestPages holds that documents which are too large for one answer together come in several,
// and that versions are read without values.
func TestPages(t *testing.T) {
	servers(t, func(t *testing.T, address string) {
		db := mustOpen(t, Config{URL: address})
		db.pageBytes = 1 << 20
		value := bytes.Repeat([]byte("0123456789abcdef"), 1<<20/16/5)
		var docs []Document
		var keys []string
		var raw [][]byte
		for i := range 8 {
			keys, raw = append(keys, fmt.Sprint(i)), append(raw, fmt.Append(nil, i))
			docs = append(docs, Document{Key: raw[i], Version: []byte("v"), Value: value})
		}
		write(t, db, docs...)
		for key, d := range read(t, db, keys...) {
			if !bytes.Equal(d.Value, value) {
				t.Errorf("%s comes back with %d bytes", key, len(d.Value))
			}
		}
		n := 0
		err := db.Scan(t.Context(), nil, nil, func(d Document) bool {
			if string(d.Key) != keys[n] || !bytes.Equal(d.Value, value) {
				t.Errorf("document %d of a scan is %q with %d bytes", n, d.Key, len(d.Value))
			}
			n++
			return true
		})
		if err != nil || n != len(keys) {
			t.Errorf("%d documents in a scan: %v", n, err)
		}
		n = 0
		err = db.ReadVersions(t.Context(), append(raw, []byte("missing")), func(i int, d Document) {
			if string(d.Key) != keys[i] || string(d.Version) != "v" || d.Value != nil {
				t.Errorf("version %q of %s, with a value of %d bytes", d.Version, d.Key, len(d.Value))
			}
			n++
		})
		if err != nil || n != len(keys) {
			t.Errorf("%d versions: %v", n, err)
		}
	})
}

// TestWhoseDatabase holds that a database is one ledger's, and that whoever got no answer, or
// ended in between, finds his own.
func TestWhoseDatabase(t *testing.T) {
	servers(t, func(t *testing.T, address string) {
		ours := Config{URL: address, Database: "ours", Ledger: "one"}
		if _, err := Open(t.Context(), Config{URL: address, Database: "ours", Existing: true}); !errors.Is(err, ErrGone) {
			t.Errorf("there is none yet: %v", err)
		}
		for range 2 {
			mustOpen(t, ours)
		}
		for _, existing := range []bool{false, true} {
			_, err := Open(t.Context(), Config{URL: address, Database: "ours", Ledger: "two", Existing: existing})
			if !errors.Is(err, ErrOther) {
				t.Errorf("another ledger's: %v", err)
			}
		}
		// Made, but not marked.
		put(t, address+"/empty", "")
		if _, err := Open(t.Context(), Config{URL: address, Database: "empty", Existing: true}); !errors.Is(err, ErrGone) {
			t.Errorf("an empty one: %v", err)
		}
		mustOpen(t, Config{URL: address, Database: "empty", Ledger: "one"})
		// Of another program.
		put(t, address+"/other", "")
		put(t, address+"/other/doc", "{}")
		if _, err := Open(t.Context(), Config{URL: address, Database: "other", Ledger: "one"}); !errors.Is(err, ErrOther) {
			t.Errorf("another program's: %v", err)
		}
	})
}

func put(t testing.TB, address, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		t.Fatalf("%s: %s", address, resp.Status)
	}
	http.DefaultClient.CloseIdleConnections()
}

// TestLostAnswers holds that a database whose first request is answered by nobody is ours all the same.
func TestLostAnswers(t *testing.T) {
	inner := &couchtest.Server{}
	lost := map[string]bool{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut && !lost[r.URL.Path] {
			lost[r.URL.Path] = true
			inner.ServeHTTP(httptest.NewRecorder(), r)
			hijack(t, w).Close()
			return
		}
		inner.ServeHTTP(w, r)
	}))
	defer s.Close()
	mustOpen(t, Config{URL: s.URL, Ledger: "one"})
	if len(lost) != 2 {
		t.Errorf("the answers to %v were lost", lost)
	}
}

func TestSavepoint(t *testing.T) {
	servers(t, func(t *testing.T, address string) {
		db := mustOpen(t, Config{URL: address})
		if _, ok, err := db.Savepoint(t.Context()); ok || err != nil {
			t.Fatalf("a new database has a savepoint: %v", err)
		}
		other := mustOpen(t, Config{URL: address})
		for h := range uint64(3) {
			for _, db := range []*DB{db, other} { // whose revisions grow old
				if err := db.SetSavepoint(t.Context(), h); err != nil {
					t.Fatal(err)
				}
				if got, ok, err := db.Savepoint(t.Context()); got != h || !ok || err != nil {
					t.Errorf("savepoint %d, %v, %v, want %d", got, ok, err, h)
				}
				if err := db.SetSavepoint(t.Context(), h); err != nil {
					t.Fatal(err)
				}
			}
		}
		if _, err := db.Size(t.Context()); err != nil {
			t.Error(err)
		}
		if err := db.Drop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, _, err := db.Savepoint(t.Context()); err == nil {
			t.Error("no error for a database that is gone")
		}
		if _, err := Open(t.Context(), Config{URL: address, Database: "ch1", Existing: true}); !errors.Is(err, ErrGone) {
			t.Errorf("a database that is gone, and should be there: %v", err)
		}
		db = mustOpen(t, Config{URL: address})
		if _, ok, err := db.Savepoint(t.Context()); ok || err != nil {
			t.Errorf("the database after it was dropped has a savepoint: %v", err)
		}
	})
}

// TestOldRevisions holds that documents that somebody else has changed are written all
// the same.
func TestOldRevisions(t *testing.T) {
	servers(t, func(t *testing.T, address string) {
		a, b := mustOpen(t, Config{URL: address}), mustOpen(t, Config{URL: address})
		doc := func(key, value string) Document { return Document{Key: []byte(key), Value: []byte(value)} }
		gone := Document{Key: []byte("3"), Deleted: true}
		write(t, a, doc("1", "a"), doc("2", "a"), doc("3", "a"))
		write(t, b, doc("1", "b"), gone)
		write(t, a, doc("1", "c"), doc("2", "c"), doc("3", "c"))
		write(t, b, gone, doc("2", "d"), doc("1", "d"))
		write(t, a, gone, doc("1", "e"))
		got := read(t, b, "1", "2", "3")
		if len(got) != 2 || string(got["1"].Value) != "e" || string(got["2"].Value) != "d" {
			t.Errorf("%v", got)
		}
	})
}

// TestStumbles holds that a server that fails now and then, before or after it has done its
// work, loses nothing.
func TestStumbles(t *testing.T) {
	var requests atomic.Int64
	inner := &couchtest.Server{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		random := rand.New(rand.NewPCG(7, uint64(requests.Add(1))))
		switch random.IntN(6) {
		case 0:
			http.Error(w, `{"error":"internal","reason":"busy"}`, http.StatusServiceUnavailable)
		case 1: // done, but the answer is lost
			inner.ServeHTTP(httptest.NewRecorder(), r)
			hijack(t, w).Close()
		case 2: // half an answer
			answer := httptest.NewRecorder()
			inner.ServeHTTP(answer, r)
			w.Header().Set("Content-Length", fmt.Sprint(answer.Body.Len()))
			w.Write(answer.Body.Bytes()[:answer.Body.Len()/2])
		default:
			inner.ServeHTTP(w, r)
		}
	}))
	defer s.Close()
	db := mustOpen(t, Config{URL: s.URL, Retries: 20, BatchDocs: 10, Backoff: time.Microsecond})
	want := make(map[string]string)
	for round := range 20 {
		var docs []Document
		for i := range 15 {
			key, value := fmt.Sprintf("k%d", i*round%40), fmt.Sprint(round)
			d := Document{Key: []byte(key), Value: []byte(value), Deleted: (i+round)%7 == 0}
			if docs = append(docs, d); d.Deleted {
				delete(want, key)
			} else {
				want[key] = value
			}
		}
		write(t, db, docs...)
		if err := db.SetSavepoint(t.Context(), uint64(round)); err != nil {
			t.Fatal(err)
		}
		got := read(t, db, slices.Sorted(keysOf(want))...)
		for k, v := range want {
			if string(got[k].Value) != v {
				t.Fatalf("round %d: %s is %q, want %q", round, k, got[k].Value, v)
			}
		}
		n := 0
		if err := db.Scan(t.Context(), nil, nil, func(Document) bool { n++; return true }); err != nil || n != len(want) {
			t.Fatalf("round %d: %d documents in a scan, want %d (%v)", round, n, len(want), err)
		}
	}
}

func hijack(t testing.TB, w http.ResponseWriter) interface{ Close() error } {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		t.Error(err)
	}
	return conn
}
