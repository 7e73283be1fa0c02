package couch

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Limits of an answer: with one document, and with more. A longer page is asked for again with
// fewer documents.
const (
	maxResponse = 1 << 30
	pageBytes   = 64 << 20
)

var errLong = errors.New("the answer is too long")

const longestWait = 10 * time.Second

type request struct {
	method, path string
	query        url.Values
	body         []byte
	// what names it in errors.
	what string
	// most is how many bytes the answer may have; 0 is maxResponse.
	most int64
}

// A StatusError is the answer of a server that refuses.
type StatusError struct {
	Code int
	// Kind and Reason are CouchDB's words, perhaps empty.
	Kind, Reason string
	server       string
}

func (e *StatusError) Error() string {
	text := fmt.Sprintf("%s answers %d %s", e.server, e.Code, http.StatusText(e.Code))
	if e.Kind != "" {
		text += fmt.Sprintf(" (%s: %s)", e.Kind, e.Reason)
	}
	switch e.Code {
	case http.StatusUnauthorized, http.StatusForbidden:
		text += "; give a user who may write, as in http://user:password@host:5984"
	}
	return text
}

// passing reports whether the answer may be another one later.
func (e *StatusError) passing() bool {
	return e.Code >= 500 || e.Code == http.StatusTooManyRequests || e.Code == http.StatusRequestTimeout
}

// AwayError is the error for a server that does not answer.
type AwayError struct {
	// Server is its address, without credentials.
	Server string
	Err    error
}

func (e *AwayError) Error() string {
	text := fmt.Sprintf("CouchDB at %s does not answer: %v", e.Server, e.Err)
	var dial *net.OpError
	if errors.As(e.Err, &dial) && dial.Op == "dial" {
		text += "; start it (CouchDB itself, or npx pouchdb-server --in-memory --port 5984), or give its address with url="
	}
	return text
}

func (e *AwayError) Unwrap() error { return e.Err }

// call sends a request, again if the server fails, and decodes the answer into result unless it is
// nil.
func (db *DB) call(ctx context.Context, r request, result any) error {
	wait := db.cfg.Backoff
	for try := 0; ; try++ {
		err := db.once(ctx, r, result)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%s: %w", r.what, ctx.Err())
		}
		if try == db.cfg.Retries || !passing(err) {
			if try > 0 {
				return fmt.Errorf("%s, tried %d times: %w", r.what, try+1, err)
			}
			return fmt.Errorf("%s: %w", r.what, err)
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("%s: %w", r.what, ctx.Err())
		case <-timer.C:
		}
		wait = min(2*wait, longestWait)
	}
}

// passing reports whether another try may help.
func passing(err error) bool {
	var status *StatusError
	if errors.As(err, &status) {
		return status.passing()
	}
	var away *AwayError
	return errors.As(err, &away)
}

func (db *DB) once(ctx context.Context, r request, result any) error {
	ctx, cancel := context.WithTimeout(ctx, db.cfg.Timeout)
	defer cancel()
	u := *db.server
	u.Path, u.RawPath = "", ""
	target := strings.TrimSuffix(u.String(), "/") + db.server.EscapedPath() + r.path
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.method, target, bytes.NewReader(r.body))
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "application/json")
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("X-Couch-Full-Commit", "true")
	}
	if db.cfg.User != "" {
		req.SetBasicAuth(db.cfg.User, db.cfg.Password)
	}
	resp, err := db.http.Do(req)
	if err != nil {
		return db.away(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return db.refusal(resp)
	}
	most := cmp.Or(r.most, maxResponse)
	answer, err := io.ReadAll(http.MaxBytesReader(nil, resp.Body, most))
	if tooLong := (*http.MaxBytesError)(nil); errors.As(err, &tooLong) {
		return fmt.Errorf("%s: %w: it has more than %d bytes", db.server, errLong, most)
	}
	if err != nil {
		return db.away(err)
	}
	if result != nil {
		if err := json.Unmarshal(answer, result); err != nil {
			return fmt.Errorf("%s: its answer cannot be read: %w", db.server, err)
		}
	}
	return nil
}

// away wraps an error of the connection, without the address that net/http adds.
func (db *DB) away(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("no answer within %v", db.cfg.Timeout)
	}
	return &AwayError{db.server.String(), err}
}

func (db *DB) refusal(resp *http.Response) error {
	e := &StatusError{Code: resp.StatusCode, server: db.server.String()}
	var said struct{ Error, Reason string }
	if json.NewDecoder(io.LimitReader(resp.Body, 64<<10)).Decode(&said) == nil {
		e.Kind, e.Reason = said.Error, said.Reason
	}
	return e
}
