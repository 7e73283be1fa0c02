package couch

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
)

// Defaults of Fabric's ledger.state.couchDBConfig.
const (
	DefaultURL       = "http://127.0.0.1:5984"
	DefaultTimeout   = 35 * time.Second
	DefaultRetries   = 3
	DefaultBatchDocs = 1000
	// DefaultRevisions is what 64 MB hold, the size of Fabric's cache.
	DefaultRevisions = 400_000

	defaultBackoff = 125 * time.Millisecond
)

// Config says where the database is.
type Config struct {
	// URL of the server, perhaps with user:password@. Empty: DefaultURL.
	URL string
	// Database is a name that CouchDB accepts: see DatabaseName.
	Database string
	// Ledger identifies the ledger that owns the database.
	Ledger string
	// Existing makes no database.
	Existing bool
	// User and Password are used if URL has none.
	User, Password string
	// Timeout of one request; 0 is DefaultTimeout.
	Timeout time.Duration
	// Retries after a failure of the server; 0 is DefaultRetries, -1 none. Backoff is the first
	// wait, which doubles each time; 0 is 125 ms.
	Retries int
	Backoff time.Duration
	// BatchDocs is the number of documents in a request; 0 is DefaultBatchDocs.
	BatchDocs int
	// Revisions is the number of cached revisions, of about 150 bytes each; 0 is DefaultRevisions.
	Revisions int
}

var databaseName = regexp.MustCompile(`^[a-z][a-z0-9_$()+-]{0,237}$`)

// DatabaseName returns a name that CouchDB accepts: lower case, a dollar for a dot, as in Fabric,
// and an underscore for other characters.
func DatabaseName(channel string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-', r == '_':
			return r
		case r == '.':
			return '$'
		}
		return '_'
	}, strings.ToLower(channel))
	if name == "" || name[0] < 'a' || name[0] > 'z' {
		name = "ch" + name
	}
	return name[:min(len(name), 200)]
}

// validate sets defaults and returns the server's address without credentials.
func (c *Config) validate() (*url.URL, error) {
	if c.URL == "" {
		c.URL = DefaultURL
	}
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		// The error of url.Parse contains the password.
		return nil, errors.New("url: not an address; choose one such as " + DefaultURL)
	}
	if u.User != nil {
		c.User = u.User.Username()
		c.Password, _ = u.User.Password()
		u.User = nil
	}
	c.URL = "" // so that nobody prints it
	u.Path = strings.TrimSuffix(u.Path, "/")
	u.RawPath, u.RawQuery, u.Fragment = "", "", ""
	if !databaseName.MatchString(c.Database) {
		return nil, fmt.Errorf("database %q: CouchDB does not accept the name; begin with a letter, then a-z, 0-9, and _$()+-", c.Database)
	}
	if c.Timeout < 0 || c.Backoff < 0 || c.Retries < -1 || c.BatchDocs < 0 || c.Revisions < 0 {
		return nil, fmt.Errorf("CouchDB: time-out %v, %d retries with a wait of %v, %d documents a request, %d revisions: none may be negative",
			c.Timeout, c.Retries, c.Backoff, c.BatchDocs, c.Revisions)
	}
	c.Timeout = cmp.Or(c.Timeout, DefaultTimeout)
	c.Backoff = cmp.Or(c.Backoff, defaultBackoff)
	c.BatchDocs = cmp.Or(c.BatchDocs, DefaultBatchDocs)
	c.Revisions = cmp.Or(c.Revisions, DefaultRevisions)
	c.Retries = max(cmp.Or(c.Retries, DefaultRetries), 0) // -1: none
	return u, nil
}

// DB is a channel's state in CouchDB.
type DB struct {
	cfg       Config
	server    *url.URL // without credentials
	is        Server
	http      *http.Client
	transport *http.Transport
	revisions revisions
	pageBytes int64 // as the constant
	room      []byte
}

var (
	// ErrGone: the database does not exist.
	ErrGone = errors.New("the database is gone")
	// ErrOther: the database belongs to another ledger.
	ErrOther = errors.New("the database belongs to another ledger")
)

