package serve

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/blockreel/blockreel/internal/fabric"
	"github.com/blockreel/blockreel/internal/fabric/blocktest"
	"github.com/blockreel/blockreel/internal/fabric/deliver"
	"github.com/blockreel/blockreel/internal/fabric/fabrictest"
	"github.com/blockreel/blockreel/internal/fabric/pki"
	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// saved saves the recording, and reads it; it must be whole, and the streams' files gone.
func saved(t *testing.T, s *Server) *traces.Trace {
	t.Helper()
	path := s.cfg.Record.Path
	if err := s.SaveRecording(); err != nil {
		t.Fatal(err)
	}
	if err := s.recording.close(); err != nil {
		t.Fatal(err)
	}
	s.recording.streams = nil // closed
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	report, err := traces.Verify(file)
	if err != nil || report.Loss != nil || len(report.Findings) > 0 {
		t.Fatalf("the trace is not sound: %v, %+v", err, report)
	}
	if left, err := filepath.Glob(path + ".*"); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	tr, err := traces.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func stream1(t *testing.T, tr *traces.Trace, channel, peer string) *traces.Timeline {
	t.Helper()
	i := slices.IndexFunc(tr.Timelines, func(tl *traces.Timeline) bool { return tl.Channel == channel && tl.Peer == peer })
	if i < 0 {
		t.Fatalf("no stream %s@%s in %+v", channel, peer, tr.Streams)
	}
	return tr.Timelines[i]
}

// holds checks that a stream has all of a run's blocks from first on, offered as the
// trace says, with these kinds.
func holds(t *testing.T, tl *traces.Timeline, r run, speed float64, kinds ...event.Kind) {
	t.Helper()
	first := int(number(t, r.blocks[0]))
	if tl.Len() == 0 || int(tl.First) < first || int(tl.First)+tl.Len() != first+len(r.blocks) {
		t.Fatalf("%s: blocks %d and %d more, want those up to %d", tl.Name(), tl.First, tl.Len(), first+len(r.blocks)-1)
	}
	origin := int64(event.Missing)
	for i := range tl.Len() {
		at := int(tl.Block(i)) - first
		b, err := fabric.ParseBlock(r.blocks[at])
		if err != nil {
			t.Fatal(err)
		}
		writes, err := b.Writes()
		if err != nil {
			t.Fatal(err)
		}
		for k, want := range map[event.Kind]int{event.Transactions: b.Transactions, event.Bytes: len(b.Raw), event.Writes: writes.Count} {
			if got := tl.Value(k, i); got != int64(want) {
				t.Errorf("%s: block %d: %v is %d, want %d", tl.Name(), b.Number, k, got, want)
			}
		}
		for _, k := range append(kinds, event.Offered) {
			if tl.Value(k, i) == event.Missing {
				t.Errorf("%s: block %d has no %v", tl.Name(), b.Number, k)
			}
		}
		switch offered := tl.Value(event.Offered, i); {
		case r.offered[at] == event.Missing:
			if offered != 0 {
				t.Errorf("%s: block %d, of before the recording, is offered at %d", tl.Name(), b.Number, offered)
			}
		case origin == event.Missing:
			origin = offered - int64(float64(r.offered[at])/speed)
		case offered-origin-int64(float64(r.offered[at])/speed) > 2: // rounding
			t.Errorf("%s: block %d is offered at %d", tl.Name(), b.Number, offered)
		}
	}
}

// Two peers pull two channels, each from its own height, through a stall and a cut, over
// mutual TLS; the recording has every block as it was offered, sent and committed.
func TestRecordPeers(t *testing.T) {
	org := fabrictest.NewOrg(t)
	one, two := run{channel: "ch1"}, run{channel: "ch2"}
	one.blocks, two.blocks = org.Chain(t, "ch1", 40, 0), org.Chain(t, "ch2", 30, 3000)[3:]
	for i := range one.blocks {
		one.offered = append(one.offered, event.Time(i)*second/10)
	}
	for i := range 5 {
		one.offered[i] = event.Missing // genesis, and what came before the recording
	}
	for i := range two.blocks {
		two.offered = append(two.offered, second/2+event.Time(i)*second/8)
	}
	peers := map[string]*fabrictest.Peer{}
	rec := &Recording{Path: filepath.Join(t.TempDir(), "out.reel"), Signer: org.User.Identity, UntilCaughtUp: true, RetryAfter: time.Millisecond,
		Settings: traces.Settings{"buffer_blocks": "20"}}
	for i, name := range []string{"peer0", "peer1"} {
		// The first has the genesis block that it has joined with, the second more.
		ledgers := map[string]*fabrictest.Ledger{"ch1": fabrictest.NewLedger(0), "ch2": fabrictest.NewLedger(3)}
		for _, raw := range one.blocks[:1+7*i] {
			ledgers["ch1"].Append(fabrictest.Commit(t, raw))
		}
		ledgers["ch2"].Append(fabrictest.Commit(t, two.blocks[0]))
		peers[name] = fabrictest.NewPeer(t, org, name, ledgers)
		rec.Peers = append(rec.Peers, at("Org1MSP/"+name+".org1.example.com", peers[name].Endpoint(t)))
	}
	n := &node{org: org, Server: newServer(t, Config{
		TLS: org.ServerTLS(t, true, pki.Request{}), Hold: true, Speed: 20, Record: rec,
		Stalls: []Stall{{time.Second, time.Second}}, Disconnects: []time.Duration{2500 * time.Millisecond},
	}, one, two)}
	l, err := Listen("127.0.0.1:0", true)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), fabrictest.Patience)
	defer cancel()
	pulled := make(chan error, 2)
	for _, p := range peers {
		go func() { pulled <- p.Pull(ctx, org.Endpoint(t, l.Addr().String(), n.cfg.TLS)) }()
	}
	if err := n.Serve(ctx, l); err != nil || ctx.Err() != nil {
		t.Fatalf("serve: %v, %v", err, ctx.Err())
	}
	cancel()
	for range peers {
		if err := <-pulled; err != nil {
			t.Error(err)
		}
	}
	for _, s := range n.Recorded() {
		if !s.Followed || s.Sent == 0 || s.Committed == 0 || s.Dropped != 0 {
			t.Errorf("status is %+v", s)
		}
	}
	tr := saved(t, n.Server)
	if len(tr.Streams) != 4 || tr.Source != "serve" {
		t.Errorf("streams: %+v", tr.Streams)
	}
	for name, p := range peers {
		for _, r := range []run{one, two} {
			tl := stream1(t, tr, r.channel, "Org1MSP/"+name+".org1.example.com")
			holds(t, tl, r, 20, event.Sent, event.Committed, event.InvalidTransactions)
			if got := p.Ledgers[r.channel].Height(); got != uint64(number(t, r.blocks[len(r.blocks)-1]))+1 {
				t.Errorf("%s: the peer's height is %d", tl.Name(), got)
			}
			if tl.Settings["buffer_blocks"] != "20" {
				t.Errorf("%s: settings %v", tl.Name(), tl.Settings)
			}
		}
	}
	if first := stream1(t, tr, "ch1", "Org1MSP/peer1.org1.example.com").First; first != 8 {
		t.Errorf("peer1 begins with block %d, want 8", first)
	}
}

