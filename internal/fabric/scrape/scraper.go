package scrape

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Scraper reads the page of one node. It is used by one goroutine at a time.
type Scraper struct {
	cfg    Config
	client http.Client
	past   history
}

// New checks the Config; it connects to nothing.
func New(cfg Config) (*Scraper, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	transport := &http.Transport{ForceAttemptHTTP2: true, MaxIdleConns: 1, TLSClientConfig: cfg.TLS.Clone()}
	return &Scraper{cfg: cfg, client: http.Client{Transport: transport}}, nil
}

// Close ends the connection to the node.
func (s *Scraper) Close() { s.client.CloseIdleConnections() }

// Once reads the page. Means are of what came since it was read before, so that the first
// time there are none.
func (s *Scraper) Once(ctx context.Context) ([]Sample, error) {
	_, samples, err := s.once(ctx)
	return samples, err
}

// once also returns the instant of the samples: between the request and its answer.
func (s *Scraper) once(ctx context.Context) (at time.Time, samples []Sample, err error) {
	limited, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	asked := time.Now()
	body, err := s.get(limited)
	if err == nil {
		at = asked.Add(time.Since(asked) / 2)
		defer body.Close()
		var p page
		if p, err = parse(body); err == nil {
			samples, err = s.past.samples(p)
		}
	}
	if err != nil {
		return at, nil, s.problem(err)
	}
	return at, samples, nil
}

func (s *Scraper) get(ctx context.Context) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.cfg.URL, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "text/plain;version=0.0.4")
	req.Header.Set("User-Agent", "blockreel")
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 200))
		return nil, &statusError{code: resp.StatusCode, text: strings.TrimSpace(string(text))}
	}
	return resp.Body, nil
}

// Outage is a time in which the page could not be read.
type Outage struct {
	// From is the first reading that failed, To the first that did not. To is zero while
	// the outage lasts.
	From, To time.Time
	// Err is what the first reading that failed has said.
	Err error
}

func (o Outage) String() string {
	if o.To.IsZero() {
		return o.Err.Error()
	}
	return fmt.Sprintf("%v; it lasted %v", o.Err, o.To.Sub(o.From).Round(time.Millisecond))
}

// Run reads the page now and at every interval until ctx ends, and hands over what each
// reading has found, with its instant. An outage is reported twice: when it begins and when it
// ends. The page is read again at the next interval, whatever has happened. Both functions
// are called from this goroutine.
func (s *Scraper) Run(ctx context.Context, take func(at time.Time, samples []Sample), tell func(Outage)) {
	tick := time.NewTicker(s.cfg.Interval)
	defer tick.Stop()
	defer s.Close()
	var out Outage
	for {
		asked := time.Now()
		at, samples, err := s.once(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			if out.Err == nil {
				out = Outage{From: asked, Err: err}
				tell(out)
			}
		default:
			if out.Err != nil {
				out.To = at
				tell(out)
				out = Outage{}
			}
			if len(samples) > 0 {
				take(at, samples)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
