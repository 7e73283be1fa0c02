package fabricnet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/blockreel/blockreel/internal/fabric"
	"github.com/blockreel/blockreel/internal/fabric/deliver"
	"github.com/blockreel/blockreel/internal/fabric/fabrictest"
	"github.com/blockreel/blockreel/internal/fabric/pki"
	commonpb "github.com/blockreel/blockreel/internal/fabric/proto/common"
	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

func notes(tr *traces.Trace, kind string) string {
	var texts []string
	for _, n := range tr.Notes {
		if n.Kind == kind {
			texts = append(texts, n.Text)
		}
	}
	return strings.Join(texts, "\n")
}

// observed gives the numbers of the blocks that have a value.
func observed(tl *traces.Timeline, k event.Kind) (numbers []int) {
	for i := range tl.Len() {
		if tl.Value(k, i) != event.Missing {
			numbers = append(numbers, int(tl.Block(i)))
		}
	}
	return numbers
}

// spans writes numbers as ranges: 03-05,09-09.
func spans(numbers []int) string {
	var parts []string
	for i := 0; i < len(numbers); {
		j := i
		for j+1 < len(numbers) && numbers[j+1] == numbers[j]+1 {
			j++
		}
		parts = append(parts, fmt.Sprintf("%02d-%02d", numbers[i], numbers[j]))
		i = j + 1
	}
	return strings.Join(parts, ",")
}

// extend lets the orderer have blocks up to n, and when they have been seen, the peer.
func (b *testbed) extend(t testing.TB, r *recording, n int) {
	t.Helper()
	for name, chain := range b.chains {
		b.orderer.ledgers[name].Append(chain[b.orderer.ledgers[name].Height():n]...)
	}
	r.await(t, "offered", func(s Status) bool { return s.Offered == uint64(n) })
	for name, chain := range b.chains {
		b.peer.ledgers[name].Append(commit(t, chain[b.peer.ledgers[name].Height():n])...)
	}
	r.await(t, "committed", func(s Status) bool { return s.Committed == uint64(n) })
}

// TestTwoChannels records two channels with payloads, from a peer that is behind.
func TestTwoChannels(t *testing.T) {
	b := newTestbed(t, 30, 5, 3, "ch1", "ch2")
	b.config.Payload = PayloadFull
	r := record(t, b.config)
	b.extend(t, r, 20)
	b.extend(t, r, 30)
	tr := r.end(t)
	if len(tr.Timelines) != 2 || tr.Source != "fabric" || tr.Streams[1].Name() != "ch2@peer0" || tr.Streams[1].Orderer != "orderer" {
		t.Fatalf("header %+v", tr.Header)
	}
	for _, tl := range tr.Timelines {
		chain := b.chains[tl.Channel]
		for _, k := range []event.Kind{event.Offered, event.Committed, event.Transactions, event.Bytes, event.Writes} {
			if got := spans(observed(tl, k)); got != "03-29" {
				t.Errorf("%s: %v of blocks %s", tl.Name(), k, got)
			}
		}
		for i := range tl.Len() {
			if tl.Value(event.Transactions, i) != 2 || tl.Value(event.Writes, i) != 4 || tl.Value(event.Bytes, i) != int64(len(chain[i+3])) {
				t.Errorf("%s: block %d: %d transactions, %d bytes", tl.Name(), i+3, tl.Value(event.Transactions, i), tl.Value(event.Bytes, i))
			}
		}
	}
	if w := notes(tr, traces.NoteWarning); strings.Count(w, "blocks 3 to 4 were in the orderer's ledger before") != 2 || strings.Count(w, "\n") != 1 {
		t.Errorf("warnings: %s", w)
	}
	if f := notes(tr, traces.NoteFact); strings.Count(f, "27 of 54 transactions are invalid") != 2 || !strings.Contains(f, "arrival of the peer's event") {
		t.Errorf("facts: %s", f)
	}

	reader, err := traces.NewReader(&r.file, traces.ReaderConfig{SkipData: true})
	if err != nil {
		t.Fatal(err)
	}
	payloads := 0
	for p, err := range reader.Payloads() {
		if err != nil || !bytes.Equal(p.Bytes, b.chains[p.Channel][p.Block]) {
			t.Fatalf("payload of block %d of %s differs: %v", p.Block, p.Channel, err)
		}
		payloads++
	}
	if payloads != 2*27 {
		t.Errorf("%d payloads", payloads)
	}
}

