package network

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/blockreel/blockreel/internal/fabric"
	"github.com/blockreel/blockreel/internal/fabric/deliver"
	"github.com/blockreel/blockreel/replay/ledger"
	"github.com/blockreel/blockreel/replay/pipeline"
	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// Two organizations on two channels are four streams, and every event of every block is
// in the trace.
func TestRun(t *testing.T) {
	n := opened(t, small())
	tr, s := record(t, within(t), n)
	if s.Interrupted || len(s.Streams) != 4 || len(s.Channels) != 2 || len(tr.Timelines) != 4 || tr.Loss != nil || tr.Source != "run" {
		t.Fatalf("summary %+v, %d timelines, loss %v", s, len(tr.Timelines), tr.Loss)
	}
	var names []string
	for i, tl := range tr.Timelines {
		names = append(names, tl.Name())
		if tl.First != firstBlock || tl.Len() != 50 || s.Streams[i].Offered != 50 || s.Streams[i].Committed != 50 {
			t.Errorf("%s: %d blocks from %d, %d committed", tl.Name(), tl.Len(), tl.First, s.Streams[i].Committed)
		}
		for k := range event.NumKinds {
			want := 50
			if k := event.Kind(k); k == event.CommitHash || k == event.InvalidTransactions {
				want = 0 // what logs and blocks tell
			}
			if got := tl.Observed(event.Kind(k)); got != want {
				t.Errorf("%s: %d values of %v", tl.Name(), got, event.Kind(k))
			}
		}
		for b := range tl.Len() {
			last := tl.Value(event.Offered, b)
			for k := event.Received; k <= event.Committed; k++ {
				if tl.Value(k, b) < last {
					t.Fatalf("%s: block %d: %v comes too early", tl.Name(), tl.Block(b), k)
				}
				last = tl.Value(k, b)
			}
			if tl.Value(event.Transactions, b) != 1 || tl.Value(event.Writes, b) != 2 || tl.Value(event.Bytes, b) < 2000 {
				t.Fatalf("%s: block %d: other contents than were asked for", tl.Name(), tl.Block(b))
			}
		}
		if _, whole, err := pipeline.ParseSettings(tl.Settings); whole || err != nil {
			t.Errorf("%s: the settings claim to know the link: %v", tl.Name(), err)
		}
		if c, ok, err := pipeline.ParsePeerSettings(tl.Settings); !ok || err != nil || c != n.cfg.Pipeline {
			t.Errorf("%s: the settings give %+v, %v, %v", tl.Name(), c, ok, err)
		}
	}
	if want := []string{"ch1@peer0.org1", "ch1@peer0.org2", "ch2@peer0.org1", "ch2@peer0.org2"}; !slices.Equal(names, want) {
		t.Errorf("streams %v, want %v", names, want)
	}
	at := func(i int) []int64 { return tr.Timelines[i].Column(event.Offered) }
	if !slices.Equal(at(0), at(1)) || slices.Equal(at(0), at(2)) {
		t.Error("the peers of a channel see other offers, or those of two channels the same")
	}
	for due, i := range indexed(n.cfg.Offers(0)) {
		if offered := at(0)[i]; offered < int64(due) {
			t.Errorf("block %d was offered %v before its time", i+1, time.Duration(int64(due)-offered))
		}
	}
	for _, status := range n.Status() {
		for _, c := range status.Channels {
			if c.Height != 51 || c.Buffered != 0 {
				t.Errorf("%s: %+v, want 51 blocks", status.Name, c)
			}
		}
	}
	if sent := n.Status()[0].Channels[0].Sent; sent != 100 {
		t.Errorf("the orderer has sent %d blocks of a channel to two peers, want 100", sent)
	}
}

func indexed[T any](seq func(func(T) bool)) func(func(T, int) bool) {
	return func(yield func(T, int) bool) {
		i := 0
		for v := range seq {
			if !yield(v, i) {
				return
			}
			i++
		}
	}
}

