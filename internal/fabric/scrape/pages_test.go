package scrape

import (
	"bufio"
	"compress/gzip"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// recorded is a page that a real node has shown; text is empty if it was away.
type recorded struct{ node, text string }

var scrapeLine = regexp.MustCompile(`^### SCRAPE .* target=(\w+)`)

// pages reads a file of recorded pages.
func pages(t testing.TB, r io.Reader) (all []recorded) {
	t.Helper()
	var text strings.Builder
	end := func() {
		if len(all) > 0 {
			all[len(all)-1].text = text.String()
		}
		text.Reset()
	}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if m := scrapeLine.FindStringSubmatch(lines.Text()); m != nil {
			end()
			all = append(all, recorded{node: m[1]})
			continue
		}
		text.WriteString(lines.Text() + "\n")
	}
	end()
	if lines.Err() != nil || len(all) == 0 {
		t.Fatalf("%d pages, %v", len(all), lines.Err())
	}
	return all
}

// excerpt gives the pages of a file in testdata.
func excerpt(t testing.TB, name string) []recorded {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return pages(t, f)
}

var sampleLine = regexp.MustCompile(`^(\w+?)(_sum|_count)?(?:\{(?:.*[{,])?channel="([^"]*)".*\}|\{.*\})? (\S+)$`)

var startLine = regexp.MustCompile(`(?m)^process_start_time_seconds (.*)$`)

// figuresOf reads a page a second way: a regular expression and a sum.
func figuresOf(t testing.TB, text string) map[series]reading {
	t.Helper()
	got := map[series]reading{}
	for line := range strings.Lines(text) {
		if line[0] == '#' || strings.Contains(line, "_bucket") {
			continue // most of a page
		}
		m := sampleLine.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil {
			continue
		}
		name, suffix := m[1], m[2]
		f, ok := figureOf[name]
		if !ok {
			name, suffix = name+suffix, "" // broadcast_processed_count is no histogram
			f, ok = figureOf[name]
		}
		if !ok || (f.kind == mean) != (suffix != "") {
			continue
		}
		v, err := strconv.ParseFloat(m[4], 64)
		if err != nil {
			t.Fatal(err)
		}
		key := series{name, m[3]}
		r := got[key]
		if suffix == "_count" {
			r.count += v
		} else {
			r.value += v
		}
		got[key] = r
	}
	return got
}

// follow has a history go through the pages of one node, and compares every sample with
// what the second way says. It returns the samples of the last page.
func follow(t testing.TB, all []recorded, node string) (last map[series]float64) {
	t.Helper()
	var h history
	before, reached := map[series]reading{}, map[series]float64{}
	first, process := true, ""
	for i, rec := range all {
		if rec.node != node || rec.text == "" {
			continue
		}
		p, err := parse(strings.NewReader(rec.text))
		if err != nil {
			t.Fatalf("page %d: %v", i, err)
		}
		samples, err := h.samples(p)
		if err != nil {
			t.Fatalf("page %d: %v", i, err)
		}
		if m := startLine.FindStringSubmatch(rec.text); m[1] != process {
			// One of the recorded peers was started again.
			process = m[1]
			for key, r := range before {
				reached[key] += r.value
				before[key] = reading{}
			}
		}
		now := figuresOf(t, rec.text)
		want := map[series]float64{}
		for key, r := range now {
			switch n := r.count - before[key].count; {
			case figureOf[key.name].kind == gauge:
				want[key] = r.value
			case figureOf[key.name].kind == counter:
				want[key] = reached[key] + r.value
			case n > 0 && !first:
				want[key] = (r.value - before[key].value) / n * 1e9
			}
			before[key] = r
		}
		last = map[series]float64{}
		for _, s := range samples {
			key := series{s.Name, s.Channel}
			if w, ok := want[key]; !ok || w != s.Value {
				t.Errorf("page %d: %v is %v, want %v (%v)", i, key, s.Value, w, ok)
			}
			last[key] = s.Value
		}
		if len(last) != len(want) || len(samples) != len(want) {
			t.Errorf("page %d: %d samples of %d series, want %d", i, len(samples), len(last), len(want))
		}
		first = false
	}
	return last
}

// TestExcerpts: the figures of real pages; the literals are what a reader finds on the last
// page of each node, and quotients of its sums and counts less those of the page before.
func TestExcerpts(t *testing.T) {
	for _, c := range []struct {
		file, node string
		want       map[series]float64
	}{
		{"fabric-2.5-twochannels.txt", "orderer", map[series]float64{
			{"ledger_blockchain_height", "ch1"}:                  208,
			{"consensus_etcdraft_committed_block_number", "ch1"}: 207,
			{"broadcast_processed_count", "ch2"}:                 325,
			{"deliver_blocks_sent", "ch1"}:                       392,
			{"blockcutter_block_fill_duration", "ch2"}:           (5.766263639999999 - 5.404735323999999) / 2 * 1e9,
		}},
		{"fabric-2.5-twochannels.txt", "peer", map[series]float64{
			{"gossip_payload_buffer_size", "ch1"}:   37,
			{"gossip_payload_buffer_size", "ch2"}:   0,
			{"gossip_state_height", "ch2"}:          36,
			{"gossip_state_commit_duration", "ch2"}: (0.301655188 - 0.26577260799999997) / 3 * 1e9,
		}},
		{"fabric-1.4-catchup.txt", "orderer", map[series]float64{
			{"ledger_blockchain_height", "syschannel"}: 3,
		}},
		{"fabric-1.4-catchup.txt", "peer", map[series]float64{
			{"gossip_payload_buffer_size", "ch1"}:   178,
			{"deliver_blocks_sent", "ch1"}:          4299,
			{"ledger_blockchain_height", "ch2"}:     2,
			{"ledger_transaction_count", "ch1"}:     4553,
			{"ledger_statedb_commit_time", "ch1"}:   (1.2038810659999972 - 1.149244838999997) / 223 * 1e9,
			{"gossip_state_commit_duration", "ch1"}: (10.740264073999974 - 10.242517619999981) / 223 * 1e9,
		}},
	} {
		got := follow(t, excerpt(t, c.file), c.node)
		for key, want := range c.want {
			if v, ok := got[key]; !ok || math.Abs(v-want) > 1e-6*want {
				t.Errorf("%s, %s: %v is %v (%v), want %v", c.file, c.node, key, v, ok, want)
			}
		}
	}
}

// TestRuns: every page of the recorded runs.
func TestRuns(t *testing.T) {
	files, err := filepath.Glob("../../../../shared/data/*/metrics.txt.gz")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Skip("the real runs are not here: ../shared/data beside the module")
	}
	for _, file := range files {
		folder := filepath.Base(filepath.Dir(file))
		if testing.Short() && folder != "fabric-2.5-mvcc-debug" {
			continue
		}
		t.Run(folder, func(t *testing.T) {
			t.Parallel()
			f, err := os.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			z, err := gzip.NewReader(f)
			if err != nil {
				t.Fatal(err)
			}
			all := pages(t, z)
			orderer, peer := follow(t, all, "orderer"), follow(t, all, "peer")
			height := series{"ledger_blockchain_height", "ch1"}
			if orderer[height] < 3 || peer[height] < 3 {
				t.Errorf("heights of ch1: %v at the orderer, %v at the peer", orderer[height], peer[height])
			}
		})
	}
}