// TestRestarts takes a node down in mid-stream: no hole, no duplicate, and what was not
// observed is marked.
func TestRestarts(t *testing.T) {
	for _, down := range []string{"orderer", "peer"} {
		t.Run(down, func(t *testing.T) {
			b := newTestbed(t, 30, 2, 2, "ch1")
			r := record(t, b.config)
			b.extend(t, r, 10)
			node, kind := b.orderer, event.Offered
			if down == "peer" {
				node, kind = b.peer, event.Committed
			}
			r.await(t, "all are in", func(s Status) bool { return s.Blocks == 8 })
			node.Stop()
			b.orderer.ledgers["ch1"].Append(b.chains["ch1"][10:20]...)
			b.peer.ledgers["ch1"].Append(commit(t, b.chains["ch1"][10:20])...)
			node.Start(t)
			r.await(t, "back", func(s Status) bool { return s.Offered == 20 && s.Committed == 20 && s.OrdererLost+s.PeerLost == 0 })
			b.extend(t, r, 30)
			tr := r.end(t)
			tl := tr.Timelines[0]
			if got := spans(observed(tl, kind)); got != "02-09,20-29" {
				t.Errorf("%v of blocks %s", kind, got)
			}
			if got := spans(observed(tl, event.Bytes)); got != "02-29" {
				t.Errorf("bytes of blocks %s", got)
			}
			if w := notes(tr, traces.NoteWarning); !strings.Contains(w, down) || !strings.Contains(w, "blocks 10 to 19 of ch1 came in between") {
				t.Errorf("warnings: %s", w)
			}
		})
	}
}

// TestCommittedFirst: the peer's events come before the orderer's blocks, which were
// offered by then at the latest.
func TestCommittedFirst(t *testing.T) {
	b := newTestbed(t, 10, 2, 2, "ch1")
	r := record(t, b.config)
	chain := b.chains["ch1"]
	b.peer.ledgers["ch1"].Append(commit(t, chain[2:8])...)
	r.await(t, "committed", func(s Status) bool { return s.Committed == 8 && s.Blocks == 6 })
	b.orderer.ledgers["ch1"].Append(chain[2:8]...)
	r.await(t, "offered", func(s Status) bool { return s.Offered == 8 })
	b.extend(t, r, 10)
	tr := r.end(t)
	tl := tr.Timelines[0]
	for i := range tl.Len() {
		offered, committed := tl.Value(event.Offered, i), tl.Value(event.Committed, i)
		if (i < 6) != (offered == committed) || offered == event.Missing || offered > committed {
			t.Errorf("block %d offered at %d, committed at %d", tl.Block(i), offered, committed)
		}
	}
	if w := notes(tr, traces.NoteWarning); !strings.HasPrefix(w, "6 commits were seen before the block came") {
		t.Errorf("warnings: %s", w)
	}
}

