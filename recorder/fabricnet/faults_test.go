package fabricnet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/blockreel/blockreel/internal/fabric/deliver"
	"github.com/blockreel/blockreel/internal/fabric/fabrictest"
	"github.com/blockreel/blockreel/internal/fabric/pki"
	commonpb "github.com/blockreel/blockreel/internal/fabric/proto/common"
	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// through puts a proxy before a node.
func through(t *testing.T, n *Node) *fabrictest.Proxy {
	t.Helper()
	p := fabrictest.StartProxy(t, n.Address)
	n.Address = p.Address
	return p
}

// TestCuts records through connections that are cut again and again, mostly within a
// frame: every block comes once, and what has no time is noted.
func TestCuts(t *testing.T) {
	b := newTestbed(t, 2, 2, 2, "ch1")
	chain := b.org.Chain(t, "ch1", 60, 20_000)
	b.chains["ch1"] = chain
	b.orderer.ledgers["ch1"], b.peer.ledgers["ch1"] = fabrictest.NewLedger(0, chain[:2]...), fabrictest.NewLedger(0, commit(t, chain[:2])...)
	b.config.Payload = PayloadFull
	fromOrderer, fromPeer := through(t, &b.config.Orderer), through(t, &b.config.Peers[0])
	r := record(t, b.config)
	r.await(t, "subscribed", func(s Status) bool { return s.Offered == 2 })
	for n := 5; n <= 60; n += 5 {
		fromOrderer.CutAfter(int64(3000 + 1777*n))
		fromPeer.CutAfter(int64(200 + 10*n))
		b.extend(t, r, n)
	}
	tr := r.end(t)
	tl := tr.Timelines[0]
	if got := spans(observed(tl, event.Bytes)); got != "02-59" {
		t.Errorf("bytes of blocks %s", got)
	}
	cuts := 0
	for _, node := range []string{"orderer", "peer0"} {
		s := observing(t, tr, node)
		for i, v := range s.Value {
			if want := float64(1 - i%2); v != want {
				t.Fatalf("%s: observing %v", node, s.Value)
			}
			cuts += int(1 - v)
		}
	}
	if w := notes(tr, traces.NoteWarning); cuts < 4 || strings.Count(w, "was not observed for") > cuts {
		t.Errorf("%d cuts; %s", cuts, w)
	}
	report, err := traces.Verify(&r.file)
	if err != nil || report.Payloads != 58 {
		t.Errorf("payloads: %+v, %v", report, err)
	}
}

// TestBothRestart takes the orderer and a peer down together, again and again, on two
// channels and with a second peer that stays.
func TestBothRestart(t *testing.T) {
	b := newTestbed(t, 40, 2, 2, "ch1", "ch2")
	still := newServer(t, b.org, pki.Request{}, map[string]*fabrictest.Ledger{})
	for name, chain := range b.chains {
		still.ledgers[name] = fabrictest.NewLedger(0, commit(t, chain[:2])...)
	}
	still.Start(t)
	b.config.Peers = append(b.config.Peers, still.node("peer1"))
	r := record(t, b.config)
	add := func(to int) {
		for name, chain := range b.chains {
			l := b.orderer.ledgers[name]
			l.Append(chain[l.Height():to]...)
		}
	}
	follow := func(to int) {
		for name, chain := range b.chains {
			for _, l := range []*fabrictest.Ledger{b.peer.ledgers[name], still.ledgers[name]} {
				l.Append(commit(t, chain[l.Height():to])...)
			}
		}
		r.await(t, "all are in", func(s Status) bool { return s.Offered == uint64(to) && s.Committed == uint64(to) && s.PeerLost == 0 })
	}
	for n := 10; n < 40; n += 10 {
		add(n)
		r.await(t, "offered", func(s Status) bool { return s.Offered == uint64(n) })
		follow(n)
		b.orderer.Stop()
		b.peer.Stop()
		add(n + 5)
		b.orderer.Start(t)
		r.await(t, "the orderer is back", func(s Status) bool { return s.Offered == uint64(n+5) && s.OrdererLost == 0 })
		for name, chain := range b.chains {
			b.peer.ledgers[name].Append(commit(t, chain[n:n+5])...)
		}
		b.peer.Start(t)
		follow(n + 5)
	}
	add(40)
	r.await(t, "offered", func(s Status) bool { return s.Offered == 40 })
	follow(40)
	tr := r.end(t)
	for _, tl := range tr.Timelines {
		if got := spans(observed(tl, event.Bytes)); got != "02-39" {
			t.Errorf("%s: bytes of blocks %s", tl.Name(), got)
		}
		want := "02-39"
		if tl.Peer == "peer0" {
			want = "02-09,15-19,25-29,35-39"
		}
		if got := spans(observed(tl, event.Committed)); got != want {
			t.Errorf("%s: commits of blocks %s, want %s", tl.Name(), got, want)
		}
		if got := spans(observed(tl, event.Offered)); got != "02-09,15-19,25-29,35-39" {
			t.Errorf("%s: offers of blocks %s", tl.Name(), got)
		}
	}
}

