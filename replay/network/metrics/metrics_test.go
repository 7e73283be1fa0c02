package metrics

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"go.uber.org/goleak"

	"github.com/blockreel/blockreel/internal/fabric/scrape"
	"github.com/blockreel/blockreel/replay/network"
	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const ms = event.Time(1e6)

func streams() []traces.Stream {
	return []traces.Stream{
		{Channel: "ch1", Orderer: "orderer", Peer: "peer0"}, {Channel: "ch1", Orderer: "orderer", Peer: "peer1"},
		{Channel: "ch2", Orderer: "orderer", Peer: "peer0"}, {Channel: "ch2", Orderer: "orderer", Peer: "peer1"},
	}
}

func nodes() []network.NodeStatus {
	at := func(channel string, height event.Height, sent, filtered uint64) network.ChannelStatus {
		return network.ChannelStatus{Channel: channel, Height: height, Sent: sent, SentFiltered: filtered}
	}
	return []network.NodeStatus{
		{Name: "orderer", Channels: []network.ChannelStatus{at("ch1", 9, 12, 0), at("ch2", 1, 0, 0)}},
		{Name: "peer0", Channels: []network.ChannelStatus{at("ch1", 8, 1, 7), at("ch2", 1, 0, 0)}},
		{Name: "peer1", Channels: []network.ChannelStatus{at("ch1", 1, 0, 0), at("ch2", 1, 0, 0)}},
	}
}

// way has block n pass a stream: each instant is one of [event.Offered] to [event.Committed].
func way(p *Pages, stream int, n event.BlockNum, at ...event.Time) {
	for kind, t := range at {
		p.Observe(event.Event{Stream: stream, Kind: event.Kind(kind), Block: n, Value: int64(t)})
	}
}

// page reads a node's page.
func read(t testing.TB, p *Pages, node string) map[string]*dto.MetricFamily {
	t.Helper()
	answer := httptest.NewRecorder()
	p.node(node).handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if answer.Code != http.StatusOK {
		t.Fatalf("%d: %s", answer.Code, answer.Body)
	}
	return families(t, answer.Body)
}