// A load without an end goes on until somebody ends it; the trace is whole up to there.
func TestInterrupted(t *testing.T) {
	c := small()
	c.Blocks, c.Rate, c.Reused, c.AheadBlocks = 0, 1000, true, 64
	n := opened(t, c)
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	seen := newCounter()
	stop := background(t, n, seen)
	seen.wait(t, 3, event.Committed, 100)
	s, err := stop()
	if err != nil || !s.Interrupted {
		t.Fatalf("error %v, interrupted %v", err, s.Interrupted)
	}
	for i, r := range s.Streams {
		if got := seen.count(i, event.Committed); got != r.Committed || r.Offered < got {
			t.Errorf("%s: %d commits observed, %d in the summary, %d offered", r.Name, got, r.Committed, r.Offered)
		}
	}
	if notes := s.Notes(); !slices.ContainsFunc(notes, func(n traces.Note) bool {
		return n.Kind == traces.NoteWarning && strings.Contains(n.Text, "interrupted")
	}) {
		t.Errorf("notes %v", notes)
	}
	cancel()
	if _, err := opened(t, c).Run(ctx, nil); err != nil {
		t.Errorf("a run that was over before it began: %v", err)
	}
}

// A network that lingers answers when its load is long over.
func TestLinger(t *testing.T) {
	c := small()
	c.Linger, c.Channels, c.Orgs = true, 1, 1
	n := opened(t, c)
	seen := newCounter()
	stop := background(t, n, seen)
	seen.wait(t, 0, event.Committed, c.Blocks)
	if got := read(t, n, 1, 0, 5, 0); got.Number() != 5 {
		t.Errorf("block %d, want 5", got.Number())
	}
	if s, err := stop(); err != nil || s.Interrupted || s.Streams[0].Committed != c.Blocks {
		t.Errorf("%+v, %v", s, err)
	}
}