// TestOrder: whatever the order in which blocks and commits come, the earlier of both
// times counts for every block.
func TestOrder(t *testing.T) {
	const n = 3000
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 0))
		offer := func(i int) int64 { return int64(10*i + i%7) }
		seen := func(i int) int64 { return int64(10*i + i%5) }
		var o order
		recorded, late := make([]int64, n), 0
		for offers, commits := 0, 0; offers < n || commits < n; {
			// Neither is more than 1000 ahead.
			if ahead := offers - commits; offers < n && (commits == n || ahead < 1000 && (ahead < -1000 || random.IntN(2) == 0)) {
				o.offered(uint64(offers), offer(offers), true, func(at int64) { recorded[offers] = at })
				offers++
			} else {
				o.committed(uint64(commits), seen(commits), func(at int64) { recorded[commits] = at })
				commits++
			}
		}
		for i, at := range recorded {
			if at != min(offer(i), seen(i)) {
				t.Fatalf("seed %d: block %d offered at %d, came at %d, commit at %d", seed, i, at, offer(i), seen(i))
			}
			if seen(i) < offer(i) {
				late++
			}
		}
		if o.count != late || len(o.early) > 0 {
			t.Errorf("seed %d: %d of %d counted, %d wait", seed, o.count, late, len(o.early))
		}
	}
}

// TestFork: an orderer that comes back with another chain ends the recording.
func TestFork(t *testing.T) {
	b := newTestbed(t, 12, 2, 2, "ch1")
	r := record(t, b.config)
	b.extend(t, r, 10)
	b.orderer.Stop()
	b.orderer.ledgers["ch1"] = fabrictest.NewLedger(0, b.org.Chain(t, "ch1", 12, 0)...)
	b.orderer.Start(t)
	err := <-r.done
	var broken *fabric.ChainError
	var node *NodeError
	if !errors.Is(err, fabric.ErrFork) || !errors.As(err, &broken) || broken.Number != 10 || !errors.As(err, &node) || !node.Orderer {
		t.Fatal(err)
	}
	if got := spans(observed(read(t, r.file.Bytes()).Timelines[0], event.Committed)); got != "02-09" {
		t.Errorf("commits of blocks %s", got)
	}
}

// TestRefusals end Open at once, even if it should wait.
func TestRefusals(t *testing.T) {
	b := newTestbed(t, 2, 2, 2, "ch1")
	stranger := fabrictest.NewOrg(t)
	for name, c := range map[string]struct {
		change func(*Config)
		text   string
	}{
		"wrong CA":  {func(c *Config) { c.Orderer.TLS.RootCAs = stranger.TLSCA.Pool() }, "orderer orderer: connect to"},
		"host name": {func(c *Config) { c.Peers[0].TLS.ServerName = "peer0" }, "peer peer0: connect to"},
		"forbidden": {func(c *Config) { c.Signer = stranger.User.Identity }, "channel ch1: FORBIDDEN"},
		"expired": {func(c *Config) {
			old := newServer(t, b.org, pki.Request{NotAfter: time.Now().Add(-time.Hour)}, b.peer.ledgers)
			old.Start(t)
			c.Peers[0] = old.node("old")
		}, "expired"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := b.config
			cfg.Orderer, cfg.Peers, cfg.Wait = b.orderer.node("orderer"), []Node{b.peer.node("peer0")}, true
			c.change(&cfg)
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			_, err := Open(ctx, cfg)
			var node *NodeError
			if !deliver.Permanent(err) || !errors.As(err, &node) || !strings.Contains(err.Error(), c.text) {
				t.Error(err)
			}
		})
	}
}

