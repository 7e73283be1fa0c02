package traces

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
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
	var file bytes.Buffer
	w, err := NewWriter(&file, Header{Streams: []Stream{{Channel: "ch1"}}}, WriterConfig{})
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
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	tr, err := Read(&file)
	if err != nil {
		t.Fatal(err)
	}
	return tr.Timelines[0]
}

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

// TestSizeOfLiveRecording writes a real run as a recorder does, event by event in the
// order of time with a flush every second: short chunks cost a little, and no more.
func TestSizeOfLiveRecording(t *testing.T) {
	tl := realTimeline(t, "fabric-2.5-burst-n20-debug")
	var events []event.Event
	for _, k := range []event.Kind{event.Offered, event.Dequeued, event.Validated, event.Committed} {
		for i, v := range tl.Column(k) {
			events = append(events, event.Event{Kind: k, Block: tl.Block(i), Value: v})
		}
	}
	slices.SortFunc(events, func(a, b event.Event) int { return cmp.Compare(a.Value, b.Value) })
	c := counter{}
	w, err := NewWriter(&c, Header{Streams: []Stream{tl.Stream}}, WriterConfig{})
	if err != nil {
		t.Fatal(err)
	}
	last := events[0].Value
	for _, e := range events {
		if e.Value-last >= int64(time.Second) {
			last = e.Value
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Append(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	got := float64(c.n) / float64(tl.Len())
	t.Logf("%.2f bytes a block", got)
	if got > 12 {
		t.Errorf("%.2f bytes a block", got)
	}
}