// TestLateAfterOutage: blocks that were made while those of an outage were fetched have come
// behind them, late, and have no times.
func TestLateAfterOutage(t *testing.T) {
	b := newTestbed(t, 40, 2, 2, "ch1")
	b.config.RetryAfter = 20 * time.Millisecond
	r := record(t, b.config)
	b.extend(t, r, 5)
	r.await(t, "all are in", func(s Status) bool { return s.Blocks == 3 })
	asked, held, release := make(chan struct{}), false, make(chan struct{})
	b.orderer.Stop()
	b.orderer.ledgers["ch1"].Append(b.chains["ch1"][5:20]...)
	b.orderer.Server.Ledgers = func(channel string) (deliver.Ledger, bool) {
		return gate{b.orderer.ledgers[channel], func(n uint64) {
			if n == 10 && !held { // of one goroutine: the subscription's
				held = true
				close(asked)
				<-release
			}
		}}, true
	}
	b.orderer.Start(t)
	<-asked // the height of 20 was told before
	b.orderer.ledgers["ch1"].Append(b.chains["ch1"][20:25]...)
	close(release)
	r.await(t, "back", func(s Status) bool { return s.Offered == 25 && s.OrdererLost == 0 })
	b.extend(t, r, 40)
	tr := r.end(t)
	if got := spans(observed(tr.Timelines[0], event.Offered)); got != "02-04,25-39" {
		t.Errorf("offers of blocks %s", got)
	}
	if w := r.net.Warnings(); len(w) != 1 || !strings.Contains(w[0], "blocks 5 to 24 of ch1 came in between") {
		t.Errorf("warnings: %q", w)
	}
}

// gate is a ledger that calls back before it gives a block.
type gate struct {
	*fabrictest.Ledger
	before func(n uint64)
}

func (g gate) Block(ctx context.Context, n uint64) ([]byte, error) {
	g.before(n)
	return g.Ledger.Block(ctx, n)
}

// TestRefusedWhileRecording: a node that comes back with what cannot be mended by waiting
// ends the recording, with the trace of all before.
func TestRefusedWhileRecording(t *testing.T) {
	for name, c := range map[string]struct {
		change func(t *testing.T, b *testbed)
		holds  func(error) bool
	}{
		"another CA": {func(t *testing.T, b *testbed) {
			b.peer.TLS = fabrictest.NewOrg(t).ServerTLS(t, false, pki.Request{})
		}, func(err error) bool { return strings.Contains(err.Error(), "unknown authority") }},
		"expired": {func(t *testing.T, b *testbed) {
			b.peer.TLS = b.org.ServerTLS(t, false, pki.Request{NotAfter: time.Now().Add(-time.Hour)})
		}, func(err error) bool { return strings.Contains(err.Error(), "expired") }},
		"wants a certificate": {func(t *testing.T, b *testbed) {
			b.peer.TLS = b.org.ServerTLS(t, true, pki.Request{})
		}, func(err error) bool { return strings.Contains(err.Error(), "mutual TLS") }},
		"no reader any more": {func(t *testing.T, b *testbed) {
			b.peer.Server.Trust = pki.Trust(fabrictest.NewOrg(t).Org)
		}, func(err error) bool { return deliver.HasStatus(err, commonpb.Status_FORBIDDEN) }},
	} {
		t.Run(name, func(t *testing.T) {
			b := newTestbed(t, 10, 2, 2, "ch1")
			r := record(t, b.config)
			b.extend(t, r, 10)
			b.peer.Stop()
			c.change(t, b)
			b.peer.Start(t)
			err := <-r.done
			var node *NodeError
			if !deliver.Permanent(err) || !errors.As(err, &node) || node.Orderer || node.Name != "peer0" || node.Channel != "ch1" || !c.holds(err) {
				t.Errorf("%v", err)
			}
			tr := read(t, r.file.Bytes())
			if got := spans(observed(tr.Timelines[0], event.Committed)); got != "02-09" {
				t.Errorf("commits of blocks %s", got)
			}
			if s := observing(t, tr, "peer0"); fmt.Sprint(s.Value) != "[1 0]" {
				t.Errorf("observing %v", s.Value)
			}
		})
	}
}

