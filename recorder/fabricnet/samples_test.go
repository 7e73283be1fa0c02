package fabricnet

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// observing gives the samples of when a node was observed on ch1.
func observing(t *testing.T, tr *traces.Trace, node string) *traces.SampleColumn {
	t.Helper()
	s := tr.Sampled(traces.SeriesObserving, node, "ch1")
	if s == nil {
		t.Fatalf("no samples of when %s was observed", node)
	}
	return s
}

// TestObserving: the samples tell when a node was out of sight, from its last block on
// until it was asked again.
func TestObserving(t *testing.T) {
	for _, down := range []string{"orderer", "peer0"} {
		t.Run(down, func(t *testing.T) {
			b := newTestbed(t, 30, 2, 2, "ch1")
			b.config.RoundTripEvery = time.Hour // one measurement, at the beginning
			r := record(t, b.config)
			b.extend(t, r, 10)
			r.await(t, "all are in, and the ways are measured", func(s Status) bool {
				return s.Blocks == 8 && !slices.ContainsFunc(r.net.nodes, func(n *node) bool { return n.lastAnswer().IsZero() })
			})
			node, kind, other := b.orderer, event.Offered, "peer0"
			if down == "peer0" {
				node, kind, other = b.peer, event.Committed, "orderer"
			}
			stopping := event.Time(r.net.time(time.Now()))
			node.Stop()
			b.orderer.ledgers["ch1"].Append(b.chains["ch1"][10:20]...)
			b.peer.ledgers["ch1"].Append(commit(t, b.chains["ch1"][10:20])...)
			node.Start(t)
			r.await(t, "back", func(s Status) bool { return s.Offered == 20 && s.Committed == 20 && s.OrdererLost+s.PeerLost == 0 })
			b.extend(t, r, 30)
			tr := r.end(t)
			s, tl := observing(t, tr, down), tr.Timelines[0]
			if fmt.Sprint(s.Value) != "[1 0 1]" {
				t.Fatalf("observing %v at %v", s.Value, s.At)
			}
			last, next := event.Time(tl.Value(kind, 7)), event.Time(tl.Value(kind, 18))
			if s.At[1] < last || s.At[1] > stopping || s.At[2] <= stopping || s.At[2] > next || s.At[0] < 0 {
				t.Errorf("observing from %v to %v and from %v on; its last block before came at %v, the stop at %v, the next block at %v", s.At[0], s.At[1], s.At[2], last, stopping, next)
			}
			if s := observing(t, tr, other); fmt.Sprint(s.Value) != "[1]" {
				t.Errorf("%s: observing %v at %v", other, s.Value, s.At)
			}
		})
	}
}

// TestRoundTrips: the way to every node is measured all the time, and told at the end.
func TestRoundTrips(t *testing.T) {
	b := newTestbed(t, 5, 2, 2, "ch1")
	b.config.RoundTripEvery = time.Millisecond
	r := record(t, b.config)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for _, nd := range r.net.nodes {
		for nd.lastAnswer().IsZero() {
			<-tick.C
		}
	}
	b.extend(t, r, 5)
	tr := r.end(t)
	facts := notes(tr, traces.NoteFact)
	for _, node := range []string{"orderer", "peer0"} {
		s := tr.Sampled(SeriesRoundTrip, node, "")
		if s == nil || s.Unit != traces.UnitNS || s.Value[0] <= 0 || s.Value[0] > float64(patience) {
			t.Fatalf("%s: %+v", node, s)
		}
		if want := fmt.Sprintf("%s and back on the connection of its blocks took", node); !strings.Contains(facts, want) ||
			s.Len() > 1 && !strings.Contains(facts, fmt.Sprintf("in %d measurements, one every 1ms", s.Len())) {
			t.Errorf("%s: %d samples; %s", node, s.Len(), facts)
		}
	}
}

func TestSpread(t *testing.T) {
	var s spread
	const n = 5*maxKept + 7
	for i := range n {
		s.add(time.Duration((i*7919)%n + 1)) // every number once: 7919 is a prime
	}
	if s.n != n || s.least != 1 || s.greatest != n || len(s.kept) > maxKept {
		t.Errorf("%d values from %d to %d, %d kept", s.n, s.least, s.greatest, len(s.kept))
	}
	if m := s.median(); m < n*45/100 || m > n*55/100 {
		t.Errorf("median %d of 1 to %d", m, n)
	}
	s = spread{}
	for _, d := range []time.Duration{5, 1, 3} {
		s.add(d)
	}
	if s.median() != 3 {
		t.Errorf("median %d of 1, 3, 5", s.median())
	}
}

// TestMetrics reads a peer's page, which goes away and comes back.
func TestMetrics(t *testing.T) {
	var away atomic.Bool
	reads := make(chan struct{}, 1<<16)
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		reads <- struct{}{}
		if away.Load() {
			http.Error(w, "down for repair", http.StatusServiceUnavailable)
			return
		}
		io.WriteString(w, "# TYPE gossip_payload_buffer_size gauge\ngossip_payload_buffer_size{channel=\"ch1\"} 17\n"+
			"# TYPE ledger_blockchain_height gauge\nledger_blockchain_height{channel=\"ch1\"} 2\n")
	}))
	t.Cleanup(page.Close)
	b := newTestbed(t, 5, 2, 2, "ch1")
	b.config.Metrics = []MetricsPage{{URL: page.URL, Node: "peer0", Interval: 10 * time.Millisecond}}
	r := record(t, b.config)
	r.await(t, "the depth is known", func(s Status) bool { return s.Depth == 17 })
	away.Store(true)
	r.await(t, "the page is away", func(s Status) bool { return s.Depth == -1 })
	b.extend(t, r, 5)
	away.Store(false)
	r.await(t, "the page is back", func(s Status) bool { return s.Depth == 17 })
	tr := r.end(t)
	for name, want := range map[string]float64{traces.SeriesBufferSize: 17, traces.SeriesBlockchainHeight: 2} {
		if s := tr.Sampled(name, "peer0", "ch1"); s == nil || s.Value[0] != want || s.Unit != traces.UnitBlocks {
			t.Errorf("%s: %+v", name, s)
		}
	}
	if w := notes(tr, traces.NoteWarning); strings.Count(w, "peer0") != 1 || strings.Count(w, "down for repair") != 1 || !strings.Contains(w, "it lasted") {
		t.Errorf("warnings: %s", w)
	}
	if got := spans(observed(tr.Timelines[0], event.Committed)); got != "02-04" {
		t.Errorf("commits of blocks %s", got)
	}

	b.config.Metrics = []MetricsPage{{URL: page.URL, Node: "peer9"}}
	if _, err := Open(t.Context(), b.config); err == nil || !strings.Contains(err.Error(), `no node is called "peer9"`) {
		t.Error(err)
	}
	b.config.Metrics = []MetricsPage{{URL: "ftp://x", Node: "peer0"}}
	if _, err := Open(t.Context(), b.config); err == nil {
		t.Error("a page at ftp")
	}
}