// TestWait begins before the channel exists.
func TestWait(t *testing.T) {
	b := newTestbed(t, 5, 3, 3, "ch1")
	refused := make(chan struct{})
	var once sync.Once
	var mu sync.Mutex
	exists := false
	serve := b.orderer.Server.Ledgers
	b.orderer.Server.Ledgers = func(channel string) (deliver.Ledger, bool) {
		mu.Lock()
		defer mu.Unlock()
		if !exists {
			return nil, false
		}
		return serve(channel)
	}
	if _, err := Open(t.Context(), b.config); !deliver.HasStatus(err, commonpb.Status_NOT_FOUND) {
		t.Fatalf("without waiting: %v", err)
	}
	b.orderer.Server.Hooks.Ended = func(*deliver.Request, error) { once.Do(func() { close(refused) }) }
	b.config.Wait = true
	// Once the orderer has the channel and the peer is asked, the orderer goes on: what it
	// has made by the time that all are there is none of the recording.
	late, asked := b.peer.Server.Ledgers, 0
	b.peer.Server.Ledgers = func(channel string) (deliver.Ledger, bool) {
		mu.Lock()
		defer mu.Unlock()
		if asked++; asked == 1 {
			b.orderer.ledgers["ch1"].Append(b.chains["ch1"][3:]...)
			return nil, false
		}
		return late(channel)
	}
	go func() {
		<-refused
		mu.Lock()
		defer mu.Unlock()
		exists = true
	}()
	var waited []string
	b.config.Waiting = func(err error) { waited = append(waited, err.Error()) }
	if n := open(t, b.config); n.channels[0].orderer.first.Blocks != 5 {
		t.Errorf("begins at height %d of the orderer, which is at 5", n.channels[0].orderer.first.Blocks)
	}
	if len(waited) != 2 || !strings.HasPrefix(waited[0], "orderer orderer, channel ch1: ") || !strings.HasPrefix(waited[1], "peer peer0, channel ch1: ") {
		t.Errorf("waited: %q", waited)
	}
}

// TestUntilCaughtUp reads a chain from its beginning and ends by itself.
func TestUntilCaughtUp(t *testing.T) {
	b := newTestbed(t, 20, 20, 20, "ch1", "ch2")
	b.config.From, b.config.UntilCaughtUp, b.config.Payload = oldest(), true, PayloadHeaders
	r := record(t, b.config)
	if err := <-r.done; err != nil {
		t.Fatal(err)
	}
	for _, tl := range read(t, r.file.Bytes()).Timelines {
		if bytes, times := spans(observed(tl, event.Bytes)), observed(tl, event.Offered); bytes != "00-19" || len(times) > 0 {
			t.Errorf("%s: sizes of blocks %s, offers of %v", tl.Name(), bytes, times)
		}
	}
	reader, err := traces.NewReader(&r.file, traces.ReaderConfig{})
	if err != nil {
		t.Fatal(err)
	}
	for p, err := range reader.Payloads() {
		if err != nil {
			t.Fatal(err)
		}
		got, err := fabric.ParseBlock(p.Bytes)
		want, _ := fabric.ParseBlock(b.chains[p.Channel][p.Block])
		if err != nil || got.HeaderHash() != want.HeaderHash() || len(p.Bytes) >= len(want.Raw) {
			t.Errorf("header of block %d: %v", p.Block, err)
		}
	}
}

// TestLevel: a recording goes on, however often the network is level, until no block has
// come for a while; and however long that is, until the peer is level.
func TestLevel(t *testing.T) {
	b := newTestbed(t, 20, 5, 5, "ch1")
	b.config.UntilCaughtUp, b.config.Quiet = true, time.Hour
	r := record(t, b.config)
	b.extend(t, r, 10)
	b.extend(t, r, 15)
	if got := spans(observed(r.end(t).Timelines[0], event.Committed)); got != "05-14" {
		t.Errorf("commits of blocks %s", got)
	}
	b.orderer.ledgers["ch1"].Append(b.chains["ch1"][15:]...)
	b.config.Quiet = time.Microsecond
	r = record(t, b.config)
	r.await(t, "the peer's backlog is in", func(s Status) bool { return s.Past == 0 })
	b.peer.ledgers["ch1"].Append(commit(t, b.chains["ch1"][15:])...)
	if err := <-r.done; err != nil {
		t.Fatal(err)
	}
	tr := read(t, r.file.Bytes())
	if got := spans(observed(tr.Timelines[0], event.Committed)); got != "15-19" {
		t.Errorf("commits of blocks %s", got)
	}
	if n, ok := tr.Streams[0].Settings.Int(traces.SettingBacklogBefore); !ok || n != 20 {
		t.Errorf("settings %v", tr.Streams[0].Settings)
	}
	r = record(t, b.config)
	if err := <-r.done; err != nil {
		t.Fatal(err)
	}
	if tr := read(t, r.file.Bytes()); len(tr.Streams[0].Settings) > 0 {
		t.Errorf("settings %v", tr.Streams[0].Settings)
	}
}

