package scrape

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Config says which page to read, and how often.
type Config struct {
	// URL of the page. A scheme or a path that is missing is filled in: https if there is
	// TLS and http otherwise, and /metrics.
	URL string
	// Node names whose page it is, in errors. Empty: the URL's host.
	Node string
	// Interval is the time from one reading to the next. 0 means 1 s.
	Interval time.Duration
	// Timeout ends a reading that takes longer. 0 means 5 s.
	Timeout time.Duration
	// TLS of an https page. Nil: the system's CAs, and no client certificate.
	TLS *tls.Config
}

const (
	defaultInterval = time.Second
	leastInterval   = 10 * time.Millisecond
	defaultTimeout  = 5 * time.Second
)

// validate sets the defaults.
func (c *Config) validate() error {
	if c.URL == "" {
		return errors.New("no address of a metrics page")
	}
	if !strings.Contains(c.URL, "://") {
		scheme := "http"
		if c.TLS != nil {
			scheme = "https"
		}
		c.URL = scheme + "://" + c.URL
	}
	u, err := url.Parse(c.URL)
	switch {
	case err != nil:
		return fmt.Errorf("address of a metrics page: %w", err)
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("metrics page %s: %q is neither http nor https", u.Redacted(), u.Scheme)
	case u.Host == "":
		return fmt.Errorf("metrics page %s: it has no host", u.Redacted())
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/metrics"
	}
	c.URL = u.String()
	if c.Node == "" {
		c.Node = u.Host
	}
	if c.Interval == 0 {
		c.Interval = defaultInterval
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.Interval < leastInterval || c.Timeout < 0 {
		return fmt.Errorf("metrics of %s: read every %v within %v: choose at least %v", c.Node, c.Interval, c.Timeout, leastInterval)
	}
	return nil
}
