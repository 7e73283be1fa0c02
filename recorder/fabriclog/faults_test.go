package fabriclog

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"

	"github.com/blockreel/blockreel/traces"
	"github.com/blockreel/blockreel/traces/event"
)

// TestCutAnywhere cuts the sample at many places, as a copy of a live log is: what
// is read is what the whole log says of it.
func TestCutAnywhere(t *testing.T) {
	peer := sample(t, "peer.log")
	whole, _ := read(t, Config{Peers: []Source{text("peer.log", peer)}})
	w := whole.Timelines[0]
	from := strings.Index(peer, "Committed block [4]") + 60
	for n := from; n < len(peer); n += 37 {
		tr, _ := read(t, Config{Peers: []Source{text("peer.log", peer[:n])}})
		if len(tr.Timelines) != 1 {
			t.Fatalf("cut at %d: %d streams", n, len(tr.Timelines))
		}
		g := tr.Timelines[0]
		for i := range g.Len() {
			for _, k := range []event.Kind{event.Dequeued, event.Validated, event.Committed, event.Transactions} {
				if got := g.Value(k, i); got != w.Value(k, i) && !(got == event.Missing && i >= g.Len()-1) {
					t.Fatalf("cut at %d: %v of block %d is %d, want %d", n, k, g.Block(i), got, w.Value(k, i))
				}
			}
		}
	}
}

// TestGarbage puts NULs, noise, an endless line and wild numbers between the lines:
// they are counted and change nothing.
func TestGarbage(t *testing.T) {
	orderer, peer := sample(t, "orderer.log"), sample(t, "peer.log")
	plain, _ := read(t, Config{Orderers: []Source{text("orderer.log", orderer)}, Peers: []Source{text("peer.log", peer)}})
	lines := strings.SplitAfter(peer, "\n")
	rng := rand.New(rand.NewPCG(1, 2))
	var b strings.Builder
	for i, l := range lines {
		b.WriteString(l)
		if i < len(lines)/2 {
			continue // the banner's lines belong together
		}
		switch i % 10 {
		case 1:
			b.WriteString("\x00\x00\x00\x00\x00")
		case 3:
			noise := make([]byte, 200)
			for j := range noise {
				noise[j] = byte(rng.Uint32())
			}
			b.WriteString(strings.ReplaceAll(string(noise), "\n", "") + "\xff\n")
		case 5:
			fmt.Fprintf(&b, "2026-11-22 09:56:30.643 UTC [x] [ch1] Validated block [%d] in 2ms\n", uint64(math.MaxUint64)-uint64(i)<<40)
		case 7:
			b.WriteString("2026-11-22 09:56:30.643 UTC [x] [ch1] Validated blo\n")
		}
	}
	b.WriteString(strings.Repeat("no end ", 3*maxLine/7) + "\n" + lines[len(lines)-2])
	tr, report := read(t, Config{Orderers: []Source{text("orderer.log", orderer)}, Peers: []Source{text("peer.log", b.String())}})
	same(t, tr, plain)
	f, s := report.Files[1], report.Streams[0]
	if f.Garbage == 0 || f.LongLines != 1 || f.Repeated != 1 || s.Stray == 0 {
		t.Errorf("report %+v %+v", f, s)
	}
	warned(t, tr, traces.NoteWarning, "lines with binary garbage")
	warned(t, tr, traces.NoteWarning, "far away from all others")
}

// TestWildNumbers bounds the memory that damaged block numbers can take.
func TestWildNumbers(t *testing.T) {
	var b strings.Builder
	b.WriteString(new(script).committed(1, 5).committed(2, 6).String())
	for _, n := range []uint64{math.MaxUint64, math.MaxUint64 - 1, 1 << 63, 1 << 40, 60_000_000} {
		fmt.Fprintf(&b, "2026-11-22 09:00:00.643 UTC [x] [ch1] Committed block [%d] with 1 transaction(s) in 2ms ()\n", n)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	tr, report := read(t, Config{Peers: []Source{text("p.log", b.String())}})
	runtime.ReadMemStats(&after)
	if tl := tr.Timelines[0]; tl.First != 5 || tl.Len() != 2 || report.Streams[0].Stray != 5 {
		t.Errorf("%d blocks from %d, report %+v", tl.Len(), tl.First, report.Streams[0])
	}
	if got := after.TotalAlloc - before.TotalAlloc; got > 16<<20 {
		t.Errorf("%d bytes were allocated", got)
	}
}

// TestDamagedGzip reads what is before the damage and says so.
func TestDamagedGzip(t *testing.T) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	for i := range 4000 {
		w.Write([]byte(new(script).committed(i, i).String()))
	}
	w.Close()
	tr, report := read(t, Config{Peers: []Source{text("p.log.gz", b.Bytes()[:b.Len()/2])}})
	if n := tr.Timelines[0].Len(); n < 100 || n >= 4000 || report.Files[0].Damage == nil {
		t.Errorf("%d blocks, report %+v", n, report.Files[0])
	}
	warned(t, tr, traces.NoteWarning, "p.log.gz is damaged")
}

// FuzzRead holds that no log whatever breaks reading, and that a trace which comes
// out is sound: times counted from the first offer, block numbers in bounds.
func FuzzRead(f *testing.F) {
	for _, name := range []string{"peer.log", "orderer.log", "peer-debug.log", "orderer-debug.log"} {
		lines := strings.SplitAfter(sample(f, name), "\n")
		for i := 0; i < len(lines); i += 40 {
			f.Add([]byte(strings.Join(lines[i:min(i+12, len(lines))], "")))
		}
	}
	f.Add([]byte(`{"log":"{\"ts\":1795341681.72,\"msg\":\"Writing block [4] (Raft index: 7) to ledger\",\"channel\":\"ch1\"}\n","time":"2026-11-22T09:56:31.3Z"}`))
	f.Add([]byte("ts=1.795341681721395e+09 msg=\"[ch1] Validated block [18446744073709551615] in 2ms\"\n"))
	f.Fuzz(func(t *testing.T, log []byte) {
		tr, report, err := Read(context.Background(), Config{
			Orderers:      []Source{text("o.log", log)},
			Peers:         []Source{text("p.log", log)},
			AssumeBacklog: len(log)%2 == 0,
			FixClockSkew:  len(log)%3 == 0,
		})
		if err != nil {
			return
		}
		if len(tr.Streams) != len(tr.Timelines) || len(report.Streams) != len(tr.Streams) {
			t.Fatalf("%d streams, %d timelines, %d reports", len(tr.Streams), len(tr.Timelines), len(report.Streams))
		}
		first := int64(math.MaxInt64)
		for _, tl := range tr.Timelines {
			if tl.Len() < 1 || tl.Len() > traces.MaxTimelineBlocks || tl.Channel == "" {
				t.Fatalf("stream %+v of %d blocks", tl.Stream, tl.Len())
			}
			for _, v := range tl.Column(event.Offered) {
				if v != event.Missing {
					first = min(first, v)
				}
			}
		}
		if first != math.MaxInt64 && first != 0 {
			t.Fatalf("the first offer is at %d", first)
		}
	})
}