// slow is a ledger that holds back its older blocks.
type slow struct {
	*fabrictest.Ledger
	below   uint64
	release chan struct{}
}

func (s slow) Block(ctx context.Context, n uint64) ([]byte, error) {
	if n < s.below {
		select {
		case <-s.release:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return s.Ledger.Block(ctx, n)
}

// TestOldest reads a long chain from its beginning while blocks come: these have their
// times however slowly the old ones arrive, heights are right from the start, and the end
// waits for all.
func TestOldest(t *testing.T) {
	b := newTestbed(t, 40, 20, 18, "ch1")
	release := make(chan struct{})
	b.orderer.Server.Ledgers = func(channel string) (deliver.Ledger, bool) {
		return slow{b.orderer.ledgers[channel], 19, release}, true
	}
	b.config.From, b.config.UntilCaughtUp, b.config.Payload = oldest(), true, PayloadFull
	r := record(t, b.config)
	for _, s := range r.net.Status() {
		if s.Offered != 20 || s.Committed != 18 {
			t.Errorf("begins with %+v", s)
		}
	}
	b.extend(t, r, 30)
	b.extend(t, r, 40)
	if s := r.net.Status()[0]; s.Past != 20 || s.Blocks != 22 {
		t.Errorf("while the old blocks are held back: %+v", s)
	}
	close(release)
	if err := <-r.done; err != nil {
		t.Fatal(err)
	}
	tl := read(t, r.file.Bytes()).Timelines[0]
	for k, want := range map[event.Kind]string{event.Offered: "18-39", event.Committed: "18-39", event.Bytes: "00-39", event.Writes: "00-39"} {
		if got := spans(observed(tl, k)); got != want {
			t.Errorf("%v of blocks %s, want %s", k, got, want)
		}
	}
	if report, err := traces.Verify(&r.file); err != nil || report.Payloads != 40 {
		t.Errorf("payloads: %+v, %v", report, err)
	}
	if b := r.net.Status()[0]; b.Past != 0 || b.Offered != 40 {
		t.Errorf("ends with %+v", b)
	}
}

// TestAhead asks for a block that is not there yet.
func TestAhead(t *testing.T) {
	b := newTestbed(t, 9, 5, 5, "ch1")
	at := event.BlockNum(7)
	b.config.From = &at
	_, err := Open(t.Context(), b.config)
	var ahead *AheadError
	if !errors.As(err, &ahead) || !strings.HasSuffix(err.Error(), "channel ch1: block 7 is not there yet: the height is 5") {
		t.Fatal(err)
	}
	b.config.Wait = true
	b.config.Waiting = func(error) { b.orderer.ledgers["ch1"].Append(b.chains["ch1"][5:7]...) }
	r := record(t, b.config)
	b.extend(t, r, 9)
	tr := r.end(t)
	for _, k := range []event.Kind{event.Offered, event.Committed, event.Bytes} {
		if got := spans(observed(tr.Timelines[0], k)); got != "07-08" {
			t.Errorf("%v of blocks %s", k, got)
		}
	}
	if w := r.net.Warnings(); len(w) > 0 {
		t.Errorf("warnings: %q", w)
	}
}

// TestWaitForOne records a channel that is there while another one is waited for.
func TestWaitForOne(t *testing.T) {
	b := newTestbed(t, 12, 2, 2, "ch1", "ch2")
	var mu sync.Mutex
	exists := false
	serve := b.orderer.Server.Ledgers
	b.orderer.Server.Ledgers = func(channel string) (deliver.Ledger, bool) {
		mu.Lock()
		defer mu.Unlock()
		if channel == "ch2" && !exists {
			return nil, false
		}
		return serve(channel)
	}
	b.config.Channels = []string{"ch2", "ch1", "ch9"}
	b.config.Wait = true
	r := record(t, b.config)
	r.await(t, "one is there", func(s Status) bool { return s.Waiting == (s.Channel != "ch1") })
	only := func(name string, n int) {
		t.Helper()
		b.orderer.ledgers[name].Append(b.chains[name][b.orderer.ledgers[name].Height():n]...)
		r.await(t, "offered", func(s Status) bool { return s.Channel != name || s.Offered == uint64(n) })
		b.peer.ledgers[name].Append(commit(t, b.chains[name][b.peer.ledgers[name].Height():n])...)
		r.await(t, "committed", func(s Status) bool { return s.Channel != name || s.Committed == uint64(n) })
	}
	only("ch1", 7)
	mu.Lock()
	exists = true
	mu.Unlock()
	r.await(t, "the other is there", func(s Status) bool { return s.Waiting == (s.Channel == "ch9") })
	only("ch1", 9)
	only("ch2", 12)
	tr := r.end(t)
	for i, want := range []string{"02-11", "02-08", ""} {
		if got := spans(observed(tr.Timelines[i], event.Committed)); got != want {
			t.Errorf("%s: commits of blocks %s, want %s", tr.Streams[i].Name(), got, want)
		}
	}
	if w := r.net.Warnings(); len(w) != 1 || !strings.HasPrefix(w[0], "channel ch9 was waited for") {
		t.Errorf("warnings: %q", w)
	}
}

// stuck is a disk that takes the header of a trace and then nothing until it is released.
type stuck struct {
	bytes.Buffer
	release chan struct{}
	head    bool
}

func (s *stuck) Write(p []byte) (int, error) {
	if s.head {
		<-s.release
	}
	s.head = true
	return s.Buffer.Write(p)
}

// TestSlowDisk loses payloads, counts them, and keeps all times.
func TestSlowDisk(t *testing.T) {
	b := newTestbed(t, 2, 2, 2, "ch1")
	const size = 2 << 20 // larger than a chunk: each is written at once
	chain := b.org.Chain(t, "ch1", 12, size)
	b.chains["ch1"] = chain
	b.orderer.ledgers["ch1"], b.peer.ledgers["ch1"] = fabrictest.NewLedger(0, chain[:2]...), fabrictest.NewLedger(0, commit(t, chain[:2])...)
	b.config.Payload, b.config.Recorder.QueuePayloadBytes = PayloadFull, 3*size*11/10
	disk := &stuck{release: make(chan struct{})}
	r := &recording{net: open(t, b.config), done: make(chan error, 1)}
	r.run(t, disk)
	for n := 3; n <= 12; n++ {
		b.extend(t, r, n)
	}
	// The writer may have taken the first payload before the disk was stuck.
	lost := r.net.Status()[0].DroppedPayloads
	if lost < 6 || lost > 7 {
		t.Errorf("%d of 10 payloads dropped by a queue of 3", lost)
	}
	close(disk.release)
	r.cancel()
	if err := <-r.done; err != nil {
		t.Fatal(err)
	}
	tr := read(t, disk.Bytes())
	for _, k := range []event.Kind{event.Offered, event.Committed} {
		if got := spans(observed(tr.Timelines[0], k)); got != "02-11" {
			t.Errorf("%v of blocks %s", k, got)
		}
	}
	if w := notes(tr, traces.NoteWarning); w != fmt.Sprintf("payloads of %d blocks came faster than they could be written and were dropped; their times are whole", lost) {
		t.Errorf("warnings: %s", w)
	}
	if report, err := traces.Verify(&disk.Buffer); err != nil || report.Payloads != 10-int(lost) {
		t.Errorf("the payloads: %+v, %v", report, err)
	}
}
