package metrics

import (
	"math"
	"sync"
	"testing"

	"github.com/blockreel/blockreel/replay/network"
	"github.com/blockreel/blockreel/traces/event"
)

// total adds up what the pages should tell of the first stream.
type total struct {
	pages *Pages
	mu    sync.Mutex
	// popped is the last block's; commits and blocked are sums.
	popped, door, commits, blocked int64
}

func (s *total) Observe(e event.Event) {
	s.pages.Observe(e)
	if e.Stream != 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch e.Kind {
	case event.AtDoor:
		s.door = e.Value
	case event.Enqueued:
		s.blocked += e.Value - s.door
	case event.Dequeued:
		s.popped = e.Value
	case event.Committed:
		s.commits += e.Value - s.popped
	}
}

// TestNetwork: the pages of a network that has run, whose small buffers have shut the door.
func TestNetwork(t *testing.T) {
	const blocks = 150
	cfg := network.Default()
	cfg.Orgs, cfg.Ledger, cfg.Load = 2, "badger", network.Load{Rate: network.MaxRate, Blocks: blocks}
	cfg.Transactions, cfg.Writes, cfg.Bytes, cfg.Pipeline.Policy.N = 2, 4, 8000, 1
	net, err := network.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := net.Close(); err != nil {
			t.Error(err)
		}
	}()
	sums := &total{pages: New(net.Streams(), net.Status)}
	if _, err := net.Run(t.Context(), sums); err != nil {
		t.Fatal(err)
	}
	orderer, peers := net.Nodes()[0].Name, net.Nodes()[1:]
	if got := values(read(t, sums.pages, orderer), "ch1"); got["ledger_blockchain_height"] != blocks+1 || got["deliver_blocks_sent block false"] != 2*blocks {
		t.Errorf("orderer: %v", got)
	}
	for i, p := range peers {
		got := values(read(t, sums.pages, p.Name), "ch1")
		for name, want := range map[string]float64{
			"ledger_blockchain_height": blocks + 1, "gossip_state_height": blocks + 1, "gossip_payload_buffer_size": 0,
			"blockreel_in_flight_blocks": 0, "blockreel_door_blocks": 0,
			"gossip_state_commit_duration count": blocks, "ledger_block_processing_time count": blocks,
			"ledger_transaction_count basic ENDORSER_TRANSACTION VALID": 2 * blocks,
		} {
			if v, ok := got[name]; !ok || v != want {
				t.Errorf("%s: %s is %v (%v), want %v", p.Name, name, v, ok, want)
			}
		}
		if i > 0 {
			continue
		}
		near := func(name string, ns int64) {
			t.Helper()
			if want := float64(ns) / 1e9; math.Abs(got[name]-want) > 1e-6 {
				t.Errorf("%s: %s is %v, want %v", p.Name, name, got[name], want)
			}
		}
		near("gossip_state_commit_duration sum", sums.commits)
		near("blockreel_blocked_seconds_total", sums.blocked)
		if sums.blocked == 0 {
			t.Error("the door was never shut")
		}
		if got["blockreel_starved_seconds_total"] <= 0 {
			t.Error("no committer has starved, not even for the first block")
		}
	}
}