// TestEndWhileAway ends a recording while a node is away.
func TestEndWhileAway(t *testing.T) {
	b := newTestbed(t, 10, 2, 2, "ch1")
	b.config.RetryAfter = time.Hour
	b.config.RetryAtMost = time.Hour
	r := record(t, b.config)
	b.extend(t, r, 10)
	b.orderer.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for r.net.channels[0].orderer.away.Load() == 0 {
		<-tick.C
	}
	tr := r.end(t)
	if s := observing(t, tr, "orderer"); fmt.Sprint(s.Value) != "[1 0]" {
		t.Errorf("observing %v", s.Value)
	}
	if w := r.net.Warnings(); len(w) != 1 || !strings.HasPrefix(w[0], "orderer orderer was not observed from ") || !strings.Contains(w[0], "to the end") {
		t.Errorf("warnings: %q", w)
	}
}

// TestOutageToldOnce: however many channels a node has, its outage is told when it begins
// and when it ends, and is one warning.
func TestOutageToldOnce(t *testing.T) {
	b := newTestbed(t, 10, 2, 2, "ch1", "ch2", "ch3")
	told := make(chan string, 100)
	b.config.Tell = func(text string) { told <- text }
	b.config.RetryAfter = 20 * time.Millisecond
	r := record(t, b.config)
	b.extend(t, r, 5)
	b.peer.Stop()
	if text := <-told; !strings.HasPrefix(text, "peer peer0 is lost, and is tried again: connect to ") {
		t.Error(text)
	}
	r.await(t, "all are lost", func(s Status) bool { return s.PeerLost > 0 && s.OrdererLost == 0 })
	for name, chain := range b.chains {
		b.orderer.ledgers[name].Append(chain[5:8]...)
		b.peer.ledgers[name].Append(commit(t, chain[5:8])...)
	}
	b.peer.Start(t)
	if text := <-told; !strings.HasPrefix(text, "peer peer0 is back after ") {
		t.Error(text)
	}
	b.extend(t, r, 10)
	tr := r.end(t)
	if len(told) > 0 {
		t.Errorf("told as well: %s", <-told)
	}
	w := r.net.Warnings()
	if len(w) != 1 || !strings.HasPrefix(w[0], "peer peer0 was not observed for ") || w[0] != notes(tr, traces.NoteWarning) {
		t.Fatalf("warnings %q", w)
	}
	for name := range b.chains {
		if !strings.Contains(w[0], "blocks 5 to 7 of "+name) {
			t.Error(w[0])
		}
	}
}

// TestOpenInterrupted gives up waiting for a node that hangs up on everybody.
func TestOpenInterrupted(t *testing.T) {
	b := newTestbed(t, 2, 2, 2, "ch1")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for tries := 0; ; tries++ {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conn.Close()
			if tries == 3 {
				cancel()
			}
		}
	}()
	b.config.Wait = true
	b.config.Peers[0].Address = listener.Addr().String()
	_, err = Open(ctx, b.config)
	listener.Close()
	<-done
	var node *NodeError
	if !errors.Is(err, context.Canceled) || !errors.As(err, &node) || node.Name != "peer0" {
		t.Error(err)
	}
}
