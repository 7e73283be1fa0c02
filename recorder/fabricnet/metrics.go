package fabricnet

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/blockreel/blockreel/internal/fabric/scrape"
	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// sample takes a value that is a node's and no block's.
func (n *Network) sample(s traces.Series, at time.Time, v float64) {
	n.rec.Sample(s, event.Time(n.time(at)), v)
}

// metrics are the metrics pages of the nodes.
type metrics struct {
	pages []*scrape.Scraper
	nodes []string

	mu sync.Mutex
	// depths are the newest depths of the payloads buffers, in blocks.
	depths map[stop]float64
	// lost are the newest outages of the pages.
	lost map[string]scrape.Outage
}

// stop is a channel at a node.
type stop struct{ node, channel string }

func newMetrics(pages []MetricsPage) (*metrics, error) {
	m := &metrics{depths: map[stop]float64{}, lost: map[string]scrape.Outage{}}
	for _, cfg := range pages {
		page, err := scrape.New(scrape.Config{URL: cfg.URL, Node: cfg.Node, Interval: cfg.Interval, TLS: cfg.TLS})
		if err != nil {
			return nil, err
		}
		m.pages, m.nodes = append(m.pages, page), append(m.nodes, cfg.Node)
	}
	return m, nil
}

// take makes samples of what a page has shown.
func (n *Network) take(node string, at time.Time, all []scrape.Sample) {
	for _, s := range all {
		n.sample(traces.Series{Name: s.Name, Unit: s.Unit, Node: node, Channel: s.Channel}, at, s.Value)
		if s.Name == traces.SeriesBufferSize {
			n.metrics.mu.Lock()
			n.metrics.depths[stop{node, s.Channel}] = s.Value
			n.metrics.mu.Unlock()
		}
	}
}

// depth of a peer's payloads buffer, in blocks; −1 if it is not known.
func (m *metrics) depth(node, channel string) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if d, ok := m.depths[stop{node, channel}]; ok {
		return int64(d)
	}
	return -1
}

// away notes that a page cannot be read, or can again; its depths are not known until
// then.
func (n *Network) away(node string, o scrape.Outage, told *int) {
	n.metrics.mu.Lock()
	for at := range n.metrics.depths {
		if at.node == node {
			delete(n.metrics.depths, at)
		}
	}
	n.metrics.mu.Unlock()
	if o.To.IsZero() {
		n.cfg.Tell(fmt.Sprintf("%v; the page is tried again", o))
	} else {
		n.cfg.Tell(fmt.Sprintf("the metrics page of %s is back after %v", node, o.To.Sub(o.From).Round(time.Millisecond)))
	}
	n.metrics.mu.Lock()
	n.metrics.lost[node] = o
	n.metrics.mu.Unlock()
	if o.To.IsZero() {
		return // noted when it is over, or at the end
	}
	if *told++; *told <= maxOutages {
		n.notePage(o)
	}
}

func (n *Network) notePage(o scrape.Outage) {
	n.note(-1, traces.NoteWarning, "from %v on: %v", o.From.Sub(n.base).Round(time.Millisecond), o)
}

// tellPages notes the pages that cannot be read when the recording ends.
func (n *Network) tellPages() {
	for _, node := range slices.Sorted(maps.Keys(n.metrics.lost)) {
		if o := n.metrics.lost[node]; o.To.IsZero() {
			n.notePage(o)
		}
	}
}
