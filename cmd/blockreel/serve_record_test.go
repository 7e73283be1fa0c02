package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/blockreel/blockreel/internal/fabric"
	"github.com/blockreel/blockreel/internal/fabric/blocktest"
	"github.com/blockreel/blockreel/internal/fabric/deliver"
	"github.com/blockreel/blockreel/internal/fabric/fabrictest"
	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// servedRun writes a trace of channel ch1 of these blocks, so many of them from before the
// recording and the others every time apart, to full.reel.
func servedRun(t *testing.T, blocks [][]byte, early int, apart event.Time) {
	t.Helper()
	out, err := os.Create("full.reel")
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	w, err := traces.NewWriter(out, traces.Header{Source: "test", Streams: []traces.Stream{{Channel: "ch1", Peer: "recorded"}}}, traces.WriterConfig{})
	if err != nil {
		t.Fatal(err)
	}
	for i, raw := range blocks {
		b, err := fabric.ParseBlock(raw)
		if err != nil {
			t.Fatal(err)
		}
		n := event.BlockNum(b.Number)
		if i >= early {
			err = w.Append(event.Event{Kind: event.Offered, Block: n, Value: int64(i) * int64(apart)})
		}
		if err == nil {
			err = w.Payload("ch1", n, raw)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// serving is a serve command at work.
type serving struct {
	address string
	ready   string
	stderr  spoken
	done    chan int
}

// spoken is a buffer that can be read while it is written.
type spoken struct {
	mu    sync.Mutex
	b     bytes.Buffer
	wrote chan struct{} // has an element when there may be something new
}

func (s *spoken) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case s.wrote <- struct{}{}:
	default:
	}
	return s.b.Write(p)
}

func (s *spoken) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func startServe(ctx context.Context, t *testing.T, args ...string) *serving {
	t.Helper()
	s := &serving{done: make(chan int, 1), stderr: spoken{wrote: make(chan struct{}, 1)}}
	in, out := io.Pipe()
	go func() {
		code := run(ctx, append([]string{"serve", "full.reel", "--listen", "127.0.0.1:0", "--dir", "."}, args...), strings.NewReader(""), out, &s.stderr)
		out.Close()
		s.done <- code
	}()
	var err error
	if s.ready, err = bufio.NewReader(in).ReadString('\n'); err != nil {
		t.Fatalf("%v; exit code %d: %s", err, <-s.done, &s.stderr)
	}
	s.address = regexp.MustCompile(`127\.0\.0\.1:\d+`).FindString(s.ready)
	return s
}

// printed runs a command that must succeed, and gives what it prints.
func printed(t *testing.T, args ...string) string {
	t.Helper()
	var out, talk bytes.Buffer
	if code := run(t.Context(), args, strings.NewReader(""), &out, &talk); code != 0 {
		t.Fatalf("%v: exit code %d: %s%s", args, code, &out, &talk)
	}
	return out.String()
}

// A peer that has just joined takes a recorded run, real blocks too; what it made of it is
// a trace like any other.
func TestServeRecord(t *testing.T) {
	for name, get := range map[string]func(*testing.T, *fabrictest.Org) [][]byte{
		"minted": func(t *testing.T, o *fabrictest.Org) [][]byte { return o.Chain(t, "ch1", 100, 5000) },
		"sample": func(t *testing.T, _ *fabrictest.Org) [][]byte { return blocktest.Sample(t) },
		"real":   func(t *testing.T, _ *fabrictest.Org) [][]byte { return blocktest.Run(t, "fabric-2.5-mvcc-debug") },
	} {
		t.Run(name, func(t *testing.T) {
			org := fabrictest.NewOrg(t)
			blocks := get(t, org)
			t.Chdir(t.TempDir())
			serveRecord1(t, org, blocks)
		})
	}
}

func serveRecord1(t *testing.T, org *fabrictest.Org, blocks [][]byte) {
	const early = 4
	servedRun(t, blocks, early, 2e6)
	if err := org.WriteMSP("msp", org.User); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("ca.pem", org.TLSCA.PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	ledger := fabrictest.NewLedger(0, fabrictest.Commit(t, blocks[0]))
	peer := fabrictest.NewPeer(t, org, "peer0", map[string]*fabrictest.Ledger{"ch1": ledger})
	ctx, cancel := context.WithTimeout(t.Context(), fabrictest.Patience)
	defer cancel()
	s := startServe(ctx, t, "--hold", "--record", "out.reel", "--until-caught-up", "--buffer-blocks", "20", "--fabric-version", "2.5",
		"--peer", "peer0.org1.example.com="+peer.Address, "--tls", "--tlsRootCertFiles", "ca.pem", "--msp", "msp", "--mspid", "Org1MSP")
	if !strings.Contains(s.ready, "(up to 3 from before the recording), waiting for the first reader") {
		t.Errorf("the ready line is %q", s.ready)
	}
	pulled := make(chan error, 1)
	go func() { pulled <- peer.Pull(ctx, deliver.Endpoint{Address: s.address}) }()
	code := <-s.done
	cancel()
	if err := <-pulled; err != nil || code != 0 {
		t.Fatalf("exit code %d, %v: %s", code, err, &s.stderr)
	}
	for _, want := range []string{"tells of its commits on ch1", "ch1@peer0.org1.example.com: sent ", "wrote out.reel"} {
		if !strings.Contains(s.stderr.String(), want) {
			t.Errorf("stderr does not say %q:\n%s", want, &s.stderr)
		}
	}
	for i, raw := range blocks {
		got, err := ledger.Block(t.Context(), uint64(i))
		if err != nil || !bytes.Equal(got, fabrictest.Commit(t, raw)) {
			t.Fatalf("the peer has another block %d: %v", i, err)
		}
	}
	checkServed(t, blocks)
	if left, _ := filepath.Glob("out.reel.*"); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// A peer that refuses ends the command with the flag that mends it, and leaves no file.
func TestServeRecordRefused(t *testing.T) {
	t.Chdir(t.TempDir())
	org, other := fabrictest.NewOrg(t), fabrictest.NewOrg(t)
	servedRun(t, org.Chain(t, "ch1", 5, 0), 1, 1)
	peer := fabrictest.NewPeer(t, org, "peer0", map[string]*fabrictest.Ledger{"ch1": fabrictest.NewLedger(0)})
	for name, o := range map[string]*fabrictest.Org{"good": org, "bad": other} {
		if err := o.WriteMSP(name, o.User); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name+".pem", o.TLSCA.PEM(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), fabrictest.Patience)
	defer cancel()
	for want, files := range map[string][2]string{"with --tlsRootCertFiles": {"good", "bad.pem"}, "with --msp and --mspid": {"bad", "good.pem"}} {
		s := startServe(ctx, t, "--record", "out.reel", "--peer", peer.Address, "--tls", "--mspid", "Org1MSP", "--msp", files[0], "--tlsRootCertFiles", files[1])
		if code := <-s.done; code != 1 || !strings.Contains(s.stderr.String(), want) || strings.Contains(s.stderr.String(), "nobody") {
			t.Errorf("exit code %d, want %q in: %s", code, want, &s.stderr)
		}
		if left, _ := filepath.Glob("out.reel*"); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
	}
}

// A peer that is past the trace is refused with the heights; one that waits for its commits
// to be followed is told of, and Ctrl-C ends its wait.
func TestServeRecordStuck(t *testing.T) {
	t.Chdir(t.TempDir())
	org := fabrictest.NewOrg(t)
	blocks := org.Chain(t, "ch1", 9, 0)
	servedRun(t, blocks[:6], 1, 1)
	if err := org.WriteMSP("msp", org.User); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("ca.pem", org.TLSCA.PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	ledger := fabrictest.NewLedger(0)
	for _, raw := range blocks {
		ledger.Append(fabrictest.Commit(t, raw))
	}
	peer := fabrictest.NewPeer(t, org, "peer0", map[string]*fabrictest.Ledger{"ch1": ledger})
	ctx, cancel := context.WithTimeout(t.Context(), fabrictest.Patience)
	defer cancel()
	flags := []string{"--hold", "--record", "out.reel", "--tls", "--tlsRootCertFiles", "ca.pem", "--msp", "msp", "--mspid", "Org1MSP", "--peer"}
	s := startServe(ctx, t, append(flags, peer.Address)...)
	if code := <-s.done; code != 1 || !strings.Contains(s.stderr.String(), "its height is 9, and the trace ends at height 6") || strings.Contains(s.stderr.String(), "nothing to record") {
		t.Errorf("exit code %d: %s", code, &s.stderr)
	}

	ctx, interrupt := context.WithCancel(ctx)
	s = startServe(ctx, t, append(flags, "127.0.0.1:1")...)
	pulled := make(chan error, 1)
	joined := fabrictest.NewPeer(t, org, "peer1", map[string]*fabrictest.Ledger{"ch1": fabrictest.NewLedger(0, blocks[0])})
	go func() { pulled <- joined.Pull(ctx, deliver.Endpoint{Address: s.address}) }()
	for !strings.Contains(s.stderr.String(), "127.0.0.1:1 reads ch1, and is sent nothing before 127.0.0.1:1 tells of its commits; Ctrl-C ends the wait") {
		select {
		case <-s.stderr.wrote:
		case <-ctx.Done():
			t.Fatalf("nothing is said of the wait: %s", &s.stderr)
		}
	}
	interrupt()
	if code := <-s.done; code != 1 || !strings.Contains(s.stderr.String(), "no peer has read a block") {
		t.Errorf("exit code %d: %s", code, &s.stderr)
	}
	<-pulled
	if left, _ := filepath.Glob("out.reel*"); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// checkServed holds that out.reel has all blocks but genesis, and that the other commands
// make sense of it.
func checkServed(t *testing.T, blocks [][]byte) {
	t.Helper()
	printed(t, "verify", "out.reel")
	tr, err := traces.ReadFile("out.reel")
	if err != nil {
		t.Fatal(err)
	}
	tl := tr.Timelines[0]
	if tl.First != 1 || tl.Len() != len(blocks)-1 || tl.Name() != "ch1@peer0.org1.example.com" {
		t.Fatalf("%s: %d blocks from %d on", tl.Name(), tl.Len(), tl.First)
	}
	for _, k := range []event.Kind{event.Offered, event.Sent, event.Committed, event.Transactions, event.Bytes, event.Writes} {
		if got := tl.Observed(k); got != tl.Len() {
			t.Errorf("%v of %d of %d blocks", k, got, tl.Len())
		}
	}
	for _, n := range tr.Notes {
		if n.Kind == traces.NoteWarning {
			t.Errorf("warning: %s", n.Text)
		}
	}
	var stats struct {
		Streams []struct {
			Blocks   int   `json:"blocks"`
			Offered  int   `json:"offered_blocks"`
			Makespan int64 `json:"makespan_ns"`
			Buffer   int   `json:"buffer"`
			Behind   int   `json:"uncommitted_blocks"`
			Gap      struct {
				Final int `json:"final_blocks"`
			} `json:"gap"`
		} `json:"streams"`
	}
	if err := json.Unmarshal([]byte(printed(t, "stats", "--json", "out.reel")), &stats); err != nil {
		t.Fatal(err)
	}
	// The run took at least as long as its offers, 2 ms apart.
	if got := stats.Streams[0]; got.Blocks != tl.Len() || got.Offered != tl.Len() || got.Behind != 0 || got.Gap.Final != 0 ||
		got.Buffer != 20 || got.Makespan < int64(len(blocks)-5)*2e6 {
		t.Errorf("stats: %+v", got)
	}
	if replayed := printed(t, "replay", "out.reel", "--buffer", "2,200", "-o", "n.reel"); !strings.Contains(replayed, "ch1@peer0.org1.example.com") {
		t.Errorf("replay: %s", replayed)
	}
	printed(t, "info", "out.reel")
}
