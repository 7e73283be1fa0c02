package fabricnet

import (
	"fmt"
	"sync"
	"time"

	"github.com/blockreel/blockreel/recorder/fabricnet/scrape"
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
}

// stop is a channel at a node.
type stop struct{ node, channel string }

func newMetrics(pages []scrape.Config) (*metrics, error) {
	m := &metrics{depths: map[stop]float64{}}
	for _, cfg := range pages {
		page, err := scrape.New(cfg)
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
	if *told++; *told > maxCutNotes {
		return
	}
	n.rec.Note(traces.Note{Stream: -1, Kind: traces.NoteWarning, Text: fmt.Sprintf("after %v: %v",
		o.From.Sub(n.base).Round(time.Millisecond), o)})
}