// Readers whose commits nobody follows are recorded by their identities; blocks that they
// have not read are offered all the same.
func TestRecordReaders(t *testing.T) {
	r := run{channel: "ch1", blocks: blocktest.Sample(t), offered: make([]event.Time, 14)}
	path := filepath.Join(t.TempDir(), "out.reel")
	n := &node{org: fabrictest.NewOrg(t), Server: newServer(t, Config{Record: &Recording{Path: path}}, r)}
	stop := n.serve(t)
	fetch := n.open(t, deliver.Seek{Channel: "ch1", Start: deliver.At(3), Stop: deliver.At(3)})
	whole := n.open(t, deliver.Seek{Channel: "ch1", Start: deliver.At(2)})
	if err := errors.Join(readAll(fetch, r.blocks[3:4]), read(whole, r.blocks[2:])); err != nil {
		t.Fatal(err)
	}
	if err := read(n.open(t, deliver.Seek{Channel: "ch1", Start: deliver.At(12)}), r.blocks[12:]); err != nil {
		t.Fatal(err)
	}
	var parts []*traces.Trace // readable while they are written
	for _, part := range []string{".stream1", ".stream2"} {
		tr, err := traces.ReadFile(path + part)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, tr)
	}
	stop()
	tr := saved(t, n.Server)
	for i, part := range parts { // of one beginning: a kill leaves what can be joined
		if !part.Base.Equal(tr.Base) {
			t.Errorf("part %d begins at %v, the trace at %v", i+1, part.Base, tr.Base)
		}
	}
	tl := stream1(t, tr, "ch1", "Org1MSP/user.org1.example.com")
	if tl.First != 2 {
		t.Errorf("the reader begins with block %d", tl.First)
	}
	holds(t, tl, r, 1, event.Sent)
	if tl.Column(event.Committed) != nil || len(tr.Streams) != 2 {
		t.Errorf("streams %+v, commits %v", tr.Streams, tl.Column(event.Committed))
	}
	if other := tr.Timelines[1]; other.First != 12 || !strings.HasPrefix(other.Peer, "Org1MSP/user.org1.example.com@127.0.0.1:") {
		t.Errorf("another reader of this identity: %s from block %d on", other.Name(), other.First)
	}
}