// Open connects to the server, and makes the database if it does not exist. A database without
// documents becomes the ledger's.
func Open(ctx context.Context, cfg Config) (*DB, error) {
	server, err := cfg.validate()
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	db := &DB{
		cfg: cfg, server: server, transport: transport,
		http: &http.Client{
			Transport: transport,
			// An answer from elsewhere would be of another database.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		revisions: newRevisions(cfg.Revisions),
		pageBytes: pageBytes,
	}
	if err = db.greet(ctx); err == nil {
		err = db.begin(ctx)
	}
	if err != nil {
		db.Close()
		return nil, err
	}
	return db, nil
}

// A Server is a server's description of itself.
type Server struct {
	// Name has product, version and vendor.
	Name string
	// Other: it is not Apache CouchDB.
	Other bool
}

// Server describes the server.
func (db *DB) Server() Server { return db.is }

// greet checks that a CouchDB answers.
func (db *DB) greet(ctx context.Context) error {
	var welcome map[string]json.RawMessage
	if err := db.call(ctx, request{method: http.MethodGet, path: "/", what: "greeting"}, &welcome); err != nil {
		return err
	}
	_, couch := welcome["couchdb"]
	_, pouch := welcome["express-pouchdb"]
	if !couch && !pouch {
		return fmt.Errorf("%s does not answer as CouchDB does; check the address", db.server)
	}
	var version string
	var vendor struct{ Name, Version string }
	_ = json.Unmarshal(welcome["version"], &version) // what is not there, or is no text, it does not tell
	_ = json.Unmarshal(welcome["vendor"], &vendor)
	words := []string{"CouchDB", version}
	if !couch {
		words[0] = "express-pouchdb"
	}
	if vendor.Name != "" {
		words = append(words, "of", vendor.Name)
		if vendor.Version != version {
			words = append(words, vendor.Version)
		}
	}
	name := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "" }), " "))
	if runes := []rune(name); len(runes) > 100 {
		name = string(runes[:100]) + "…"
	}
	db.is = Server{Name: name, Other: !couch || vendor.Name != "" && !strings.Contains(vendor.Name, "Apache")}
	return nil
}

// begin makes the database, and marks it as this ledger's. It may be repeated after an
// interruption.
func (db *DB) begin(ctx context.Context) error {
	if !db.cfg.Existing {
		err := db.call(ctx, request{method: http.MethodPut, path: db.path(""), what: "making the database"}, nil)
		if err != nil && !refused(err, http.StatusPreconditionFailed) { // it is there
			return err
		}
	}
	is, err := db.info(ctx)
	if err != nil {
		return err
	}
	switch {
	case is.Count > 0:
	case db.cfg.Existing:
		return ErrGone
	default:
		body, err := json.Marshal(owner{ownerID, db.cfg.Ledger})
		if err != nil {
			return err
		}
		err = db.call(ctx, request{method: http.MethodPut, path: db.path("/" + ownerID), body: body, what: "marking the database"}, nil)
		if err != nil && !refused(err, http.StatusConflict) { // it is marked
			return err
		}
	}
	var o owner
	err = db.call(ctx, request{method: http.MethodGet, path: db.path("/" + ownerID), what: "asking whose database it is"}, &o)
	if refused(err, http.StatusNotFound) || err == nil && o.Ledger != db.cfg.Ledger {
		return ErrOther
	}
	return err
}

// owner is the document with the database's owner.
type owner struct {
	ID     string `json:"_id"`
	Ledger string `json:"ledger"`
}

func refused(err error, code int) bool {
	var status *StatusError
	return errors.As(err, &status) && status.Code == code
}

type info struct {
	Count int `json:"doc_count"`
	Sizes struct{ File int64 }
}

func (db *DB) info(ctx context.Context) (info, error) {
	var i info
	err := db.call(ctx, request{method: http.MethodGet, path: db.path(""), what: "looking at the database"}, &i)
	if refused(err, http.StatusNotFound) {
		err = ErrGone
	}
	return i, err
}

// Size returns the size of the database's files; 0 if the server does not report it.
func (db *DB) Size(ctx context.Context) (int64, error) {
	i, err := db.info(ctx)
	return i.Sizes.File, err
}

// Drop deletes the database.
func (db *DB) Drop(ctx context.Context) error {
	return db.call(ctx, request{method: http.MethodDelete, path: db.path(""), what: "deleting the database"}, nil)
}

// Close closes the connections.
func (db *DB) Close() {
	db.transport.CloseIdleConnections()
}

func (db *DB) path(rest string) string { return "/" + url.PathEscape(db.cfg.Database) + rest }
