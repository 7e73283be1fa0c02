package scrape

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/blockreel/blockreel/internal/fabric/pki"
)

// shows serves one page after another, and the last one for ever.
func shows(pages ...string) http.HandlerFunc {
	next := 0
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/metrics" {
			http.NotFound(w, r)
			return
		}
		io.WriteString(w, pages[next])
		next = min(next+1, len(pages)-1)
	}
}

func open(t *testing.T, cfg Config) *Scraper {
	t.Helper()
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestOnce(t *testing.T) {
	server := httptest.NewServer(shows(shown(commit(1, 2)), shown(commit(2, 4))))
	defer server.Close()
	s := open(t, Config{URL: server.Listener.Addr().String()})
	for i, want := range [][]Sample{nil, {took(0.5)}, nil} {
		if got, err := s.Once(t.Context()); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("page %d: %v, %v, want %v", i, got, err, want)
		}
	}
}

// node serves a page over TLS as Fabric's operations endpoint does, and gives its address.
func node(t *testing.T, org *pki.Org, mutual bool) string {
	t.Helper()
	pair, err := org.ServerTLS("peer0.org1.example.com", "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	clients := org.TLSCA.Pool()
	if !mutual {
		clients = nil
	}
	server := httptest.NewUnstartedServer(shows(shown(sent(false, 5))))
	if server.TLS, err = pki.ServerConfig(pair, clients); err != nil {
		t.Fatal(err)
	}
	server.Config.ErrorLog = quiet
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

func TestTLS(t *testing.T) {
	org, err := pki.NewOrg("Org1MSP", "org1.example.com")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := org.ClientTLS("user")
	if err != nil {
		t.Fatal(err)
	}
	cert, err := pair.TLS()
	if err != nil {
		t.Fatal(err)
	}
	for _, mutual := range []bool{false, true} {
		for name, c := range map[string]struct {
			tls  *tls.Config
			want string
		}{
			"all given":      {&tls.Config{RootCAs: org.TLSCA.Pool(), Certificates: []tls.Certificate{cert}}, ""},
			"another name":   {&tls.Config{RootCAs: org.TLSCA.Pool(), Certificates: []tls.Certificate{cert}, ServerName: "peer0.org1.example.com"}, ""},
			"no certificate": {&tls.Config{RootCAs: org.TLSCA.Pool()}, "operations.tls.clientRootCAs"},
			"no CA":          {&tls.Config{Certificates: []tls.Certificate{cert}}, "another TLS CA"},
			"wrong name":     {&tls.Config{RootCAs: org.TLSCA.Pool(), Certificates: []tls.Certificate{cert}, ServerName: "peer1"}, "choose a host name"},
		} {
			if name == "no certificate" && !mutual {
				c.want = ""
			}
			t.Run(fmt.Sprintf("mutual=%v/%s", mutual, name), func(t *testing.T) {
				got, err := open(t, Config{URL: node(t, org, mutual), TLS: c.tls}).Once(t.Context())
				switch {
				case c.want == "" && (err != nil || !reflect.DeepEqual(got, []Sample{all(5)})):
					t.Errorf("%v, %v", got, err)
				case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
					t.Errorf("error %v, want one with %q", err, c.want)
				}
			})
		}
	}
}

// TestProblems: the error says whose page it is and what to set.
func TestProblems(t *testing.T) {
	plain := httptest.NewServer(shows(shown()))
	defer plain.Close()
	secure := httptest.NewUnstartedServer(shows(shown()))
	secure.Config.ErrorLog = quiet
	secure.StartTLS()
	defer secure.Close()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	answer := func(f http.HandlerFunc) string {
		server := httptest.NewServer(f)
		t.Cleanup(server.Close)
		return server.URL
	}
	for name, c := range map[string]struct{ url, want string }{
		"no page (statsd)": {plain.URL + "/other", "CORE_METRICS_PROVIDER=prometheus"},
		"closed":           {closed.Addr().String(), "CORE_OPERATIONS_LISTENADDRESS"},
		"not TLS":          {"https://" + plain.Listener.Addr().String(), "use http"},
		"TLS":              {"http://" + secure.Listener.Addr().String(), "use https"},
		"certificate wanted": {answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }),
			"operations.tls.clientRootCAs"},
		"another program": {answer(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>\n<body>hello</body>\n") }),
			"is this the operations endpoint"},
		"a cut page": {answer(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			io.WriteString(w, shown())
		}), "unexpected EOF"},
		"silence": {answer(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }), "no answer within 50ms"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := Config{URL: c.url, Node: "peer0"}
			if name == "silence" {
				cfg.Timeout = 50 * time.Millisecond
			}
			_, err := open(t, cfg).Once(t.Context())
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "metrics of peer0 at http") {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
	_, err = open(t, Config{URL: "http://user:secret@" + closed.Addr().String()}).Once(t.Context())
	if err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("error %v: it must not tell the password", err)
	}
}