// Readers of one identity that come and go take their streams up again.
func TestRecordComeAndGo(t *testing.T) {
	r := run{channel: "ch1", blocks: blocktest.Sample(t), offered: make([]event.Time, 14)}
	n := &node{org: fabrictest.NewOrg(t), Server: newServer(t, Config{Record: &Recording{Path: filepath.Join(t.TempDir(), "out.reel")}}, r)}
	ended := make(chan struct{}, 8)
	n.cfg.Hooks.Ended = func(*deliver.Request, error) { ended <- struct{}{} }
	stop := n.serve(t)
	stays := n.open(t, deliver.Seek{Channel: "ch1"})
	if err := read(stays, r.blocks); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		comes := n.open(t, deliver.Seek{Channel: "ch1", Start: deliver.At(5)})
		if err := read(comes, r.blocks[5:]); err != nil {
			t.Fatal(err)
		}
		comes.Close()
		<-ended
	}
	stop()
	tr := saved(t, n.Server)
	if len(tr.Streams) != 2 || tr.Timelines[1].First != 5 || tr.Timelines[1].Observed(event.Sent) != 9 {
		t.Errorf("streams %+v", tr.Streams)
	}
	if !slices.ContainsFunc(tr.Notes, func(n traces.Note) bool {
		return n.Stream == 1 && strings.Contains(n.Text, "18 blocks sent again")
	}) {
		t.Errorf("notes %+v", tr.Notes)
	}
}

// What a reader was not sent is in its trace: it was offered.
func TestRecordUnread(t *testing.T) {
	r := run{channel: "ch1", blocks: blocktest.Sample(t), offered: make([]event.Time, 14)}
	n := &node{org: fabrictest.NewOrg(t), Server: newServer(t, Config{Record: &Recording{Path: filepath.Join(t.TempDir(), "out.reel")},
		Stalls: []Stall{{0, time.Hour}}}, r)}
	opened := make(chan struct{}, 1)
	n.cfg.Hooks.Opened = func(*deliver.Request) { opened <- struct{}{} }
	stop := n.serve(t)
	n.open(t, deliver.Seek{Channel: "ch1", Start: deliver.At(4)})
	<-opened
	stop()
	tl := stream1(t, saved(t, n.Server), "ch1", "Org1MSP/user.org1.example.com")
	holds(t, tl, r, 1)
	if tl.First != 4 || tl.Column(event.Sent) != nil {
		t.Errorf("blocks from %d on, %d sent", tl.First, tl.Observed(event.Sent))
	}
}