func families(t testing.TB, r io.Reader) map[string]*dto.MetricFamily {
	t.Helper()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	all, err := parser.TextToMetricFamilies(r)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestLikeFabric: whatever has one of Fabric's names is as a real node has it: type, help,
// labels and buckets.
func TestLikeFabric(t *testing.T) {
	p := New(streams(), nodes)
	way(p, 0, 1, 0, 1*ms, 2*ms, 3*ms, 4*ms, 5*ms, 6*ms, 9*ms)
	for _, kind := range []event.Kind{event.Transactions, event.StateValidation, event.BlockStore, event.StateCommit} {
		p.Observe(event.Event{Kind: kind, Block: 1, Value: 10})
	}
	for node, c := range map[string]struct {
		file string
		want []string
	}{
		"orderer": {"fabric-2.5-orderer.txt", []string{"deliver_blocks_sent", "ledger_blockchain_height"}},
		"peer0": {"fabric-2.5-peer.txt", []string{
			"deliver_blocks_sent", "gossip_payload_buffer_size", "gossip_privdata_commit_block_duration",
			"gossip_privdata_validation_duration", "gossip_state_commit_duration", "gossip_state_height",
			"ledger_block_processing_time", "ledger_blockchain_height", "ledger_blockstorage_and_pvtdata_commit_time",
			"ledger_statedb_commit_time", "ledger_transaction_count",
		}},
	} {
		f, err := os.Open(filepath.Join("testdata", c.file))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		real, ours := families(t, f), read(t, p, node)
		var got []string
		for name, family := range ours {
			if strings.HasPrefix(name, "blockreel_") || strings.HasPrefix(name, "go_") || strings.HasPrefix(name, "process_") {
				continue
			}
			got = append(got, name)
			theirs := real[name]
			if theirs == nil {
				t.Errorf("%s: Fabric has no %s", node, name)
				continue
			}
			if a, b := shape(family), shape(theirs); a != b {
				t.Errorf("%s: ours is %s, Fabric's %s", node, a, b)
			}
		}
		if slices.Sort(got); !slices.Equal(got, c.want) {
			t.Errorf("%s has %q, want %q", node, got, c.want)
		}
	}
}

func shape(f *dto.MetricFamily) string {
	m := f.GetMetric()[0]
	var labels []string
	for _, l := range m.GetLabel() {
		labels = append(labels, l.GetName())
	}
	slices.Sort(labels)
	s := fmt.Sprint(f.GetName(), " ", f.GetType(), " ", f.GetHelp(), " ", labels)
	for _, b := range m.GetHistogram().GetBucket() {
		s += fmt.Sprint(" ", b.GetUpperBound())
	}
	return s
}

// values gives what a page tells of a channel; of a histogram its sum and count.
func values(all map[string]*dto.MetricFamily, channel string) map[string]float64 {
	got := map[string]float64{}
	for name, family := range all {
		for _, m := range family.GetMetric() {
			var labels []string
			of := false
			for _, l := range m.GetLabel() {
				if l.GetName() == "channel" {
					of = l.GetValue() == channel
				} else {
					labels = append(labels, l.GetValue())
				}
			}
			if !of {
				continue
			}
			key := strings.Join(append([]string{name}, labels...), " ")
			if h := m.GetHistogram(); h != nil {
				got[key+" sum"], got[key+" count"] = round(h.GetSampleSum()), float64(h.GetSampleCount())
				continue
			}
			got[key] = round(cmp.Or(m.GetGauge().GetValue(), m.GetCounter().GetValue()))
		}
	}
	return got
}

func round(v float64) float64 { return math.Round(v*1e9) / 1e9 }

// TestFigures: what the events of three blocks come to. Block 1 comes to an idle committer
// (offered at 0, enqueued at 4 ms: starved); block 2 stands at the door from 7 to 12 ms;
// block 3 is offered at 16 ms, after all is committed, and is on its way.
func TestFigures(t *testing.T) {
	p := New(streams(), nodes)
	before := read(t, p, "peer0")
	want := map[string]float64{
		"ledger_blockchain_height": 8, "deliver_blocks_sent block false": 1, "deliver_blocks_sent filtered_block true": 7,
		"blockreel_door_blocks": 0, "blockreel_blocked_seconds_total": 0, "blockreel_starved_seconds_total": 0, "blockreel_in_flight_blocks": 0,
	}
	if got := values(before, "ch1"); !reflect.DeepEqual(got, want) {
		t.Errorf("before the first block: %v, want %v", got, want)
	}
	p.Observe(event.Event{Kind: event.Transactions, Block: 1, Value: 10})
	way(p, 0, 1, 0, 1*ms, 2*ms, 3*ms, 4*ms, 4*ms)
	way(p, 0, 2, 5*ms, 6*ms, 6*ms, 7*ms)
	if got := values(read(t, p, "peer0"), "ch1"); got["blockreel_door_blocks"] != 1 || got["gossip_payload_buffer_size"] != 0 {
		t.Errorf("with a block at the door: %v", got)
	}
	at := func(kind event.Kind, n event.BlockNum, v event.Time) {
		p.Observe(event.Event{Kind: kind, Block: n, Value: int64(v)})
	}
	at(event.Validated, 1, 6*ms)
	at(event.Enqueued, 2, 12*ms)
	if got := values(read(t, p, "peer0"), "ch1"); got["gossip_payload_buffer_size"] != 1 {
		t.Errorf("with a block in the buffer: %v", got)
	}
	at(event.Committed, 1, 13*ms)
	at(event.BlockStore, 1, 3*ms)
	at(event.StateValidation, 1, 1*ms)
	at(event.StateCommit, 1, 2*ms)
	at(event.Dequeued, 2, 13*ms)
	at(event.Validated, 2, 14*ms)
	at(event.Committed, 2, 15*ms)
	way(p, 0, 3, 16*ms, 17*ms)
	want = map[string]float64{
		"ledger_blockchain_height": 8, "deliver_blocks_sent block false": 1, "deliver_blocks_sent filtered_block true": 7,
		"blockreel_door_blocks": 0, "blockreel_blocked_seconds_total": 0.006, "blockreel_starved_seconds_total": 0.004, "blockreel_in_flight_blocks": 1,
		"gossip_payload_buffer_size": 0, "gossip_state_height": 3, "ledger_transaction_count basic ENDORSER_TRANSACTION VALID": 20,
		"gossip_privdata_validation_duration sum": 0.003, "gossip_privdata_validation_duration count": 2,
		"gossip_privdata_commit_block_duration sum": 0.008, "gossip_privdata_commit_block_duration count": 2,
		"gossip_state_commit_duration sum": 0.011, "gossip_state_commit_duration count": 2,
		"ledger_block_processing_time sum": 0.001, "ledger_block_processing_time count": 1,
		"ledger_blockstorage_and_pvtdata_commit_time sum": 0.003, "ledger_blockstorage_and_pvtdata_commit_time count": 1,
		"ledger_statedb_commit_time sum": 0.002, "ledger_statedb_commit_time count": 1,
	}
	if got := values(read(t, p, "peer0"), "ch1"); !reflect.DeepEqual(got, want) {
		for key := range want {
			if got[key] != want[key] {
				t.Errorf("%s is %v, want %v", key, got[key], want[key])
			}
		}
		t.Errorf("%d figures, want %d", len(got), len(want))
	}
}

// TestStarved: the committer is idle with an empty buffer while the orderer is ahead; not
// while the orderer has nothing more, nor while it works.
func TestStarved(t *testing.T) {
	s := newStream("ch1")
	at := func(kind event.Kind, n event.BlockNum, v event.Time) {
		s.observe(event.Event{Kind: kind, Block: n, Value: int64(v)})
	}
	expect := func(want event.Time) {
		t.Helper()
		if s.starved != want {
			t.Fatalf("starved for %v, want %v", s.starved.Duration(), want.Duration())
		}
	}
	at(event.Offered, 1, 10*ms)
	at(event.Offered, 2, 11*ms) // since the first of them
	at(event.Enqueued, 1, 15*ms)
	expect(5 * ms)
	at(event.Dequeued, 1, 16*ms)
	at(event.Committed, 1, 20*ms) // the buffer is empty, the orderer has block 2
	at(event.Enqueued, 2, 30*ms)
	expect(15 * ms)
	at(event.Dequeued, 2, 30*ms)
	at(event.Committed, 2, 40*ms) // nobody has block 3
	at(event.Offered, 3, 100*ms)
	at(event.Enqueued, 3, 101*ms)
	expect(16 * ms)
	at(event.Dequeued, 3, 101*ms)
	at(event.Offered, 4, 102*ms)
	at(event.Enqueued, 4, 103*ms)
	at(event.Committed, 3, 110*ms) // block 4 is in the buffer
	at(event.Dequeued, 4, 111*ms)
	expect(16 * ms)
}

// TestServe: pages at ports of their own, read as a recorder reads them: before the first
// event, while events come, and at the end.
func TestServe(t *testing.T) {
	p := New(streams(), nodes)
	if err := p.Serve("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}()
	got := map[string]float64{} // by node and figure, of ch1
	scrapers := map[string]*scrape.Scraper{}
	readAll := func() {
		for node, s := range scrapers {
			samples, err := s.Once(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range samples {
				if v.Channel == "ch1" {
					got[node+" "+v.Name] = v.Value
				}
			}
		}
	}
	for _, node := range nodes() {
		s, err := scrape.New(scrape.Config{URL: p.URL(node.Name), Node: node.Name})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		scrapers[node.Name] = s
	}
	readAll()
	if want := map[string]float64{
		"orderer ledger_blockchain_height": 9, "peer0 ledger_blockchain_height": 8, "peer1 ledger_blockchain_height": 1,
		"orderer deliver_blocks_sent": 12, "peer0 deliver_blocks_sent": 8,
	}; !reflect.DeepEqual(got, want) {
		t.Errorf("before the first event: %v, want %v", got, want)
	}
	var busy sync.WaitGroup
	for i := range streams() {
		busy.Go(func() {
			for n := range event.BlockNum(200) {
				at := event.Time(n) * ms
				way(p, i, n+1, at, at, at, at, at, at, at, at+ms)
			}
		})
	}
	readAll()
	busy.Wait()
	readAll()
	for _, peer := range []string{"peer0 ", "peer1 "} {
		if took := got[peer+"gossip_state_commit_duration"]; math.Abs(took-1e6) > 1 || got[peer+"gossip_state_height"] != 201 {
			t.Errorf("%s: a commit takes %v ns, height %v", peer, took, got[peer+"gossip_state_height"])
		}
	}
	if p.URL("peer2") != "" {
		t.Error("a page of a node that is not there")
	}
}

func TestServeRefuses(t *testing.T) {
	p := New(streams(), nodes)
	for address, want := range map[string]string{
		"0.0.0.0:0": "loopback", "192.0.2.1:9443": "loopback", "localhost": "loopback", "127.0.0.1:65534": "3 nodes",
	} {
		if err := p.Serve(address); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", address, err, want)
		}
	}
	other := New(streams()[:1], nodes)
	if err := other.Serve("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	taken := strings.TrimSuffix(strings.TrimPrefix(other.URL("orderer"), "http://"), "/metrics")
	if err := p.Serve(taken); err == nil || !strings.Contains(err.Error(), "metrics of orderer") {
		t.Errorf("a port that is taken: %v", err)
	}
}

func BenchmarkObserve(b *testing.B) {
	p := New(streams(), nodes)
	n := event.BlockNum(0)
	for b.Loop() {
		n++
		way(p, 0, n, 0, 1*ms, 2*ms, 3*ms, 4*ms, 5*ms, 6*ms, 9*ms)
		for _, kind := range []event.Kind{event.StateValidation, event.BlockStore, event.StateCommit} {
			p.Observe(event.Event{Kind: kind, Block: n, Value: 10})
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N), "ns/block")
	b.ReportMetric(0, "ns/op")
}