func TestConfig(t *testing.T) {
	for given, want := range map[string]string{
		"localhost:9443": "http://localhost:9443/metrics", "[::1]:9443": "http://[::1]:9443/metrics",
		"http://h:1/": "http://h:1/metrics", "https://h:1/peer0/metrics": "https://h:1/peer0/metrics",
	} {
		s, err := New(Config{URL: given})
		if err != nil || s.cfg.URL != want {
			t.Errorf("%s: %v, %v, want %s", given, s, err, want)
		}
	}
	if s, err := New(Config{URL: "h:1", TLS: &tls.Config{}}); err != nil || s.cfg.URL != "https://h:1/metrics" {
		t.Errorf("%v, %v", s, err)
	}
	for want, cfg := range map[string]Config{
		"no address":        {},
		"neither http":      {URL: "ftp://h:1"},
		"no host":           {URL: "http:///metrics"},
		"address of a":      {URL: "http://h:port"},
		"at least 10ms":     {URL: "h:1", Interval: time.Millisecond},
		"every 1s within -": {URL: "h:1", Timeout: -1},
	} {
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: error %v, want one with %q", cfg, err, want)
		}
	}
}

// transport answers requests without a network.
type transport func(*http.Request) (*http.Response, error)

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

// TestRun: in simulated time, a node that is away from the third reading to the fifth.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, Config{URL: "h:1", Node: "peer0", Interval: time.Second})
		reads := 0
		s.client.Transport = transport(func(*http.Request) (*http.Response, error) {
			reads++
			<-time.After(20 * time.Millisecond) // what a page takes, in simulated time
			if reads >= 3 && reads <= 5 {
				return nil, errors.New("nobody is there")
			}
			page := shown(sent(false, reads))
			return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(page))}, nil
		})
		ctx, end := context.WithCancel(t.Context())
		defer end()
		begun := time.Now()
		var taken, told []string
		s.Run(ctx, func(at time.Time, samples []Sample) {
			taken = append(taken, fmt.Sprintf("%v: %v", at.Sub(begun), samples[0].Value))
			if reads == 7 {
				end()
			}
		}, func(o Outage) {
			told = append(told, fmt.Sprintf("%v: %v", time.Since(begun), o))
		})
		if want := []string{"10ms: 1", "1.01s: 2", "5.01s: 6", "6.01s: 7"}; !reflect.DeepEqual(taken, want) {
			t.Errorf("samples %q, want %q", taken, want)
		}
		problem := "metrics of peer0 at http://h:1/metrics: nobody is there"
		if want := []string{"2.02s: " + problem, "5.02s: " + problem + "; it lasted 3.01s"}; !reflect.DeepEqual(told, want) {
			t.Errorf("outages %q, want %q", told, want)
		}
	})
}

// TestRunEnds: while a node keeps it waiting, and without a word.
func TestRunEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, Config{URL: "h:1"})
		s.client.Transport = transport(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		ctx, end := context.WithTimeout(t.Context(), time.Second)
		defer end()
		s.Run(ctx, func(time.Time, []Sample) { t.Error("samples") }, func(o Outage) { t.Errorf("outage %v", o) })
	})
}

// quiet drops what a server says of clients that go away.
var quiet = log.New(io.Discard, "", 0)
