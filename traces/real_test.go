package traces

import (
	"bufio"
	"compress/gzip"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/blockreel/blockreel/traces/event"
)

var (
	logTime   = regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+`)
	logBlocks = []struct {
		kind event.Kind
		re   *regexp.Regexp
	}{
		{event.Offered, regexp.MustCompile(`Writing block \[(\d+)\] \(Raft`)},
		{event.Dequeued, regexp.MustCompile(`Received block \[(\d+)\] from buffer`)},
		{event.Validated, regexp.MustCompile(`Validated block \[(\d+)\] in`)},
		{event.Committed, regexp.MustCompile(`Committed block \[(\d+)\] with (\d+) transaction\(s\) in \d+ms \(state_validation=(\d+)ms \S+=(\d+)ms state_commit=(\d+)ms`)},
	}
)

// realTimeline reads the block lines of a real run, as simply as can be.
func realTimeline(t testing.TB, run string) *Timeline {
	t.Helper()
	dir := filepath.Join("..", "..", "shared", "data", run)
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("the recorded runs are not here: %v", err)
	}
	w, err := NewWriter(discard{}, Header{Streams: []Stream{{Channel: "ch1"}}}, WriterConfig{})
	if err != nil {
		t.Fatal(err)
	}
	base, err := time.Parse(time.DateOnly, "2026-11-22")
	if err != nil {
		t.Fatal(err)
	}
	set := func(k event.Kind, block, value int64) {
		if block >= 4 {
			if err := w.Append(event.Event{Kind: k, Block: event.BlockNum(block), Value: value}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, name := range []string{"orderer.log.gz", "peer.log.gz"} {
		f, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		z, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(z)
		lines.Buffer(nil, 1<<22)
		for lines.Scan() {
			line := lines.Text()
			if strings.Contains(line, "[gossip.state]") {
				continue
			}
			for _, lb := range logBlocks {
				m := lb.re.FindStringSubmatch(line)
				if m == nil {
					continue
				}
				at, err := time.Parse("2006-01-02 15:04:05", logTime.FindString(line))
				if err != nil {
					t.Fatal(err)
				}
				n := number(t, m[1])
				set(lb.kind, n, int64(at.Sub(base)))
				if lb.kind == event.Committed {
					set(event.Transactions, n, number(t, m[2]))
					set(event.StateValidation, n, number(t, m[3])*1e6)
					set(event.BlockStore, n, number(t, m[4])*1e6)
					set(event.StateCommit, n, number(t, m[5])*1e6)
				}
			}
		}
		if err := lines.Err(); err != nil {
			t.Fatal(err)
		}
	}
	b := newBuilder(w.header, MaxCells)
	c := &Chunk{Type: ChunkData}
	for k := range event.NumKinds {
		win := &w.windows[k]
		for _, s := range findSpans(nil, win.vals(), win.first) {
			c.Extents = append(c.Extents, Extent{First: event.BlockNum(s.first), Blocks: uint64(s.n)})
			c.Runs = append(c.Runs, Run{Kind: event.Kind(k), First: event.BlockNum(s.first), Values: win.vals()[s.first-win.first:][:s.n]})
		}
	}
	if err := b.chunk(c); err != nil {
		t.Fatal(err)
	}
	return b.trace().Timelines[0]
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

func number(t testing.TB, s string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestSizeOfRealRuns holds the size of a trace of a real run at 12 bytes a block.
func TestSizeOfRealRuns(t *testing.T) {
	for _, run := range []string{"fabric-2.5-burst-n20-info", "fabric-2.5-burst-n20-debug", "fabric-2.5-steady-info"} {
		all := realTimeline(t, run)
		four := NewTimeline(all.Stream, all.First, all.Len())
		for _, k := range []event.Kind{event.Offered, event.Dequeued, event.Validated, event.Committed} {
			copy(four.MakeColumn(k), all.Column(k))
			if all.Observed(k) < 2400 {
				t.Errorf("%s: %d values of %v", run, all.Observed(k), k)
			}
		}
		size := func(tl *Timeline) float64 {
			tr := &Trace{Header: Header{Streams: []Stream{tl.Stream}}, Timelines: []*Timeline{tl}}
			return float64(len(encode(t, tr))) / float64(tl.Len())
		}
		got := size(four)
		t.Logf("%s: %d blocks, %.2f bytes a block; with transactions and stages %.2f", run, all.Len(), got, size(all))
		if got > 12 {
			t.Errorf("%s: %.2f bytes a block", run, got)
		}
	}
}
