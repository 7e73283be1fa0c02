package couch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// Defaults of a Config, those of Fabric's ledger.state.couchDBConfig.
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
	// URL of the server, with user:password@ before the host if it wants one; empty is
	// DefaultURL.
	URL string
	// Database is its name: DatabaseName makes one that CouchDB takes.
	Database string
	// User and Password are used if URL has none.
	User, Password string
	// Timeout of one request; 0 is DefaultTimeout.
	Timeout time.Duration
	// Retries of a request that the server failed to answer; 0 is DefaultRetries, -1
	// none. Backoff is the wait before the first, each next one waits twice as long; 0 is
	// 125 ms.
	Retries int
	Backoff time.Duration
	// BatchDocs is how many documents one request writes or asks for; 0 is
	// DefaultBatchDocs.
	BatchDocs int
	// Revisions is how many revisions are kept in memory, of about 150 bytes each; 0 is
	// DefaultRevisions.
	Revisions int
}

var databaseName = regexp.MustCompile(`^[a-z][a-z0-9_$()+-]{0,237}$`)

// DatabaseName makes a name that CouchDB takes of a channel's: letters in lower case,
// a dollar for a dot, as Fabric does it, and an underscore for what else is not allowed.
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

// validate sets what is not set, and gives the server's address without credentials.
func (c *Config) validate() (*url.URL, error) {
	if c.URL == "" {
		c.URL = DefaultURL
	}
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		// The error of url.Parse has the address in it, and that the password.
		return nil, errors.New("the address of CouchDB is none: choose one such as " + DefaultURL)
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
		return nil, fmt.Errorf("CouchDB takes no database called %q: begin with a letter, then a-z, 0-9, and _$()+-", c.Database)
	}
	for _, f := range []struct {
		what     string
		value    *int
		fallback int
	}{
		{"documents a request", &c.BatchDocs, DefaultBatchDocs},
		{"revisions", &c.Revisions, DefaultRevisions},
	} {
		if *f.value < 0 {
			return nil, fmt.Errorf("CouchDB: %d %s", *f.value, f.what)
		}
		if *f.value == 0 {
			*f.value = f.fallback
		}
	}
	if c.Timeout < 0 || c.Backoff < 0 || c.Retries < -1 {
		return nil, fmt.Errorf("CouchDB: time-out %v, %d retries with a wait of %v", c.Timeout, c.Retries, c.Backoff)
	}
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	if c.Backoff == 0 {
		c.Backoff = defaultBackoff
	}
	switch c.Retries {
	case 0:
		c.Retries = DefaultRetries
	case -1:
		c.Retries = 0
	}
	return u, nil
}

// DB is a channel's state in CouchDB.
type DB struct {
	cfg       Config
	server    *url.URL // without credentials
	http      *http.Client
	transport *http.Transport
	revisions revisions
	room      []byte
}

// Open connects to the server and makes the database when it is not there; created
// tells which.
func Open(ctx context.Context, cfg Config) (db *DB, created bool, err error) {
	server, err := cfg.validate()
	if err != nil {
		return nil, false, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	db = &DB{
		cfg: cfg, server: server, transport: transport,
		http: &http.Client{
			Transport: transport,
			// An answer from elsewhere would be of another database.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		revisions: newRevisions(cfg.Revisions),
	}
	if created, err = db.create(ctx); err != nil {
		db.Close()
		return nil, false, err
	}
	return db, created, nil
}

// create looks whether a CouchDB answers, and makes the database.
func (db *DB) create(ctx context.Context) (bool, error) {
	var welcome map[string]json.RawMessage
	if err := db.call(ctx, request{method: http.MethodGet, path: "/", what: "greeting"}, &welcome); err != nil {
		return false, err
	}
	_, couch := welcome["couchdb"]
	_, pouch := welcome["express-pouchdb"]
	if !couch && !pouch {
		return false, fmt.Errorf("%s answers, but not as CouchDB does: is it the right address?", db.server)
	}
	err := db.call(ctx, request{method: http.MethodPut, path: db.path(""), what: "making the database"}, nil)
	var status *StatusError
	if errors.As(err, &status) && status.Code == http.StatusPreconditionFailed {
		return false, nil
	}
	return err == nil, err
}

// Size is that of the database's files, in bytes; 0 when the server does not tell.
func (db *DB) Size(ctx context.Context) (int64, error) {
	var info struct{ Sizes struct{ File int64 } }
	err := db.call(ctx, request{method: http.MethodGet, path: db.path(""), what: "reading the database's size"}, &info)
	return info.Sizes.File, err
}

// Drop deletes the database and everything in it.
func (db *DB) Drop(ctx context.Context) error {
	return db.call(ctx, request{method: http.MethodDelete, path: db.path(""), what: "deleting the database"}, nil)
}

// Close closes the connections.
func (db *DB) Close() {
	db.transport.CloseIdleConnections()
}

func (db *DB) path(rest string) string { return "/" + url.PathEscape(db.cfg.Database) + rest }
