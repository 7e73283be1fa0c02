package scrape

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
)

// statusError is an answer that is no page.
type statusError struct {
	code int
	text string
}

func (e *statusError) Error() string {
	return fmt.Sprintf("it answers %d %s: %.200q", e.code, http.StatusText(e.code), e.text)
}

// problem says whose page could not be read, and what may be done about it.
func (s *Scraper) problem(err error) error {
	hint := ""
	if h := s.hint(err); h != "" {
		hint = " (" + h + ")"
	}
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err // it repeats the URL
	}
	where, parseErr := url.Parse(s.cfg.URL)
	if parseErr != nil {
		return fmt.Errorf("metrics of %s: %w%s", s.cfg.Node, err, hint)
	}
	return fmt.Errorf("metrics of %s at %s: %w%s", s.cfg.Node, where.Redacted(), err, hint)
}

const (
	setListen   = "a node shows its metrics where operations.listenAddress says: CORE_OPERATIONS_LISTENADDRESS of a peer, ORDERER_OPERATIONS_LISTENADDRESS of an orderer"
	setProvider = "the node shows metrics there once CORE_METRICS_PROVIDER=prometheus, or ORDERER_METRICS_PROVIDER of an orderer, is set: with statsd or disabled there is no page"
	setCert     = "the node wants a client certificate that its operations.tls.clientRootCAs know"
)

// hint says what to set.
func (s *Scraper) hint(err error) string {
	var status *statusError
	var unknown x509.UnknownAuthorityError
	var hostname x509.HostnameError
	var op *net.OpError
	switch {
	case errors.As(err, &status):
		return status.hint()
	case errors.Is(err, errNotFabric):
		return "is this the operations endpoint of an orderer or a peer? " + setListen
	case errors.As(err, &unknown):
		return "the certificate of the operations endpoint is from another TLS CA than the given one"
	case errors.As(err, &hostname):
		return "choose a host name that the endpoint's certificate has"
	case errors.As(err, &op) && op.Op == "remote error":
		return setCert
	case errors.Is(err, http.ErrSchemeMismatch):
		return "operations.tls.enabled is false there: use http"
	case errors.Is(err, syscall.ECONNREFUSED):
		return setListen
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf("no answer within %v; %s", s.cfg.Timeout, setListen)
	}
	return ""
}

func (e *statusError) hint() string {
	switch {
	case e.code == http.StatusNotFound:
		return setProvider
	case e.code == http.StatusUnauthorized || e.code == http.StatusForbidden:
		return setCert
	case e.code == http.StatusBadRequest && strings.Contains(e.text, "HTTPS"):
		return "operations.tls.enabled is true there: use https"
	}
	return ""
}