// Ledgers on disk hold the run when the network is closed, and no second one goes there,
// whatever its ledgers.
func TestLedgersOnDisk(t *testing.T) {
	c := small()
	c.Ledger, c.Dir = ledger.BadgerNoSync, t.TempDir()
	c.Load = Load{Rate: MaxRate, Blocks: 30}
	n, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	tr, _ := record(t, within(t), n)
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	for _, tl := range tr.Timelines {
		l, err := ledger.Open(c.Ledger, ledger.Config{Dir: filepath.Join(c.Dir, tl.Peer, tl.Channel), Channel: tl.Channel})
		if err != nil {
			t.Fatal(err)
		}
		if l.Height() != 31 {
			t.Errorf("%s: height %d", tl.Name(), l.Height())
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
	blocks := filepath.Join(c.Dir, ordererName, "ch1", "blocks")
	before, err := os.Stat(blocks)
	if err != nil {
		t.Fatal(err)
	}
	names := func() (names []string) {
		err := filepath.WalkDir(c.Dir, func(path string, _ os.DirEntry, err error) error {
			names = append(names, path)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	held := names()
	key := filepath.Join(n.Nodes()[0].MSPDir, "keystore", "priv_sk")
	secret, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	if slices.ContainsFunc(held, func(path string) bool { return strings.Contains(path, "verdicts") }) {
		t.Errorf("temporary files are left: %q", held)
	}
	for _, spec := range []string{c.Ledger, ledger.Memory} {
		second := c
		second.Ledger, second.Channels = spec, 3
		if n, err := Open(second); err == nil || !strings.Contains(err.Error(), "another directory") {
			t.Errorf("a directory that holds a network was taken for a new run: %v", errors.Join(err, closed(n)))
		}
	}
	if now := names(); !slices.Equal(now, held) {
		t.Errorf("a run that was refused leaves %q, and there was %q", now, held)
	}
	if now, err := os.ReadFile(key); err != nil || string(now) != string(secret) {
		t.Errorf("a run that was refused has made new keys: %v", err)
	}
	if after, err := os.Stat(blocks); err != nil || after.Size() != before.Size() {
		t.Errorf("a run that was refused has touched the orderer's blocks: %v", err)
	}
	for _, node := range n.Nodes() {
		key := filepath.Join(node.MSPDir, "keystore", "priv_sk")
		if info, err := os.Stat(key); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: others can read it: %v, %v", key, info, err)
		}
	}
}

func closed(n *Network) error {
	if n == nil {
		return nil
	}
	return n.Close()
}

func TestTemporaryFilesGo(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	n, err := Open(small())
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// Blocks of a range of transactions are really of these sizes, whoever tells of them: the
// trace, the orderer's file and the peers' readers. The seed makes them what they are.
func TestBlocksOfManySizes(t *testing.T) {
	sizes := func(seed uint64) (all [2][]int64) {
		c := small()
		c.Orgs, c.Shapes, c.Seed, c.Profile = 1, Mixed(1, 6), seed, Constant
		n := opened(t, c)
		tr, _ := record(t, within(t), n)
		for i, tl := range tr.Timelines {
			set := tl.Settings
			for name, want := range map[string]string{settingTransactions: "1..6", settingWrites: "2..12", settingBytes: "4100..20100", settingMost: "6", settingWritesEach: "2", settingBytesEach: "3200", settingSeed: fmt.Sprint(seed)} {
				if set[name] != want {
					t.Errorf("setting %s is %q, want %q", name, set[name], want)
				}
			}
			for b := range tl.Len() {
				tx := tl.Value(event.Transactions, b)
				all[i] = append(all[i], tx)
				raw, err := n.Block(within(t), i, tl.Block(b))
				if err != nil {
					t.Fatal(err)
				}
				block, err := fabric.ParseBlock(raw)
				if err != nil {
					t.Fatal(err)
				}
				writes, err := block.Writes()
				if err != nil {
					t.Fatal(err)
				}
				if int64(block.Transactions) != tx || tl.Value(event.Writes, b) != 2*tx || int64(writes.Count) != 2*tx || tl.Value(event.Bytes, b) != int64(len(raw)) {
					t.Fatalf("block %d has %d transactions, %d writes, %d bytes; the trace tells of %d, %d, %d", tl.Block(b), block.Transactions, writes.Count, len(raw),
						tx, tl.Value(event.Writes, b), tl.Value(event.Bytes, b))
				}
				if want := 900 + 3200*int(tx); len(raw) < want*95/100 || len(raw) > want*105/100 {
					t.Errorf("block %d of %d transactions has %d bytes, want about %d", tl.Block(b), tx, len(raw), want)
				}
				if got := read(t, n, 1, i, uint64(tl.Block(b)), deliver.Peer); len(got.Block.Flags()) != int(tx) {
					t.Fatalf("block %d of %d transactions has %d verdicts", tl.Block(b), tx, len(got.Block.Flags()))
				}
			}
			if got := slices.Compact(slices.Sorted(slices.Values(all[i]))); !slices.Equal(got, []int64{1, 2, 3, 4, 5, 6}) {
				t.Errorf("blocks have %v transactions", got)
			}
		}
		return all
	}
	one, other := sizes(5), sizes(6)
	if again := sizes(5); !slices.Equal(one[0], again[0]) || slices.Equal(one[0], one[1]) || slices.Equal(one[0], other[0]) {
		t.Errorf("sizes of the seed %v, again %v; of the other channel %v; of another seed %v", one[0], again[0], one[1], other[0])
	}
}

// A network that is closed while it makes its first blocks makes no more of them.
func TestCloseWhilePreparing(t *testing.T) {
	c := small()
	c.Channels, c.Orgs, c.Blocks, c.Rate = 1, 1, 10_000, MaxRate
	n, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := n.Prepare(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Prepare: %v", err)
	}
	if err := n.Close(); err != nil {
		t.Error(err)
	}
	if made := len(n.channels[0].chain.ends); made > c.Blocks/2 {
		t.Errorf("%d of %d blocks were made", made, c.Blocks)
	}
}

func TestOpenRefuses(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"channels":            func(c *Config) { c.Channels = 0 },
		"organizations":       func(c *Config) { c.Orgs = 0 },
		"streams":             func(c *Config) { c.Channels, c.Orgs = 17, 17 },
		"transactions":        func(c *Config) { c.Transactions = 0 },
		"writes":              func(c *Config) { c.Writes = -1 },
		"bytes":               func(c *Config) { c.Bytes = math.MaxInt },
		"goes upwards":        func(c *Config) { c.Shapes = Mixed(5, 4) },
		"choose 1 to 1048576": func(c *Config) { c.Shapes = Mixed(1, 1<<21) },
		"each transaction":    func(c *Config) { c.WritesEach = -1 },
		"bytes per block: ":   func(c *Config) { c.Shapes = Mixed(1, 100_000) },
		"blocks ahead":        func(c *Config) { c.AheadBlocks = -1 },
		"choose one of":       func(c *Config) { c.Ledger = "granite" },
		"cannot be opened":    func(c *Config) { c.Ledger = "recorded" },
		"buffer size":         func(c *Config) { c.Pipeline.Policy.N = 0 },
		"link is a real one":  func(c *Config) { c.Pipeline.Link.Window = 1 },
		"rate of 0":           func(c *Config) { c.Rate = 0 },
		"not a directory":     func(c *Config) { c.Dir = os.DevNull },
		"other machines":      func(c *Config) { c.Listen.Orderer = "0.0.0.0:0" },
		"write host:port":     func(c *Config) { c.Listen.Peers = []string{"127.0.0.1:0", "7051"} },
		"1 addresses for 2":   func(c *Config) { c.Listen.Peers = []string{"127.0.0.1:0"} },
	} {
		c := small()
		change(&c)
		n, err := Open(c)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", errors.Join(err, closed(n)), want)
		}
	}
}

// The orderer says so when it cannot keep its times.
func TestLateOrderer(t *testing.T) {
	c := small()
	c.Channels, c.Orgs, c.Transactions, c.AheadBlocks = 1, 1, 20, 1
	c.Load = Load{Rate: MaxRate, Blocks: 100}
	n := opened(t, c)
	tr, s := record(t, within(t), n)
	if late := s.Channels[0].Late; late.Blocks == 0 || late.Max < lateFrom {
		t.Errorf("2,000 transactions were signed in no time: %+v", late)
	}
	told := slices.ContainsFunc(tr.Notes, func(n traces.Note) bool {
		return n.Kind == traces.NoteWarning && strings.Contains(n.Text, "slower than the load")
	})
	if !told {
		t.Errorf("the trace does not say that its orderer was late: %v", tr.Notes)
	}
	c.AheadBlocks = 100
	if _, s := record(t, within(t), opened(t, c)); s.Streams[0].Committed != 100 {
		t.Errorf("%+v", s)
	}
}

func TestCapacity(t *testing.T) {
	c := small()
	c.Channels, c.Orgs = 1, 1
	got, err := Capacity(within(t), c, time.Second)
	if err != nil || got <= 0 {
		t.Fatalf("%v blocks/s, %v", got, err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Capacity(ended, c, time.Second); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that of the context", err)
	}
}

// A block that shall have no bytes has those that Shapes tells of.
func TestLeastBytes(t *testing.T) {
	for _, s := range []Shapes{{Transactions: 1, Writes: 2}, {Transactions: 10, Writes: 500}, {Transactions: 3, WritesEach: 4}} {
		c := small()
		c.Channels, c.Orgs, c.Blocks, c.Profile = 1, 1, 3, Constant
		c.Shapes = s
		n := opened(t, c)
		tr, _ := record(t, within(t), n)
		got, want := tr.Timelines[0].Value(event.Bytes, 1), int64(s.LeastBytes())
		if got < want*96/100 || got > want*104/100 {
			t.Errorf("%+v: a block has %d bytes, and %d were told", s, got, want)
		}
	}
}