// Without pace every block is offered at the start.
func TestRecordUnpaced(t *testing.T) {
	r := sampleRun(t, "ch1", 0)
	n := &node{org: fabrictest.NewOrg(t), Server: newServer(t, Config{Unpaced: true, Record: &Recording{Path: filepath.Join(t.TempDir(), "out.reel")}}, r)}
	stop := n.serve(t)
	if err := read(n.open(t, deliver.Seek{Channel: "ch1"}), r.blocks); err != nil {
		t.Fatal(err)
	}
	stop()
	tl := saved(t, n.Server).Timelines[0]
	if offered := tl.Column(event.Offered); len(offered) != len(r.blocks) || slices.Min(offered) != slices.Max(offered) {
		t.Errorf("offered at %v", offered)
	}
	if tl.Observed(event.Sent) == 0 {
		t.Error("nothing was sent")
	}
}

func TestRecordNobody(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.reel")
	n := &node{Server: newServer(t, Config{Hold: true, Record: &Recording{Path: path}}, sampleRun(t, "ch1", 0))}
	n.serve(t)()
	if err := n.SaveRecording(); !errors.Is(err, ErrNobody) {
		t.Errorf("error %v, want %v", err, ErrNobody)
	}
	if left, _ := filepath.Glob(path + "*"); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// A request that stops at a block is no peer at work, and the error says so.
func TestRecordFetchAlone(t *testing.T) {
	r := run{channel: "ch1", blocks: blocktest.Sample(t)}
	n := &node{org: fabrictest.NewOrg(t), Server: newServer(t, Config{Record: &Recording{Path: filepath.Join(t.TempDir(), "out.reel")}}, r)}
	stop := n.serve(t)
	if err := readAll(n.open(t, deliver.Seek{Channel: "ch1", Start: deliver.At(3), Stop: deliver.At(3)}), r.blocks[3:4]); err != nil {
		t.Fatal(err)
	}
	stop()
	if err := n.SaveRecording(); !errors.Is(err, ErrNobody) || !strings.Contains(err.Error(), "the 1 that were sent went to requests that stop at a block") {
		t.Error(err)
	}
}

// With Hold, a reader whose commits cannot be followed is sent nothing; it and whoever
// serves are told why, and the end of serving ends its wait.
func TestRecordUnreachable(t *testing.T) {
	r := run{channel: "ch1", blocks: blocktest.Sample(t)}
	org := fabrictest.NewOrg(t)
	waits := make(chan string, 1)
	rec := &Recording{Path: filepath.Join(t.TempDir(), "out.reel"), Signer: org.User.Identity, RetryAfter: time.Millisecond,
		Peers: []Peer{{Name: "peer0", Address: "127.0.0.1:1"}},
		Waits: func(p Peer, channel string) { waits <- p.Name + " " + channel }}
	n := &node{org: org, Server: newServer(t, Config{Hold: true, Record: rec}, r)}
	stop := n.serve(t)
	stream := n.open(t, deliver.Seek{Channel: "ch1"})
	if who := <-waits; who != "peer0 ch1" {
		t.Errorf("%s waits", who)
	}
	stop()
	if d, err := stream.Recv(); err == nil {
		t.Errorf("block %d was sent", d.Number())
	}
	if err := n.SaveRecording(); !errors.Is(err, ErrNobody) {
		t.Error(err)
	}
}

// A peer that is not there is waited for; one that refuses ends the serving, by name.
func TestRecordPeerTroubles(t *testing.T) {
	org, stranger := fabrictest.NewOrg(t), fabrictest.NewOrg(t)
	r := run{channel: "ch1", blocks: org.Chain(t, "ch1", 6, 0), offered: make([]event.Time, 6)}
	var peer *fabrictest.Peer
	recording := func(signer *fabrictest.Org) *Recording {
		peer = fabrictest.NewPeer(t, org, "peer0", map[string]*fabrictest.Ledger{"ch1": fabrictest.NewLedger(0, r.blocks[0])})
		return &Recording{Path: filepath.Join(t.TempDir(), "out.reel"), Signer: signer.User.Identity, RetryAfter: time.Millisecond,
			Peers: []Peer{at("", peer.Endpoint(t))}, UntilCaughtUp: true}
	}
	serveOnce := func(rec *Recording, pull bool) (*Server, error) {
		s := newServer(t, Config{Record: rec}, r)
		l, err := Listen("127.0.0.1:0", false)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), fabrictest.Patience)
		defer cancel()
		pulled := make(chan error, 1)
		go func() {
			if !pull {
				pulled <- nil
				return
			}
			pulled <- peer.Pull(ctx, deliver.Endpoint{Address: l.Addr().String()})
		}()
		err = errors.Join(s.Serve(ctx, l), ctx.Err())
		cancel()
		return s, errors.Join(err, <-pulled)
	}
	var refused *PeerError
	if _, err := serveOnce(recording(stranger), true); !errors.As(err, &refused) || refused.Channel != "ch1" || !strings.Contains(err.Error(), "FORBIDDEN") {
		t.Errorf("a stranger asks: %v", err)
	}

	foreign := recording(org)
	peer.Ledgers["ch1"].Append(fabrictest.Commit(t, org.Chain(t, "ch1", 2, 100)[1]))
	if _, err := serveOnce(foreign, false); !errors.Is(err, ErrForeign) {
		t.Errorf("a peer of another chain: %v", err)
	}

	beyond := recording(org)
	for _, raw := range org.Chain(t, "ch1", 9, 0)[1:] {
		peer.Ledgers["ch1"].Append(fabrictest.Commit(t, raw))
	}
	if _, err := serveOnce(beyond, false); !errors.Is(err, ErrBeyond) || !strings.Contains(err.Error(), "its height is 9, and the trace ends at height 6") {
		t.Errorf("a peer with more blocks than the trace: %v", err)
	}

	rec, lost := recording(org), 0
	peer.Stop()
	rec.Lost = func(Peer, string, error) {
		if lost++; lost == 1 {
			peer.Start(t)
		}
	}
	s, err := serveOnce(rec, true)
	if err != nil || lost != 1 {
		t.Fatalf("lost %d times: %v", lost, err)
	}
	tr := saved(t, s)
	holds(t, stream1(t, tr, "ch1", peer.Address), r, 1, event.Sent)
	if !slices.ContainsFunc(tr.Notes, func(n traces.Note) bool {
		return strings.Contains(n.Text, "the reader Org1MSP/peer0.org1.example.com is taken for the peer "+peer.Address)
	}) {
		t.Errorf("notes: %+v", tr.Notes)
	}
}

func TestRecordingRefuses(t *testing.T) {
	id := fabrictest.NewOrg(t).User.Identity
	peer := Peer{Name: "p", Address: "127.0.0.1:1"}
	for want, r := range map[string]Recording{
		"Path is missing":          {},
		"Signer is missing":        {Path: "out.reel", Peers: []Peer{peer}},
		"two peers are called p":   {Path: "out.reel", Peers: []Peer{peer, peer}, Signer: id},
		"when they have caught up": {Path: "out.reel", UntilCaughtUp: true},
		"no such file":             {Path: "nowhere/out.reel"},
		"must not be negative":     {Path: "out.reel", RetryAfter: -1},
	} {
		tr, payloads := trace(t, run{channel: "ch1", blocks: blocktest.Sample(t)})
		s, err := New(tr, payloads, Config{Record: &r, Dir: t.TempDir()})
		if err == nil {
			s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one of %q", err, want)
		}
	}
}

// at is a peer at an endpoint.
func at(name string, ep deliver.Endpoint) Peer {
	return Peer{Name: name, Address: ep.Address, TLS: ep.TLS}
}
